"""Answers of the Messages API as parts."""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.messages.translation import reasons
from turnout.messages.translation.parts import Alive, Block, Finish, Part
from turnout.messages.translation.sequence import Sequence
from turnout.messages.wire.malformed import MalformedStreamError


class _Content(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str = ""
    name: str = ""
    input: Any = None


class _Delta(msgspec.Struct):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    content_block: _Content | None = None
    delta: _Delta | None = None


class _Message(msgspec.Struct):
    content: list[_Content]
    stop_reason: str | None = None
    stop_sequence: str | None = None


_EVENT = msgspec.json.Decoder(_Event)
_MESSAGE = msgspec.json.Decoder(_Message)
_KINDS: dict[str, Any] = {"text": "text", "tool_use": "tool", "thinking": "thinking", "redacted_thinking": "redacted"}


class AnthropicParts:
    """Reads the events of a stream."""

    def __init__(self) -> None:
        self._blocks = Sequence()

    def feed(self, data: bytes) -> list[Part]:
        """Take the JSON of the next event.

        Raises:
            MalformedStreamError: It is none of this protocol.
        """
        if not data:
            return [Alive()]
        try:
            event = _EVENT.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise MalformedStreamError(f"a piece of {len(data)} bytes is no event of the Messages API") from None
        match event.type:
            case "content_block_start" if event.content_block is not None:
                return self._start(event.index, event.content_block)
            case "content_block_delta" if event.delta is not None:
                return self._delta(event.index, event.delta)
            case "content_block_stop":
                return self._blocks.stop(event.index)
            case "message_delta" if event.delta is not None and event.delta.stop_reason is not None:
                finish = Finish(reasons.from_anthropic(event.delta.stop_reason), event.delta.stop_sequence)
                return [*self._blocks.close(), finish]
            case "ping":
                return [Alive()]
        return []

    def _start(self, index: int, block: _Content) -> list[Part]:
        kind = _KINDS.get(block.type)
        if kind is None:
            return self._blocks.skip(index)
        parts = self._blocks.start(index, kind, block.id, block.name)
        said = block.text or block.thinking or block.data
        if kind == "tool" and block.input:
            said = msgspec.json.encode(block.input).decode()
        if said:
            parts += self._blocks.delta(index, said)
        if block.signature:
            parts += self._blocks.delta(index, block.signature, signature=True)
        return parts

    def _delta(self, index: int, delta: _Delta) -> list[Part]:
        said = delta.text or delta.thinking or delta.partial_json
        if said:
            return self._blocks.delta(index, said)
        return self._blocks.delta(index, delta.signature, signature=True) if delta.signature else []


def whole(data: bytes) -> tuple[list[Block], Finish]:
    """A whole answer.

    Raises:
        MalformedStreamError: It is none of this protocol.
    """
    try:
        message = _MESSAGE.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedStreamError(f"{len(data)} bytes are no answer of the Messages API") from None
    blocks = []
    for block in message.content:
        match block.type:
            case "text" if block.text:
                blocks.append(Block(kind="text", text=block.text))
            case "thinking":
                blocks.append(Block(kind="thinking", text=block.thinking or "", signature=block.signature or ""))
            case "redacted_thinking":
                blocks.append(Block(kind="redacted", text=block.data or ""))
            case "tool_use":
                if not isinstance(block.input, dict):
                    raise MalformedStreamError("the arguments of a tool call are no JSON object")
                blocks.append(Block(kind="tool", tool_id=block.id, name=block.name, arguments=block.input))
    return blocks, Finish(reasons.from_anthropic(message.stop_reason or ""), message.stop_sequence)
