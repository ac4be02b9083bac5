"""The reasoning effort of OpenAI's protocols, as catalog entries name it where a model rejects it."""

from __future__ import annotations

_OF_SOME_MODELS = ("none", "xhigh")
NAME = "reasoning_effort"


def effort_parameters(effort: str | None) -> tuple[str, ...]:
    """``reasoning_effort`` where one is set; beside it, with a dot, a level that not every reasoning model has."""
    if effort is None:
        return ()
    return (NAME, f"{NAME}.{effort}") if effort in _OF_SOME_MODELS else (NAME,)
