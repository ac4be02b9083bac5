"""Answers of every kind to draw from, and streams of them in every protocol."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from turnout.core.usage import Usage
from turnout.messages.translation.answers import StreamTranslator, _reader_of, _writer_of, write_whole
from turnout.messages.translation.parts import About, Block, BlockDelta, BlockStart, BlockStop, Finish, Part
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.eventstream import EventStreamParser
from turnout.messages.wire.sse import SseParser
from turnout.messages.wire.usage import reader_of

ABOUT = About(id="0192", model="some-model", created_s=1_793_491_200, keeps_thinking=True)
PROTOCOLS = (WireProtocol.OPENAI_CHAT, WireProtocol.ANTHROPIC, WireProtocol.CONVERSE, WireProtocol.INVOKE)

_texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | _texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts, inner, max_size=2),
    max_leaves=4,
)
_ids = st.text("abcdefABCDEF0123456789", min_size=20, max_size=24).map(lambda text: f"call_{text}")
_tools = st.builds(
    Block,
    kind=st.just("tool"),
    tool_id=_ids,
    name=st.sampled_from(["weather", "time"]),
    arguments=st.dictionaries(_texts, _values, max_size=2),
)
_said = st.builds(Block, kind=st.just("text"), text=_texts)
_thought = st.builds(Block, kind=st.just("thinking"), text=_texts, signature=st.just("c2ln"))
_hidden = st.builds(
    Block,
    kind=st.just("redacted"),
    text=st.binary(min_size=1, max_size=9).map(lambda one: base64.b64encode(one).decode()),
)


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[Block], Finish]:
    """Blocks as models give them: thinking, text, then calls; and the reason that goes with them."""
    blocks = draw(st.lists(st.one_of(_thought, _hidden), max_size=2))
    blocks += draw(st.lists(_said, max_size=1))
    calls = draw(st.lists(_tools, max_size=3))
    reason = "tool_use" if calls else draw(st.sampled_from(["end_turn", "max_tokens", "content_filtered"]))
    return [*blocks, *calls], Finish(reason)


usages = st.builds(
    Usage,
    input_tokens=st.integers(0, 9_999),
    cache_read_tokens=st.integers(0, 9_999),
    cache_write_5m_tokens=st.integers(0, 999),
    output_tokens=st.integers(1, 999),
)


def parts_of(blocks: Iterable[Block], finish: Finish, pieces: int = 3) -> list[Part]:
    """The stream of an answer, each text in pieces of so many characters."""
    parts: list[Part] = []
    for index, block in enumerate(blocks):
        said = json.dumps(block.arguments, ensure_ascii=False) if block.kind == "tool" else block.text
        parts.append(BlockStart(index, block.kind, block.tool_id, block.name))
        step = len(said) if block.kind == "redacted" else pieces
        parts += [BlockDelta(index, said[at : at + step]) for at in range(0, len(said), step)]
        if block.signature:
            parts.append(BlockDelta(index, block.signature, True))
        parts.append(BlockStop(index))
    return [*parts, finish]


def folded(parts: Iterable[Part]) -> tuple[list[Block], Finish | None]:
    """The answer of a stream; its order is checked."""
    blocks: list[Block] = []
    opened: BlockStart | None = None
    finish: Finish | None = None
    text = signature = ""
    for part in parts:
        assert finish is None
        match part:
            case BlockStart():
                assert opened is None
                assert part.index == len(blocks)
                opened, text, signature = part, "", ""
            case BlockDelta():
                assert opened is not None
                assert part.index == opened.index
                text, signature = (text, signature + part.text) if part.signature else (text + part.text, signature)
            case BlockStop():
                assert opened is not None
                assert part.index == opened.index
                blocks.append(_block(opened, text, signature))
                opened = None
            case Finish():
                assert opened is None
                finish = part
    return blocks, finish


def _block(start: BlockStart, text: str, signature: str) -> Block:
    if start.kind == "tool":
        return Block(kind="tool", tool_id=start.tool_id, name=start.name, arguments=json.loads(text or "{}"))
    return Block(kind=start.kind, text=text, signature=signature)


def events_of(protocol: WireProtocol, data: bytes) -> list[Any]:
    """The events of a stream."""
    parser: Any = SseParser() if protocol in (WireProtocol.OPENAI_CHAT, WireProtocol.ANTHROPIC) else EventStreamParser()
    events: list[Any] = parser.feed(data)
    parser.close()
    return events


def stream_of(protocol: WireProtocol, parts: Iterable[Part], usage: Usage) -> bytes:
    """A stream in a protocol."""
    writer = _writer_of(protocol, ABOUT)
    return b"".join([writer.write(part) for part in parts]) + writer.end(usage, 5)


def read_stream(protocol: WireProtocol, data: bytes) -> tuple[list[Block], Finish | None]:
    """The answer of a stream in a protocol."""
    read = _reader_of(protocol)
    return folded(part for event in events_of(protocol, data) for part in read(event))


def usage_in(protocol: WireProtocol, data: bytes) -> Usage | None:
    """What a stream reports."""
    reader: Any = reader_of(protocol)
    for event in events_of(protocol, data):
        reader.feed(event)
    assert reader.complete
    usage: Usage | None = reader.usage
    return usage


def translated(source: WireProtocol, door: WireProtocol, events: Iterable[Any]) -> tuple[bytes, StreamTranslator, Any]:
    """A stream from one protocol in another, with what it has become."""
    translator, reader = StreamTranslator(source, door, ABOUT), reader_of(source)
    out = []
    for event in events:
        reader.feed(event)
        out.append(translator.feed(event))
        if reader.complete:
            out.append(translator.end(reader.usage))
    return b"".join(out), translator, reader


def as_seen(door: WireProtocol, blocks: Iterable[Block]) -> list[Block]:
    """What a door can hold of them."""
    return [block for block in blocks if door is not WireProtocol.OPENAI_CHAT or block.kind in ("text", "tool")]


def whole_of(protocol: WireProtocol, blocks: list[Block], finish: Finish, usage: Usage) -> bytes:
    """A whole answer in a protocol."""
    return write_whole(protocol, blocks, finish, usage, ABOUT)
