"""Whole and streamed answers between every two protocols: what goes in comes out, however it is cut."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.messages.translation.support import (
    ABOUT,
    PROTOCOLS,
    answers,
    as_seen,
    events_of,
    parts_of,
    read_stream,
    stream_of,
    translated,
    usage_in,
    usages,
    whole_of,
)
from turnout.core.usage import Usage
from turnout.messages.translation.answers import StreamTranslator, answer, read_whole
from turnout.messages.translation.parts import About, Block, Finish
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.eventstream import EventStreamParser, encode_event
from turnout.messages.wire.malformed import MalformedStreamError
from turnout.messages.wire.sse import SseParser
from turnout.messages.wire.usage import reader_of

OPENAI, ANTHROPIC, CONVERSE, INVOKE = PROTOCOLS
PAIRS = [*itertools.permutations(PROTOCOLS[:3], 2), (OPENAI, INVOKE), (INVOKE, CONVERSE)]
pairs = pytest.mark.parametrize(("source", "door"), PAIRS, ids=[f"{one}-{two}" for one, two in PAIRS])


@pairs
@given(said=answers(), usage=usages)
def test_a_whole_answer_is_the_same_on_the_other_side(
    source: WireProtocol, door: WireProtocol, said: tuple[list[Block], Finish], usage: Usage
) -> None:
    blocks, finish = said
    data = answer(source, door, whole_of(source, blocks, finish, usage), usage=usage, about=ABOUT)
    assert read_whole(door, data) == (as_seen(door, as_seen(source, blocks)), finish)
    reader: Any = reader_of(door)
    reader.body(data)
    assert reader.usage == usage


@pairs
@given(said=answers(), usage=usages, pieces=st.integers(1, 9))
def test_a_stream_is_the_same_on_the_other_side(
    source: WireProtocol, door: WireProtocol, said: tuple[list[Block], Finish], usage: Usage, pieces: int
) -> None:
    blocks, finish = said
    events = events_of(source, stream_of(source, parts_of(as_seen(source, blocks), finish, pieces), usage))
    data, _, _ = translated(source, door, events)
    assert read_stream(door, data) == (as_seen(door, as_seen(source, blocks)), finish)
    assert usage_in(door, data) == usage


@pairs
@given(said=answers(), usage=usages, cuts=st.lists(st.integers(0, 4_000), max_size=6))
def test_however_a_stream_is_cut_the_same_comes_out(
    source: WireProtocol, door: WireProtocol, said: tuple[list[Block], Finish], usage: Usage, cuts: list[int]
) -> None:
    data = stream_of(source, parts_of(as_seen(source, said[0]), said[1]), usage)
    frames = source in (CONVERSE, INVOKE)
    parser: Any = EventStreamParser() if frames else SseParser()
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    events = []
    for start, end in itertools.pairwise([0, *ends]):
        events += parser.feed(data[start:end])
    assert translated(source, door, events)[0] == translated(source, door, events_of(source, data))[0]


@pairs
@settings(max_examples=25)
@given(said=answers(), usage=usages)
def test_wherever_a_stream_ends_early_no_client_takes_it_for_whole(
    source: WireProtocol, door: WireProtocol, said: tuple[list[Block], Finish], usage: Usage
) -> None:
    events = events_of(source, stream_of(source, parts_of(as_seen(source, said[0]), said[1]), usage))
    for length in range(len(events)):
        data, translator, reader = translated(source, door, events[:length])
        seen: Any = reader_of(door)
        for event in events_of(door, data):
            seen.feed(event)
        assert not seen.complete
        assert reader.finish_reason is not None or not translator.finished
        rest = translator.end(usage)
        assert bool(rest) == translator.finished
        assert translator.end(usage) == b""


def test_thinking_that_nobody_could_send_back_is_left_out() -> None:
    about = About(id="1", model="m", created_s=0)
    blocks = [Block(kind="thinking", text="hm"), Block(kind="text", text="Hello.")]
    usage = Usage(output_tokens=1)
    for source, door in ((CONVERSE, ANTHROPIC), (ANTHROPIC, CONVERSE), (ANTHROPIC, OPENAI)):
        data = answer(source, door, whole_of(source, blocks, Finish("end_turn"), usage), usage=usage, about=about)
        assert read_whole(door, data)[0] == [Block(kind="text", text="Hello.")]


def test_while_a_model_thinks_the_stream_shows_life() -> None:
    blocks = [Block(kind="thinking", text="hm", signature="c2ln"), Block(kind="text", text="Hello.")]
    events = events_of(ANTHROPIC, stream_of(ANTHROPIC, parts_of(blocks, Finish("end_turn")), Usage(output_tokens=1)))
    data, _, _ = translated(ANTHROPIC, OPENAI, events)
    assert b": keep-alive\n\n" in data
    assert read_stream(OPENAI, data)[0] == [Block(kind="text", text="Hello.")]


def test_without_a_report_clients_get_zeros() -> None:
    data = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    out, _, _ = translated(OPENAI, CONVERSE, events_of(OPENAI, data))
    assert json.loads(events_of(CONVERSE, out)[-1].payload)["usage"]["totalTokens"] == 0


def test_events_after_the_end_say_nothing() -> None:
    events = events_of(CONVERSE, stream_of(CONVERSE, parts_of([], Finish("end_turn")), Usage(output_tokens=1)))
    out, translator, _ = translated(CONVERSE, OPENAI, events)
    assert out.endswith(b"data: [DONE]\n\n")
    assert translator.feed(events[0]) == b""


def test_a_frame_that_is_no_chunk_of_invoke() -> None:
    parser = EventStreamParser()
    bad, other = parser.feed(encode_event("chunk", b'{"bytes":"!"}') + encode_event("other", b"{}"))
    assert translated(INVOKE, OPENAI, [other])[0] == b": keep-alive\n\n"
    with pytest.raises(MalformedStreamError):
        StreamTranslator(INVOKE, OPENAI, ABOUT).feed(bad)
