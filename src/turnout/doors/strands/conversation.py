"""From what Strands gives a model to a conversation and a request."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from strands.models import Model

from turnout.core.request import HardStay, Request
from turnout.messages.conversation import Conversation
from turnout.messages.portability import Carried
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import has_bound_state, in_tool_loop, request_of

OVERRIDES_KEY = "turnout"
"""Where `invocation_state` may hold a mapping of `Overrides`."""

_OVERRIDES = ("pin", "session_id", "query_id", "session_pin", "tags")
_SAMPLING = ("temperature", "top_p")


class OverrideError(ValueError):
    """``invocation_state["turnout"]`` is not a mapping, or holds a key that is not known."""


class Call:
    """What one call of `Model.stream` asks for, read once.

    Attributes:
        messages: As given by Strands.
        written_by: The catalog id of the model that gave the newest answer in them, once that is known.
        carried: The history as candidates take it, by catalog id, as far as it was asked for (`Histories`).

    Args:
        messages: As given by Strands.
        tool_specs: As given by Strands.
        system_prompt: The system prompt as one text.
        kwargs: The other keywords of the call.
        sent_by: A model whose own request format is read instead, so that cache points it adds are seen.
    """

    def __init__(
        self,
        messages: Any,
        tool_specs: Any,
        system_prompt: str | None,
        kwargs: Mapping[str, Any],
        *,
        sent_by: Model | None = None,
    ) -> None:
        self.messages = messages
        self.written_by: str | None = None
        self.carried: dict[str, Carried] = {}
        self.system = _system_blocks(system_prompt, kwargs.get("system_prompt_content"))
        self.conversation = _conversation(messages, tool_specs, self.system, kwargs, sent_by)
        self.tool_loop = in_tool_loop(self.conversation)
        self.bound = has_bound_state(self.conversation)
        self.forced_tool_choice = bool(set(kwargs.get("tool_choice") or ()) & {"any", "tool"})
        self.structured_output = kwargs.get("structured_output_model") is not None
        state = kwargs.get("invocation_state")
        self.state: dict[str, Any] | None = state if isinstance(state, dict) else None
        self.overrides, self.tags = _overrides(self.state)
        signal = kwargs.get("cancel_signal")
        self.cancel_signal: threading.Event | None = signal if isinstance(signal, threading.Event) else None
        metadata = kwargs.get("agent_metadata")
        self.session_id: str | None = self.overrides.get("session_id") or getattr(metadata, "session_id", None)

    @property
    def is_cancelled(self) -> bool:
        """Whether Strands has cancelled the agent that asks."""
        return self.cancel_signal is not None and self.cancel_signal.is_set()

    @property
    def ends_with_user(self) -> bool:
        """Whether the newest message is the user's, so that the answer is a message of its own."""
        messages = self.conversation.messages
        return bool(messages) and messages[-1]["role"] == "user"

    def request(self, hasher: PrefixHasher, session_id: str, stay: HardStay | None, model: Model) -> Request:
        """The request of this call; limits and sampling parameters are those that ``model`` is configured with."""
        config = model.get_config() or {}
        max_tokens = config.get("max_tokens")
        return request_of(
            self.conversation,
            hasher,
            session_id=session_id,
            max_output_tokens=max_tokens if isinstance(max_tokens, int) else None,
            forced_tool_choice=self.forced_tool_choice,
            structured_output=self.structured_output,
            pin=self.overrides.get("pin"),
            hard_stay=stay,
        )


def sampling_parameters(model: Model) -> tuple[str, ...]:
    """The sampling parameters that a Strands model is configured to send."""
    config = model.get_config() or {}
    return tuple(name for name in _SAMPLING if config.get(name) is not None)


def adds_cache_points(model: Model) -> bool:
    """Whether a Strands model places cache points of its own."""
    config = model.get_config() or {}
    return any(config.get(name) for name in ("cache_config", "cache_prompt", "cache_tools"))


def _system_blocks(system_prompt: str | None, content: Any) -> list[dict[str, Any]]:
    if content is not None:
        return list(content)
    return [{"text": system_prompt}] if system_prompt else []


def _conversation(
    messages: Any, tool_specs: Any, system: list[dict[str, Any]], kwargs: Mapping[str, Any], sent_by: Model | None
) -> Conversation:
    format_request = getattr(sent_by, "format_request", None)
    if callable(format_request):
        sent = format_request(
            messages, tool_specs, system, kwargs.get("tool_choice"), kwargs.get("dynamic_trailing_blocks", 0)
        )
        tools: Sequence[Any] = (sent.get("toolConfig") or {}).get("tools", [])
        return Conversation(messages=sent["messages"], system=sent.get("system", []), tools=tools)
    return Conversation(messages=messages, system=system, tools=[{"toolSpec": spec} for spec in tool_specs or []])


def _overrides(state: Mapping[str, Any] | None) -> tuple[dict[str, str], tuple[str, ...]]:
    """The texts, and the tags."""
    given = (state or {}).get(OVERRIDES_KEY)
    if given is None:
        return {}, ()
    texts = {name: value for name, value in given.items() if name != "tags"} if isinstance(given, Mapping) else {}
    if not isinstance(given, Mapping) or not all(isinstance(value, str) for value in texts.values()):
        raise OverrideError(f"invocation_state[{OVERRIDES_KEY!r}] must map names to texts, got {type(given).__name__}")
    tags = given.get("tags", ())
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags):
        raise OverrideError(f"invocation_state[{OVERRIDES_KEY!r}]: tags must be a list of texts")
    for name in given:
        if name not in _OVERRIDES:
            raise OverrideError(
                f"unknown override {name!r} in invocation_state[{OVERRIDES_KEY!r}]; known are {', '.join(_OVERRIDES)}"
            )
    return texts, tuple(tags)
