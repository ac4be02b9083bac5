"""Bodies of Anthropic's Messages API: bytes to `Asked`, and a conversation to a body.

Members are those of ``POST /v1/messages`` and ``/v1/messages/count_tokens`` (anthropic 2.12, read 2026-11), the beta
ones included.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from turnout.messages.conversation import Conversation
from turnout.messages.wire import anthropic_read, anthropic_write
from turnout.messages.wire.asked import (
    Asked,
    Controls,
    Encoded,
    OutputFormat,
    ToolChoice,
    WireProtocol,
    overrides_of,
    session_of,
    set_parameters,
    texts_of,
    unknown_members,
)
from turnout.messages.wire.claude_parameters import claude_parameters
from turnout.messages.wire.fields import Fields, Notes
from turnout.messages.wire.malformed import MalformedBodyError
from turnout.messages.wire.splice import MAX_DEPTH, Body, decode_member

_TEXT = msgspec.json.Decoder(str | None)
_FLAG = msgspec.json.Decoder(bool | None)
_COUNT = msgspec.json.Decoder(int | None)
_NUMBER = msgspec.json.Decoder(float | None)
_TEXTS = msgspec.json.Decoder(list[str] | None)
_OBJECT = msgspec.json.Decoder(dict[str, Any] | None)

_UNDERSTOOD = frozenset(
    {
        "model",
        "messages",
        "system",
        "tools",
        "tool_choice",
        "max_tokens",
        "stream",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "metadata",
        "thinking",
        "output_config",
        "output_format",
    }
)
_LEFT_OUT = frozenset({"diagnostics", "user_profile_id", "workspace_id"})
"""They name who asks or ask for more to be reported; the answer is the same without them."""
FIXED = frozenset(
    {
        "billing_policy",
        "cache_control",
        "compaction",
        "container",
        "context_management",
        "fallback_credit_token",
        "fallbacks",
        "inference_geo",
        "mcp_servers",
        "service_tier",
        "speed",
        "thread",
        "anthropic_beta",
    }
)
"""They mean something at Anthropic only."""

KNOWN = _UNDERSTOOD | _LEFT_OUT | FIXED
"""Every top-level member that is known here."""

_CHOICES: dict[str, Literal["auto", "any", "none"]] = {"auto": "auto", "any": "any", "none": "none"}


def decode(data: bytes, *, max_depth: int = MAX_DEPTH) -> Asked:
    """Read a body.

    Args:
        data: The body.
        max_depth: The most levels of nesting.

    Raises:
        MalformedBodyError: It is no JSON object, or a member does not have the API's shape. Messages, system and tools
            are read later.
    """
    body = Body(data, max_depth=max_depth)
    model = decode_member(body, "model", _TEXT)
    if not model:
        raise MalformedBodyError("is missing", path="model")
    return asked_of(
        body,
        WireProtocol.ANTHROPIC,
        model=model,
        stream=bool(decode_member(body, "stream", _FLAG)),
        known=KNOWN,
        fixed=FIXED,
    )


def asked_of(
    body: Body,
    protocol: WireProtocol,
    *,
    model: str,
    stream: bool,
    known: frozenset[str],
    fixed: frozenset[str],
) -> Asked:
    """What a body of the Messages API asks for, wherever the model's name came from.

    Raises:
        MalformedBodyError: A member does not have the API's shape, or there are no messages.
    """
    if "messages" not in body:
        raise MalformedBodyError("is missing", path="messages")
    notes = Notes()
    controls, metadata = _controls(body, notes)
    left_out, fast = [], []
    for name in body.raws:
        if name in _LEFT_OUT and not body.is_null(name):
            left_out.append(name)
        elif name in fixed and not body.is_null(name):
            fast.append(name)
    return Asked(
        protocol=protocol,
        body=body,
        model=model,
        stream=stream,
        controls=controls,
        reader=anthropic_read.read,
        parameters=(
            *set_parameters({"temperature": controls.temperature, "top_p": controls.top_p, "top_k": controls.top_k}),
            *claude_parameters(controls.thinking, controls.effort, manages_context="context_management" in fast),
        ),
        json_output=controls.output is not None,
        has_tools=_has_items(body, "tools"),
        session_id=session_of(metadata, controls.user),
        overrides=overrides_of(metadata),
        metadata=metadata,
        unknown=unknown_members(body, known),
        left_out=tuple(left_out),
        fixed=(*fast, *notes.untranslatable),
    )


def encode(
    conversation: Conversation,
    controls: Controls,
    *,
    model: str,
    stream: bool = False,
    default_max_tokens: int = 4096,
) -> Encoded:
    """Write a conversation as a body.

    Args:
        conversation: Messages, system and tools as Converse blocks.
        controls: What is set beside them.
        model: The model's name.
        stream: Whether the answer is to be streamed.
        default_max_tokens: The limit on output, which this API requires, where ``controls`` sets none.
    """
    notes = Notes()
    body = members_of(conversation, controls, notes, default_max_tokens)
    return Encoded.of({"model": model, **body, **({"stream": True} if stream else {})}, notes)


def members_of(conversation: Conversation, controls: Controls, notes: Notes, default_max_tokens: int) -> dict[str, Any]:
    """The members of a body, but for the model's name and ``stream``."""
    if controls.max_output_tokens is None:
        notes.edit("output_limit", str(default_max_tokens))
    body: dict[str, Any] = {
        "max_tokens": default_max_tokens if controls.max_output_tokens is None else controls.max_output_tokens
    }
    if conversation.system:
        body["system"] = anthropic_write.blocks(conversation.system, "system", notes)
    body["messages"] = anthropic_write.messages(conversation.messages, notes)
    if conversation.tools:
        body["tools"] = anthropic_write.tools(conversation.tools, notes)
    if (choice := _choice_written(controls)) is not None:
        body["tool_choice"] = choice
    if controls.temperature is not None and controls.temperature > 1:
        notes.refuse("temperature")
    for name in ("temperature", "top_p", "top_k", "thinking"):
        if (value := getattr(controls, name)) is not None:
            body[name] = value
    if controls.stop:
        body["stop_sequences"] = list(controls.stop)
    if config := _output_written(controls, notes):
        body["output_config"] = config
    if controls.user is not None:
        body["metadata"] = {"user_id": controls.user}
    return body


