"""A client's request in another protocol, or what of it has no place there.

A candidate that a request cannot be written for is not eligible; what would only be refused by its provider counts as
that, so that routing turns no good request into a 400. What is left out is harmless and listed in docs/gateway.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from turnout.core.catalog import Model
from turnout.core.parameters import stance
from turnout.messages.conversation import Conversation
from turnout.messages.portability import Protocol, carry
from turnout.messages.portability.protocols import TOOL_NAME
from turnout.messages.portability.thinking import claude_name
from turnout.messages.wire import anthropic, converse, invoke, openai_chat
from turnout.messages.wire.asked import Asked, Controls, Encoded, WireProtocol
from turnout.messages.wire.claude_parameters import claude_parameters
from turnout.messages.wire.fields import Notes, plain

TRANSLATED = frozenset({WireProtocol.OPENAI_CHAT, WireProtocol.ANTHROPIC, WireProtocol.CONVERSE, WireProtocol.INVOKE})
"""The protocols between which there is translation."""

MOST_OUTPUT = 32_000
"""The most output tokens that are asked for where a client sets no limit and the provider requires one."""

_FALLBACK_OUTPUT = 4_096
_MOST_REFUSALS = 3
_THINKS = re.compile(r"(gpt-5|o\d)")
_FORMS = {
    WireProtocol.OPENAI_CHAT: Protocol.OPENAI,
    WireProtocol.ANTHROPIC: Protocol.ANTHROPIC_CLAUDE,
    WireProtocol.INVOKE: Protocol.ANTHROPIC_CLAUDE,
    WireProtocol.CONVERSE: Protocol.BEDROCK_CLAUDE,
}


class _Schema(msgspec.Struct):
    type: Any = None


_SCHEMA = msgspec.json.Decoder(_Schema)


def request(
    asked: Asked, protocol: WireProtocol, source: Model | None, target: Model, decided: Iterable[str] = ()
) -> Encoded:
    """A request as the body of another protocol; asked again for the same models, it is not written again.

    Args:
        asked: What the client asks, in its own.
        protocol: What the target's provider speaks.
        source: The model that wrote the newest answer of the conversation; none where that is not known.
        target: The model that is asked.
        decided: The edits that the decision named (`turnout.core.decision.Decision.edits`).

    Returns:
        The body, with the kinds of what was written differently; or without one, and the first reasons why.

    Raises:
        MalformedBodyError: Messages, system or tools do not have the shape of the client's protocol.
    """
    controls = _decided(asked.controls, decided)
    if controls is not asked.controls:
        return _written(asked, controls, protocol, source, target)
    # A decision asks for each candidate, and then the one that was chosen is sent what was written for it.
    known: dict[Any, tuple[Model | None, Model, Encoded]] = asked.__dict__.setdefault("_written", {})
    key = protocol, None if source is None else source.id, target.id
    found = known.get(key)
    if found is None or found[0] is not source or found[1] is not target:
        found = known[key] = source, target, _written(asked, controls, protocol, source, target)
    return found[2]


def sent(
    asked: Asked, protocol: WireProtocol, source: Model | None, target: Model, decided: Iterable[str] = ()
) -> Encoded:
    """`request` for the candidate that is called; what was written for others is let go: an answer may take minutes."""
    encoded = request(asked, protocol, source, target, decided)
    asked.__dict__.pop("_written", None)
    return encoded


def _written(asked: Asked, controls: Controls, protocol: WireProtocol, source: Model | None, target: Model) -> Encoded:
    if refused := asked.untranslatable:
        return Encoded(body=None, refusals=_first(f"untranslatable:{path}" for path in refused))
    carried = carry(asked.conversation, source, target, form=_FORMS[protocol])
    if carried.history is None:
        return Encoded(body=None, refusals=_first(carried.refusals))
    notes = Notes()
    history = _fitted(carried.history, protocol, target, notes)
    controls = _controls(controls, protocol, target, history, notes)
    if notes.untranslatable:
        return Encoded(body=None, refusals=_first(f"untranslatable:{path}" for path in notes.untranslatable))
    encoded = _encoded(history, controls, protocol, target, stream=asked.stream)
    kinds = dict.fromkeys(edit.partition(":")[0] for edit in (*carried.edits, *notes.edits, *encoded.edits))
    return Encoded(body=encoded.body, edits=tuple(kinds), refusals=_first(encoded.refusals))


def takes_effort(model: Model, effort: str) -> bool:
    """Whether a model is known to take that reasoning effort; what is not known counts as refusing it."""
    if claude_name(model) is not None:
        names = claude_parameters(None, effort, manages_context=False)
        return all(stance(model, name) == "takes" for name in names)
    return model.provider == "openai" and _THINKS.match(model.model_id) is not None


def _encoded(
    history: Conversation, controls: Controls, protocol: WireProtocol, target: Model, *, stream: bool
) -> Encoded:
    limit = min(target.max_output_tokens or _FALLBACK_OUTPUT, MOST_OUTPUT)
    match protocol:
        case WireProtocol.OPENAI_CHAT:
            name = "max_completion_tokens" if target.provider == "openai" else "max_tokens"
            return openai_chat.encode(history, controls, model=target.model_id, stream=stream, limit_name=name)
        case WireProtocol.ANTHROPIC:
            return anthropic.encode(history, controls, model=target.model_id, stream=stream, default_max_tokens=limit)
        case WireProtocol.INVOKE:
            return invoke.encode(history, controls, default_max_tokens=limit)
    return converse.encode(history, controls)


def _decided(controls: Controls, decided: Iterable[str]) -> Controls:
    """The controls with the edits that a decision named."""
    changed: dict[str, Any] = {}
    for edit in decided:
        kind, _, detail = edit.partition(":")
        if kind == "drop_parameter" and detail in ("temperature", "top_p", "top_k"):
            changed[detail] = None
        elif kind == "drop_parameter" and detail.startswith(("thinking.", "effort")):
            changed[detail.partition(".")[0]] = None
        elif kind == "clamp_output" and controls.max_output_tokens is not None:
            changed["max_output_tokens"] = min(controls.max_output_tokens, int(detail))
    return msgspec.structs.replace(controls, **changed) if changed else controls


def _controls(
    controls: Controls, protocol: WireProtocol, target: Model, history: Conversation, notes: Notes
) -> Controls:
    """What is set beside the conversation, as the target takes it."""
    changed: dict[str, Any] = {}
    claude = claude_name(target) is not None
    if target.provider == "local" and controls.stop:
        notes.refuse("stop")
    if protocol is not WireProtocol.OPENAI_CHAT:
        if any(not text.strip() for text in controls.stop):
            notes.refuse("stop")
        if claude:
            changed = _sampling(controls, notes)
        else:
            for name in ("top_k", "thinking"):
                if getattr(controls, name) is not None:
                    notes.refuse(name)
    if controls.effort is not None and not takes_effort(target, controls.effort):
        notes.refuse("effort")
    if not history.tools and (controls.tool_choice is not None or controls.parallel_tools is not None):
        # They say nothing without tools, and not every provider passes over them.
        changed |= {"tool_choice": None, "parallel_tools": None}
    return msgspec.structs.replace(controls, **changed) if changed else controls


def _sampling(controls: Controls, notes: Notes) -> dict[str, Any]:
    """Claude takes a temperature or ``top_p``, not both; what says no more than the default need not be sent."""
    changed: dict[str, Any] = {}
    if controls.top_p == 1:
        changed["top_p"] = None
    elif controls.top_p is not None and controls.temperature is not None:
        if controls.temperature == 1:
            changed["temperature"] = None
        else:
            notes.refuse("top_p")
    return changed


def _fitted(history: Conversation, protocol: WireProtocol, target: Model, notes: Notes) -> Conversation:
    """Tools as the target takes them, and what it would refuse though it could be written."""
    if protocol is not WireProtocol.OPENAI_CHAT and not history.messages:
        notes.refuse("messages")
    if protocol is not WireProtocol.OPENAI_CHAT and not history.tools and _has_calls(history):
        notes.refuse("tools")
    _refuse_citations(history, notes)
    tools = [
        {"toolSpec": _tool(block["toolSpec"], protocol, target, f"tools.{index}.toolSpec", notes)}
        if "toolSpec" in block
        else block
        for index, block in enumerate(history.tools)
    ]
    if all(new is old for new, old in zip(tools, history.tools, strict=True)):
        return history
    return Conversation(messages=history.messages, system=history.system, tools=tools)


def _tool(spec: Mapping[str, Any], protocol: WireProtocol, target: Model, path: str, notes: Notes) -> dict[str, Any]:
    written = dict(spec)
    if not TOOL_NAME.fullmatch(str(spec.get("name", ""))):
        notes.refuse(f"{path}.name")
    if spec.get("description") == "":
        del written["description"]
    strict = spec.get("strict")
    if strict is not None and protocol is not WireProtocol.OPENAI_CHAT:
        if strict and not target.capabilities.structured_output:
            notes.refuse(f"{path}.strict")
        elif not strict:
            del written["strict"]
    schema = (spec.get("inputSchema") or {}).get("json")
    if not _is_typed(schema):
        whole = plain(schema)
        if isinstance(whole, dict):
            written["inputSchema"] = {"json": {"type": "object", **whole}}
            notes.edit("tool_schema_type", path)
        else:
            notes.refuse(f"{path}.inputSchema")
    return written


def _is_typed(schema: Any) -> bool:
    """Whether a tool's schema says that it is an object's, as Anthropic and Bedrock want it."""
    if type(schema) is not msgspec.Raw:
        return isinstance(schema, dict) and schema.get("type") == "object"
    try:
        return bool(_SCHEMA.decode(schema).type == "object")
    except msgspec.DecodeError:
        return False


def _has_calls(history: Conversation) -> bool:
    """Whether tools were called, which Claude and Bedrock then want defined."""
    return any("toolUse" in block for message in history.messages for block in message["content"])


def _refuse_citations(history: Conversation, notes: Notes) -> None:
    """Citations of an answer have no place between protocols, so nobody may ask for them."""
    for index, message in enumerate(history.messages):
        for number, block in enumerate(message["content"]):
            document = block.get("document") or block.get("searchResult") or {}
            if (document.get("citations") or {}).get("enabled"):
                notes.refuse(f"messages.{index}.content.{number}.citations")


def _first(refusals: Iterable[str]) -> tuple[str, ...]:
    """The first of them: a decision's event holds them."""
    return tuple(refusals)[:_MOST_REFUSALS]
