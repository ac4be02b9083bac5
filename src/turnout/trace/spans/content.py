"""Prompts and answers in spans, for those who turned them on: noted as they pass, written off the caller's path.

The form is that of the GenAI conventions: messages with parts, as JSON. Bytes of images and documents are never kept.

Known limitation: messages are not copied when a call begins; an application that changes one in place before its span
is built changes it here too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from turnout.messages.conversation import Conversation
from turnout.trace.spans import semconv

logger = logging.getLogger(__name__)

Redact = Callable[[str], str]
"""A redaction hook: takes a text and gives what may be kept of it."""

FAILED = "[redaction failed]"
"""What stands for a text whose redaction failed: the text itself must not."""

_MEDIA = ("image", "document", "video", "audio")
_ANSWER = frozenset({"contentBlockStart", "contentBlockDelta", "contentBlockStop"})


def redacted(text: str, hooks: Sequence[Redact]) -> str:
    """The text as all hooks leave it, in their order."""
    for hook in hooks:
        try:
            text = hook(text)
        except Exception as error:
            # Its message may quote the text.
            logger.error("hook=<%s>, error=<%s> | a redaction hook failed", _name_of(hook), type(error).__name__)
            return FAILED
    return text


def redacted_json(text: str, hooks: Sequence[Redact]) -> str:
    """The same, for each text within a JSON document; a text that is no JSON is redacted as a whole."""
    if not hooks:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return redacted(text, hooks)
    if isinstance(value, dict | list):
        return _json(_redacted_value(value, hooks))
    return redacted(text, hooks)


class Transcript:
    """Prompt and answer of one call.

    Args:
        conversation: The prompt.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._system = list(conversation.system)
        self._messages = list(conversation.messages)
        self._tools = list(conversation.tools)
        self._answer: list[dict[str, Any]] = []

    def add(self, event: Mapping[str, Any]) -> None:
        """Note an event of a Converse stream, if it belongs to the answer."""
        if not _ANSWER.isdisjoint(event):
            self._answer.append(dict(event))

    def attributes(self, finish_reason: str, hooks: Sequence[Redact]) -> dict[str, str]:
        """The span attributes that hold it."""
        output = {"role": "assistant", "parts": _parts(_answer_blocks(self._answer), hooks)}
        if finish_reason:
            output["finish_reason"] = finish_reason
        messages = [{"role": one["role"], "parts": _parts(one["content"], hooks)} for one in self._messages]
        attributes = {semconv.INPUT_MESSAGES: _json(messages), semconv.OUTPUT_MESSAGES: _json([output])}
        if self._system:
            attributes[semconv.SYSTEM_INSTRUCTIONS] = _json(_parts(self._system, hooks))
        if self._tools:
            attributes[semconv.TOOL_DEFINITIONS] = _json(_redacted_value([_tool(one) for one in self._tools], hooks))
        return attributes


def _parts(blocks: Iterable[Mapping[str, Any]], hooks: Sequence[Redact]) -> list[dict[str, Any]]:
    return [part for block in blocks for part in _part(block, hooks)]


def _part(block: Mapping[str, Any], hooks: Sequence[Redact]) -> Iterable[dict[str, Any]]:
    for kind, value in block.items():
        if kind == "text":
            yield {"type": "text", "content": redacted(str(value), hooks)}
        elif kind == "reasoningContent":
            text = (value.get("reasoningText") or {}).get("text", "")
            yield {"type": "reasoning", "content": redacted(text, hooks)}
        elif kind == "toolUse":
            arguments = _redacted_value(value.get("input"), hooks)
            yield {"type": "tool_call", "id": value.get("toolUseId"), "name": value.get("name"), "arguments": arguments}
        elif kind == "toolResult":
            response = _parts(value.get("content", []), hooks)
            yield {"type": "tool_call_response", "id": value.get("toolUseId"), "response": response}
        elif kind == "json":
            yield {"type": "json", "content": _redacted_value(value, hooks)}
        elif kind in _MEDIA:
            yield {"type": "blob", "modality": kind}


def _tool(block: Mapping[str, Any]) -> Any:
    """A tool in the form of the conventions; what is none stays as it is."""
    # The gateway leaves schemas as raw JSON.
    plain = msgspec.json.decode(msgspec.json.encode(block, enc_hook=lambda other: f"<{type(other).__name__}>"))
    spec = plain.get("toolSpec")
    if not isinstance(spec, Mapping):
        return plain
    written = {"type": "function", "name": spec.get("name"), "parameters": (spec.get("inputSchema") or {}).get("json")}
    return {**written, **({"description": spec["description"]} if spec.get("description") else {})}


def _answer_blocks(events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The blocks that a stream's events make; blocks follow one another, and not all models number them."""
    blocks: list[dict[str, Any]] = [{}]
    for event in events:
        if "contentBlockDelta" in event:
            _grow(blocks[-1], event["contentBlockDelta"].get("delta") or {})
            continue
        if blocks[-1]:
            blocks.append({})
        use = ((event.get("contentBlockStart") or {}).get("start") or {}).get("toolUse")
        if use is not None:
            blocks[-1]["toolUse"] = {"toolUseId": use.get("toolUseId"), "name": use.get("name"), "input": ""}
    for block in blocks:
        if "toolUse" in block:
            block["toolUse"]["input"] = _parsed(block["toolUse"]["input"])
    return [block for block in blocks if block]


def _grow(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    if "text" in delta:
        block["text"] = block.get("text", "") + delta["text"]
    elif "toolUse" in delta:
        use = block.setdefault("toolUse", {"input": ""})
        use["input"] += delta["toolUse"].get("input", "")
    elif "text" in (reasoning := delta.get("reasoningContent") or {}):
        kept = block.setdefault("reasoningContent", {"reasoningText": {"text": ""}})
        kept["reasoningText"]["text"] += reasoning["text"]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _redacted_value(value: Any, hooks: Sequence[Redact]) -> Any:
    """A JSON value with each of its texts redacted, keys apart."""
    if isinstance(value, str):
        return redacted(value, hooks)
    if isinstance(value, Mapping):
        return {key: _redacted_value(item, hooks) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted_value(item, hooks) for item in value]
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda other: f"<{type(other).__name__}>")


def _name_of(hook: Redact) -> str:
    return getattr(hook, "__name__", type(hook).__name__)
