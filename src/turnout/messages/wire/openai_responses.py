"""Bodies of OpenAI's Responses API: bytes to `Asked`.

Members are those of ``POST /v1/responses`` (openai 3.54, read 2026-11). Servers that speak this protocol know more of
them; those are relayed and named in `Asked.unknown`. A conversation is not written as such a body yet.

What the provider keeps is named in `Asked.held`: the response that this one follows (``previous_response_id``), the
conversation that it belongs to, stored items that it points at, a stored prompt. Only the account that keeps it can go
on from there.
"""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.messages.wire import openai_responses_read
from turnout.messages.wire.asked import (
    Asked,
    Controls,
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
_OBJECT = msgspec.json.Decoder(dict[str, Any] | None)
_CHOICE = msgspec.json.Decoder(str | dict[str, Any] | None)
_NAMED = msgspec.json.Decoder(str | dict[str, Any] | None)
_ANY = msgspec.json.Decoder(Any)

_UNDERSTOOD = frozenset(
    {
        "model",
        "input",
        "instructions",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "max_output_tokens",
        "stream",
        "temperature",
        "top_p",
        "text",
        "reasoning",
        "metadata",
        "user",
    }
)
_LEFT_OUT = frozenset(
    {
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "store",
        "stream_options",
    }
)
"""They name who asks, or say what the provider keeps and pads; the answer is the same without them."""

_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "background": (False,),
    "include": ([], ["reasoning.encrypted_content"]),
    "service_tier": ("auto", "default"),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
}
"""Members that ask for nothing where they have one of these values."""

_HELD = ("previous_response_id", "conversation", "prompt")
_FIXED = frozenset(
    {
        *_DEFAULTS,
        *_HELD,
        "access_programs",
        "background_options",
        "context_management",
        "image",
        "max_tool_calls",
        "moderation",
    }
)
"""They mean something in this protocol only."""

_KNOWN = _UNDERSTOOD | _LEFT_OUT | _FIXED
_NOT_SIMPLE = _LEFT_OUT | _FIXED


def decode(data: bytes, *, max_depth: int = MAX_DEPTH) -> Asked:
    """Read a body.

    Args:
        data: The body.
        max_depth: The most levels of nesting.

    Raises:
        MalformedBodyError: It is no JSON object, or a member does not have the API's shape. Items and tools are read
            later, but for the types of items.
    """
    body = Body(data, max_depth=max_depth)
    raws = body.raws
    model = decode_member(body, "model", _TEXT)
    if not model:
        raise MalformedBodyError("is missing", path="model")
    held = _held(body)
    if body.is_null("input") and not held:
        raise MalformedBodyError("is missing", path="input")
    notes = Notes()
    left_out: list[str] = []
    for name in raws:
        if name not in _NOT_SIMPLE or body.is_null(name):
            continue
        if name in _LEFT_OUT:
            left_out.append(name)
        elif decode_member(body, name, _ANY) not in _DEFAULTS.get(name, ()):
            notes.refuse(name)
    output, json_output = _output(body, notes) if "text" in raws else (None, False)
    controls = _controls(body, output, notes)
    metadata = texts_of(decode_member(body, "metadata", _OBJECT) or {}) if "metadata" in raws else {}
    logprobs = decode_member(body, "top_logprobs", _COUNT)
    return Asked(
        protocol=WireProtocol.OPENAI_RESPONSES,
        body=body,
        model=model,
        stream=bool(decode_member(body, "stream", _FLAG)),
        controls=controls,
        reader=openai_responses_read.read,
        parameters=(
            *set_parameters({"temperature": controls.temperature, "top_p": controls.top_p, "top_logprobs": logprobs}),
            *effort_parameters(controls.effort),
        ),
        json_output=json_output,
        has_tools="tools" in raws and len(raws["tools"]) > 2 and not body.is_null("tools"),
        session_id=session_of(metadata, controls.user),
        overrides=overrides_of(metadata),
        metadata=metadata,
        unknown=unknown_members(body, _KNOWN),
        left_out=tuple(left_out),
        fixed=tuple(notes.untranslatable),
        held=held,
    )


def _held(body: Body) -> tuple[str, ...]:
    """The ids of what the provider keeps, the one that says most of the model first."""
    found: list[str] = []
    for name in _HELD:
        if name not in body:
            continue
        value = decode_member(body, name, _NAMED)
        named = value.get("id") if isinstance(value, dict) else value
        if named is not None:
            if not isinstance(named, str) or not named:
                raise MalformedBodyError("must be an id, or an object that has one", path=name)
            found.append(named)
    return (*found, *openai_responses_read.stored_items(body))


def _controls(body: Body, output: OutputFormat | None, notes: Notes) -> Controls:
    effort = None
    if "reasoning" in body and (value := decode_member(body, "reasoning", _OBJECT)) is not None:
        reasoning = Fields(value, "reasoning", notes)
        effort = reasoning.take("effort", str)
        reasoning.rest()
    return Controls(
        max_output_tokens=decode_member(body, "max_output_tokens", _COUNT),
        temperature=decode_member(body, "temperature", _NUMBER),
        top_p=decode_member(body, "top_p", _NUMBER),
        tool_choice=_choice(body, notes) if "tool_choice" in body else None,
        parallel_tools=decode_member(body, "parallel_tool_calls", _FLAG),
        output=output,
        effort=effort,
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
        case {"type": "function", "name": str(name)}:
            return ToolChoice("tool", name)
    notes.refuse("tool_choice")
    # Tools of the provider's own and lists of allowed ones have no place elsewhere, but may force a call all the same.
    forced = isinstance(value, dict) and (value.get("type") != "allowed_tools" or value.get("mode") == "required")
    return ToolChoice("any") if forced else None


def _output(body: Body, notes: Notes) -> tuple[OutputFormat | None, bool]:
    """The schema of the answer, and whether it must be JSON at all."""
    value = decode_member(body, "text", _OBJECT)
    if value is None:
        return None, False
    text = Fields(value, "text", notes)
    chosen = text.inner("format")
    text.rest()
    if chosen is None:
        return None, False
    kind = chosen.need("type", str)
    if kind == "text":
        chosen.rest()
        return None, False
    if kind != "json_schema":
        notes.refuse(chosen.at("type"))
        return None, True
    output = OutputFormat(
        schema=chosen.left.pop("schema", None),
        name=chosen.need("name", str),
        description=chosen.take("description", str),
        strict=chosen.take("strict", bool),
    )
    if output.schema is None:
        notes.refuse(chosen.at("schema"))
    chosen.rest()
    return output, True
