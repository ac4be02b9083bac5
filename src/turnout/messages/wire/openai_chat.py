"""Bodies of OpenAI's Chat Completions: bytes to `Asked`, and a conversation to a body.

Members are those of ``POST /v1/chat/completions`` (openai 3.54, read 2026-11). Servers that speak this protocol know
more of them; those are relayed and named in `Asked.unknown`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.messages.conversation import Conversation
from turnout.messages.wire import openai_read, openai_write
from turnout.messages.wire.asked import (
    NO_CONTROLS,
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
from turnout.messages.wire.fields import Fields, Notes
from turnout.messages.wire.malformed import MalformedBodyError
from turnout.messages.wire.openai_effort import effort_parameters
from turnout.messages.wire.splice import MAX_DEPTH, Body, decode_member

_TEXT = msgspec.json.Decoder(str | None)
_FLAG = msgspec.json.Decoder(bool | None)
_COUNT = msgspec.json.Decoder(int | None)
_NUMBER = msgspec.json.Decoder(float | None)
_STOP = msgspec.json.Decoder(str | list[str] | None)
_OBJECT = msgspec.json.Decoder(dict[str, Any] | None)
_CHOICE = msgspec.json.Decoder(str | dict[str, Any] | None)
_ANY = msgspec.json.Decoder(Any)

_UNDERSTOOD = frozenset(
    {
        "model",
        "messages",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "max_tokens",
        "max_completion_tokens",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
        "stop",
        "response_format",
        "reasoning_effort",
        "metadata",
        "user",
    }
)
_SAMPLING = ("frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "seed")
_LEFT_OUT = frozenset(
    {"prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "store"}
)
"""They name who asks, or say what the provider keeps; the answer is the same without them."""

_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "functions": ([],),
    "function_call": ("auto", "none"),
}
"""Members that ask for nothing where they have one of these values."""

_FIXED = frozenset(
    {
        *_DEFAULTS,
        *_SAMPLING,
        "audio",
        "moderation",
        "prediction",
        "verbosity",
        "web_search_options",
    }
)
"""They mean something in this protocol only."""

_CONTROLS = frozenset(
    {
        "max_completion_tokens",
        "max_tokens",
        "stop",
        "temperature",
        "top_p",
        "tool_choice",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "user",
    }
)
"""The members that `Controls` holds."""

_KNOWN = _UNDERSTOOD | _LEFT_OUT | _FIXED
_NOT_SIMPLE = _LEFT_OUT | _FIXED

_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})


def decode(data: bytes, *, max_depth: int = MAX_DEPTH) -> Asked:
    """Read a body.

    Args:
        data: The body.
        max_depth: The most levels of nesting.

    Raises:
        MalformedBodyError: It is no JSON object, or a member does not have the API's shape. Messages and tools are
            read later.
    """
    body = Body(data, max_depth=max_depth)
    raws = body.raws
    model = decode_member(body, "model", _TEXT)
    for name in ("model", "messages"):
        if name not in raws or not model:
            raise MalformedBodyError("is missing", path=name if model else "model")
    notes = Notes()
    left_out: list[str] = []
    sampling: dict[str, Any] = {}
    for name in () if _NOT_SIMPLE.isdisjoint(raws) else raws:
        if name not in _NOT_SIMPLE or body.is_null(name):
            continue
        if name in _LEFT_OUT:
            left_out.append(name)
            continue
        value = decode_member(body, name, _ANY)
        if name in _SAMPLING:
            sampling[name] = value
        if value not in _DEFAULTS.get(name, ()):
            notes.refuse(name)
    output, json_output = _output(body, notes) if "response_format" in raws else (None, False)
    controls = NO_CONTROLS if _CONTROLS.isdisjoint(raws) else _controls(body, output, notes)
    metadata = texts_of(decode_member(body, "metadata", _OBJECT) or {}) if "metadata" in raws else {}
    options = (decode_member(body, "stream_options", _OBJECT) or {}) if "stream_options" in raws else {}
    return Asked(
        protocol=WireProtocol.OPENAI_CHAT,
        body=body,
        model=model,
        stream=bool(decode_member(body, "stream", _FLAG)),
        controls=controls,
        reader=openai_read.read,
        wants_usage=options.get("include_usage") is True,
        parameters=()
        if controls is NO_CONTROLS and not sampling
        else (
            *set_parameters({"temperature": controls.temperature, "top_p": controls.top_p, **sampling}),
            *effort_parameters(controls.effort),
        ),
        json_output=json_output,
        has_tools=_holds_any(body, "tools") or _holds_any(body, "functions"),
        session_id=session_of(metadata, controls.user),
        overrides=overrides_of(metadata),
        metadata=metadata,
        unknown=() if raws.keys() <= _KNOWN else unknown_members(body, _KNOWN),
        left_out=tuple(left_out),
        fixed=tuple(notes.untranslatable),
    )


def _holds_any(body: Body, name: str) -> bool:
    """Whether a member is there that is neither null nor empty."""
    raw = body.raws.get(name)
    return raw is not None and len(raw) > 2 and not body.is_null(name)


def encode(
    conversation: Conversation,
    controls: Controls,
    *,
    model: str,
    stream: bool = False,
    limit_name: str = "max_completion_tokens",
) -> Encoded:
    """Write a conversation as a body; usage is asked for in streams.

    Args:
        conversation: Messages, system and tools as Converse blocks.
        controls: What is set beside them.
        model: The model's name.
        stream: Whether the answer is to be streamed.
        limit_name: What the limit on output is called; servers beside OpenAI's know ``max_tokens``.
    """
    notes = Notes()
    body: dict[str, Any] = {
        "model": model,
        "messages": openai_write.messages(conversation.system, conversation.messages, notes),
    }
    if conversation.tools:
        body["tools"] = openai_write.tools(conversation.tools, notes)
    _write_controls(body, controls, notes, limit_name)
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return Encoded.of(body, notes)


def _controls(body: Body, output: OutputFormat | None, notes: Notes) -> Controls:
    raws = body.raws
    limit = decode_member(body, "max_completion_tokens", _COUNT)
    older = decode_member(body, "max_tokens", _COUNT)
    stop = decode_member(body, "stop", _STOP)
    return Controls(
        max_output_tokens=older if limit is None else limit,
        temperature=decode_member(body, "temperature", _NUMBER),
        top_p=decode_member(body, "top_p", _NUMBER),
        stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
        tool_choice=_choice(body, notes) if "tool_choice" in raws else None,
        parallel_tools=decode_member(body, "parallel_tool_calls", _FLAG),
        output=output,
        effort=decode_member(body, "reasoning_effort", _TEXT),
        user=decode_member(body, "user", _TEXT),
    )


def _choice(body: Body, notes: Notes) -> ToolChoice | None:
    value = decode_member(body, "tool_choice", _CHOICE)
    match value:
        case None:
            return None
        case "auto" | "none":
            return ToolChoice(value)
        case "required":
            return ToolChoice("any")
        case {"type": "function", "function": {"name": str(name)}}:
            return ToolChoice("tool", name)
    notes.refuse("tool_choice")
    # Allowed tools and custom tools have no place elsewhere, but may force a call all the same.
    forced = isinstance(value, dict) and (
        value.get("type") == "custom" or (value.get("allowed_tools") or {}).get("mode") == "required"
    )
    return ToolChoice("any") if forced else None


def _output(body: Body, notes: Notes) -> tuple[OutputFormat | None, bool]:
    """The schema of the answer, and whether it must be JSON at all."""
    value = decode_member(body, "response_format", _OBJECT)
    if value is None:
        return None, False
    response = Fields(value, "response_format", notes)
    kind = response.need("type", str)
    if kind == "text":
        response.rest()
        return None, False
    schema = response.inner("json_schema")
    if kind != "json_schema" or schema is None:
        notes.refuse(response.at("type"))
        return None, True
    output = OutputFormat(
        schema=schema.left.pop("schema", None),
        name=schema.need("name", str),
        description=schema.take("description", str),
        strict=schema.take("strict", bool),
    )
    if output.schema is None:
        notes.refuse(schema.at("schema"))
    schema.rest()
    response.rest()
    return output, True


def _write_controls(body: dict[str, Any], controls: Controls, notes: Notes, limit_name: str) -> None:
    if controls.max_output_tokens is not None:
        body[limit_name] = controls.max_output_tokens
    for name in ("temperature", "top_p", "user"):
        if (value := getattr(controls, name)) is not None:
            body[name] = value
    if controls.top_k is not None:
        notes.refuse("top_k")
    if controls.thinking is not None and controls.thinking.get("type") != "disabled":
        notes.refuse("thinking")
    if controls.stop:
        body["stop"] = list(controls.stop)
        if len(controls.stop) > _MOST_STOPS:
            notes.refuse("stop")
    if controls.effort is not None:
        body["reasoning_effort"] = controls.effort
        if controls.effort not in _EFFORTS:
            notes.refuse("effort")
    if controls.tool_choice is not None:
        choice = controls.tool_choice
        function = {"type": "function", "function": {"name": choice.name}}
        body["tool_choice"] = {"any": "required", "tool": function}.get(choice.kind, choice.kind)
    if controls.parallel_tools is not None:
        body["parallel_tool_calls"] = controls.parallel_tools
    if controls.output is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": _schema(controls.output, notes)}


_MOST_STOPS = 4


def _schema(output: OutputFormat, notes: Notes) -> dict[str, Any]:
    if output.name is None:
        notes.edit("output_name", "output")
    written: dict[str, Any] = {"name": output.name or "answer", "schema": output.schema}
    if output.description is not None:
        written["description"] = output.description
    # Where a schema does not say, it came from a protocol in which it always binds, or OpenAI's default holds.
    if output.strict is not None:
        written["strict"] = output.strict
    return written