def _controls(body: Body, notes: Notes) -> tuple[Controls, dict[str, str]]:
    raws = body.raws
    metadata: dict[str, Any] = (decode_member(body, "metadata", _OBJECT) or {}) if "metadata" in raws else {}
    user = metadata.get("user_id")
    choice, parallel = _choice(body, notes) if "tool_choice" in raws else (None, None)
    output, effort = _output(body, notes)
    return (
        Controls(
            max_output_tokens=decode_member(body, "max_tokens", _COUNT),
            temperature=decode_member(body, "temperature", _NUMBER),
            top_p=decode_member(body, "top_p", _NUMBER),
            top_k=decode_member(body, "top_k", _COUNT),
            stop=tuple(decode_member(body, "stop_sequences", _TEXTS) or ()),
            tool_choice=choice,
            parallel_tools=parallel,
            output=output,
            thinking=decode_member(body, "thinking", _OBJECT),
            effort=effort,
            user=user if isinstance(user, str) else None,
        ),
        texts_of(metadata),
    )


def _choice(body: Body, notes: Notes) -> tuple[ToolChoice | None, bool | None]:
    value = decode_member(body, "tool_choice", _OBJECT)
    if value is None:
        return None, None
    choice = Fields(value, "tool_choice", notes)
    kind = choice.need("type", str)
    single = choice.take("disable_parallel_tool_use", bool)
    name = choice.take("name", str)
    choice.rest()
    parallel = None if single is None else not single
    if kind == "tool" and name is not None:
        return ToolChoice("tool", name), parallel
    if kind not in _CHOICES:
        notes.refuse("tool_choice")
        # A tool may have to be called all the same.
        return (ToolChoice("any") if kind == "tool" else None), parallel
    return ToolChoice(_CHOICES[kind]), parallel


def _output(body: Body, notes: Notes) -> tuple[OutputFormat | None, str | None]:
    """Schema and effort; ``output_format`` is where beta versions of the API had the schema."""
    found: OutputFormat | None = None
    effort: str | None = None
    for name in ("output_format", "output_config"):
        value = decode_member(body, name, _OBJECT) if name in body.raws else None
        if value is None:
            continue
        config = Fields(value, name, notes)
        if name == "output_config":
            effort = config.take("effort", str)
            inner = config.inner("format")
            config.rest()
        else:
            inner = config
        if inner is not None:
            if inner.need("type", str) != "json_schema":
                notes.refuse(inner.path)
            found = OutputFormat(schema=inner.left.pop("schema", None))
            inner.rest()
    return found, effort


def _choice_written(controls: Controls) -> dict[str, Any] | None:
    choice = controls.tool_choice
    if choice is None and controls.parallel_tools is None:
        return None
    written: dict[str, Any] = {"type": "auto"} if choice is None else {"type": choice.kind}
    if choice is not None and choice.name is not None:
        written["name"] = choice.name
    if controls.parallel_tools is not None and written["type"] != "none":
        written["disable_parallel_tool_use"] = not controls.parallel_tools
    return written


def _output_written(controls: Controls, notes: Notes) -> Mapping[str, Any]:
    config: dict[str, Any] = {}
    if controls.effort is not None:
        if controls.effort not in ("low", "medium", "high", "xhigh", "max"):
            notes.refuse("effort")
        config["effort"] = controls.effort
    output = controls.output
    if output is not None:
        if output.name is not None or output.description is not None:
            notes.edit("output_name", "output")
        if output.strict is False:
            notes.edit("output_strict", "output")
        config["format"] = {"type": "json_schema", "schema": output.schema}
    return config


def _has_items(body: Body, name: str) -> bool:
    raw = body.raws.get(name)
    return raw is not None and len(raw) > 2 and not body.is_null(name)
