"""Answers, whole or streamed, from one protocol to another.

Usage is what the reader of the provider's own events reports (`turnout.messages.wire.usage`); where a provider reports
none, the client's protocol has zeros, as it has no other way to say so. The bill does not rest on them.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from turnout.core.usage import Usage
from turnout.messages.translation import (
    read_anthropic,
    read_converse,
    read_openai,
    write_anthropic,
    write_converse,
    write_openai,
)
from turnout.messages.translation.parts import About, Alive, Block, BlockDelta, BlockStart, BlockStop, Finish, Part
from turnout.messages.wire import eventstream
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.eventstream import Frame
from turnout.messages.wire.malformed import MalformedStreamError
from turnout.messages.wire.media import decoded
from turnout.messages.wire.sse import SseEvent

_THINKING = ("thinking", "redacted")


def read_whole(source: WireProtocol, data: bytes) -> tuple[list[Block], Finish]:
    """Blocks of a provider's whole answer, and why it ended.

    Raises:
        MalformedStreamError: It is none of that protocol.
    """
    return _READ_WHOLE[source](data)


def write_whole(
    door: WireProtocol, blocks: list[Block], finish: Finish, usage: Usage | None, about: About, latency_ms: int = 0
) -> bytes:
    """A whole answer in a client's protocol."""
    if not about.keeps_thinking or door is WireProtocol.OPENAI_CHAT:
        blocks = [block for block in blocks if block.kind not in _THINKING]
    return _WRITE_WHOLE[door](blocks, finish, usage, about, latency_ms)


def answer(
    source: WireProtocol,
    door: WireProtocol,
    data: bytes,
    *,
    usage: Usage | None,
    about: About,
    latency_ms: int = 0,
) -> bytes:
    """A provider's whole answer in the client's protocol.

    Args:
        source: What the provider speaks.
        door: What the client speaks.
        data: The answer's body.
        usage: What it reports, if it does.
        about: What the answer says of itself.
        latency_ms: How long it took, for protocols that tell.

    Raises:
        MalformedStreamError: It is none of the provider's protocol, or a tool's arguments are no JSON object.
    """
    blocks, finish = read_whole(source, data)
    return write_whole(door, blocks, finish, usage, about, latency_ms)


class _Writer(Protocol):
    def write(self, part: Part) -> bytes: ...

    def end(self, usage: Usage | None, latency_ms: int) -> bytes: ...


class StreamTranslator:
    """A streamed answer on its way from one protocol to another; what it keeps does not grow with the stream.

    Args:
        source: What the provider speaks.
        door: What the client speaks.
        about: What the answer says of itself.
    """

    def __init__(self, source: WireProtocol, door: WireProtocol, about: About) -> None:
        self._read = _reader_of(source)
        self._writer = _writer_of(door, about)
        self._keeps_thinking = about.keeps_thinking and door is not WireProtocol.OPENAI_CHAT
        self._left_out: int | None = None
        self._shift = 0
        self._ended = False
        self.finished = False

    def feed(self, event: SseEvent | Frame) -> bytes:
        """The client's bytes of a provider's event; an error is none that this knows of.

        Raises:
            MalformedStreamError: The event is none of the provider's protocol.
        """
        if self._ended:
            return b""
        written = [self._write(part) for part in self._read(event)]
        return written[0] if len(written) == 1 else b"".join(written)

    def end(self, usage: Usage | None, latency_ms: int = 0) -> bytes:
        """The client's bytes of the stream's end, once; nothing where the answer has not come to its own.

        Args:
            usage: What the provider has reported, if it has.
            latency_ms: How long the answer took, for protocols that tell.
        """
        if self._ended or not self.finished:
            return b""
        self._ended = True
        return self._writer.end(usage, latency_ms)

    def _write(self, part: Part) -> bytes:
        match part:
            case BlockStart():
                if part.kind in _THINKING and not self._keeps_thinking:
                    self._left_out = part.index
                    self._shift += 1
                    return self._writer.write(Alive())
                part = BlockStart(part.index - self._shift, part.kind, part.tool_id, part.name)
            case BlockDelta():
                if part.index == self._left_out:
                    return self._writer.write(Alive())
                part = BlockDelta(part.index - self._shift, part.text, part.signature)
            case BlockStop():
                if part.index == self._left_out:
                    return b""
                part = BlockStop(part.index - self._shift)
            case Finish():
                if self.finished:
                    return b""
                self.finished = True
        return self._writer.write(part)


_READ_WHOLE: dict[WireProtocol, Callable[[bytes], tuple[list[Block], Finish]]] = {
    WireProtocol.OPENAI_CHAT: read_openai.whole,
    WireProtocol.ANTHROPIC: read_anthropic.whole,
    WireProtocol.INVOKE: read_anthropic.whole,
    WireProtocol.CONVERSE: read_converse.whole,
}
_WRITE_WHOLE: dict[WireProtocol, Callable[[list[Block], Finish, Usage | None, About, int], bytes]] = {
    WireProtocol.OPENAI_CHAT: write_openai.whole,
    WireProtocol.ANTHROPIC: write_anthropic.whole,
    WireProtocol.INVOKE: write_anthropic.whole,
    WireProtocol.CONVERSE: write_converse.whole,
}


def _reader_of(source: WireProtocol) -> Callable[[Any], list[Part]]:
    match source:
        case WireProtocol.OPENAI_CHAT:
            chunks = read_openai.OpenAIParts()
            return lambda event: chunks.feed(event.data)
        case WireProtocol.CONVERSE:
            frames = read_converse.ConverseParts()
            return lambda event: frames.feed(event.name, event.payload)
    events = read_anthropic.AnthropicParts()
    if source is WireProtocol.ANTHROPIC:
        return lambda event: events.feed(event.data)
    return lambda event: events.feed(_chunk_of(event))


def _writer_of(door: WireProtocol, about: About) -> _Writer:
    match door:
        case WireProtocol.OPENAI_CHAT:
            return write_openai.OpenAIWriter(about)
        case WireProtocol.ANTHROPIC:
            return write_anthropic.AnthropicWriter(about)
        case WireProtocol.INVOKE:
            return write_anthropic.AnthropicWriter(about, _chunk)
    return write_converse.ConverseWriter(about)


class _Chunk(msgspec.Struct):
    bytes: str


_CHUNK = msgspec.json.Decoder(_Chunk)


def _chunk_of(frame: Frame) -> bytes:
    """The event of the Messages API in a frame of InvokeModel."""
    if frame.name != "chunk":
        return b""
    try:
        held = decoded(_CHUNK.decode(frame.payload).bytes)
    except (msgspec.DecodeError, UnicodeDecodeError):
        held = None
    if held is None:
        raise MalformedStreamError("a frame is no chunk of InvokeModel")
    return held


def _chunk(name: str, value: dict[str, Any]) -> bytes:
    """An event of the Messages API in a frame of InvokeModel."""
    data = base64.b64encode(msgspec.json.encode({"type": name, **value})).decode()
    return eventstream.encode_event("chunk", msgspec.json.encode({"bytes": data}))
