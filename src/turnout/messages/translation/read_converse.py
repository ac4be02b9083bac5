"""Answers of Converse and ConverseStream as parts.

Blocks of text have no start event there, and reasoning has none either: their first delta begins them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.messages.translation import reasons
from turnout.messages.translation.parts import Block, BlockKind, Finish, Part
from turnout.messages.translation.sequence import Sequence
from turnout.messages.wire.malformed import MalformedStreamError


class _ToolUse(msgspec.Struct):
    toolUseId: str = ""
    name: str = ""
    input: Any = None


class _Text(msgspec.Struct):
    text: str = ""
    signature: str | None = None


class _Reasoning(msgspec.Struct):
    text: str | None = None
    signature: str | None = None
    redactedContent: str | None = None
    reasoningText: _Text | None = None


class _Content(msgspec.Struct):
    text: str | None = None
    toolUse: _ToolUse | None = None
    reasoningContent: _Reasoning | None = None
    citationsContent: dict[str, Any] | None = None


class _Event(msgspec.Struct):
    contentBlockIndex: int = 0
    start: _Content | None = None
    delta: _Content | None = None
    stopReason: str | None = None


class _Said(msgspec.Struct):
    content: list[_Content]


class _Output(msgspec.Struct):
    message: _Said


class _Answer(msgspec.Struct):
    output: _Output
    stopReason: str = ""


_EVENT = msgspec.json.Decoder(_Event)
_ANSWER = msgspec.json.Decoder(_Answer)


class ConverseParts:
    """Reads the events of a stream."""

    def __init__(self) -> None:
        self._blocks = Sequence()

    def feed(self, name: str, data: bytes) -> list[Part]:
        """Take the type and the JSON of the next event.

        Raises:
            MalformedStreamError: It is none of this protocol.
        """
        if name not in ("contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop"):
            return []
        try:
            event = _EVENT.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise MalformedStreamError(f"a piece of {len(data)} bytes is no event of ConverseStream") from None
        index = event.contentBlockIndex
        if name == "contentBlockStop":
            return self._blocks.stop(index)
        if name == "messageStop":
            return [*self._blocks.close(), Finish(reasons.from_converse(event.stopReason or ""))]
        if name == "contentBlockStart":
            if event.start is None or event.start == _EMPTY:
                return []
            if event.start.toolUse is None:
                return self._blocks.skip(index)
            return self._blocks.start(index, "tool", event.start.toolUse.toolUseId, event.start.toolUse.name)
        return [] if event.delta is None else self._delta(index, event.delta)

    def _delta(self, index: int, delta: _Content) -> list[Part]:
        if delta.toolUse is not None:
            said = delta.toolUse.input
            return self._blocks.delta(index, said) if isinstance(said, str) and said else []
        reasoning = delta.reasoningContent
        if reasoning is None:
            return self._said(index, "text", delta.text)
        if reasoning.redactedContent is not None:
            return self._said(index, "redacted", reasoning.redactedContent)
        parts = self._said(index, "thinking", reasoning.text)
        if reasoning.signature:
            parts += self._said(index, "thinking", reasoning.signature, signature=True)
        return parts

    def _said(self, index: int, kind: BlockKind, text: str | None, *, signature: bool = False) -> list[Part]:
        if not text:
            return []
        parts = [] if self._blocks.is_open(index) else self._blocks.start(index, kind)
        return [*parts, *self._blocks.delta(index, text, signature=signature)]


_EMPTY = _Content()


def whole(data: bytes) -> tuple[list[Block], Finish]:
    """A whole answer.

    Raises:
        MalformedStreamError: It is none of this protocol.
    """
    try:
        answer = _ANSWER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedStreamError(f"{len(data)} bytes are no answer of Converse") from None
    blocks = []
    for content in answer.output.message.content:
        if content.text:
            blocks.append(Block(kind="text", text=content.text))
        elif content.toolUse is not None:
            use = content.toolUse
            if not isinstance(use.input, dict):
                raise MalformedStreamError("the arguments of a tool call are no JSON object")
            blocks.append(Block(kind="tool", tool_id=use.toolUseId, name=use.name, arguments=use.input))
        elif content.citationsContent is not None:
            parts = content.citationsContent.get("content") or []
            text = "".join(part.get("text", "") for part in parts if isinstance(part, dict))
            if text:
                blocks.append(Block(kind="text", text=text))
        elif (reasoning := content.reasoningContent) is not None:
            if reasoning.redactedContent is not None:
                blocks.append(Block(kind="redacted", text=reasoning.redactedContent))
            elif reasoning.reasoningText is not None:
                held = reasoning.reasoningText
                blocks.append(Block(kind="thinking", text=held.text, signature=held.signature or ""))
    return blocks, Finish(reasons.from_converse(answer.stopReason))
