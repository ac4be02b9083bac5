"""OpenAI's reasoning effort by name."""

from __future__ import annotations

from turnout.messages.wire.openai_effort import effort_parameters


def test_names() -> None:
    assert effort_parameters(None) == ()
    assert effort_parameters("low") == ("reasoning_effort",)
    assert effort_parameters("xhigh") == ("reasoning_effort", "reasoning_effort.xhigh")
