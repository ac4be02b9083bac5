"""Server-sent events: the same events however the bytes are cut, and every byte is some event's."""

from __future__ import annotations

import itertools
import re

import pytest
from anthropic._streaming import SSEDecoder
from hypothesis import given
from hypothesis import strategies as st

from turnout.messages.wire.malformed import MalformedStreamError
from turnout.messages.wire.sse import SseEvent, SseParser, encode_event

ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINES = st.one_of(
    st.binary(max_size=12).map(lambda data: b"data: " + re.sub(rb"[\r\n]", b".", data)),
    st.sampled_from(
        [b"event: a", b"event:b", b"id: 1", b"retry: 5", b": comment", b"data", b"data:x", b"other: y", b""]
    ),
)
STREAMS = st.lists(st.tuples(LINES, ENDS), max_size=12).map(lambda lines: b"".join(b"".join(line) for line in lines))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


def parsed(chunks: list[bytes]) -> tuple[list[SseEvent], bytes, str]:
    """All events, what was pending at the end, and the error of closing."""
    parser = SseParser()
    events = [event for chunk in chunks for event in parser.feed(chunk)]
    pending = parser.pending
    try:
        return events + parser.close(), pending, ""
    except MalformedStreamError as error:
        return events, pending, str(error)


@given(STREAMS, st.lists(st.integers(0, 200), max_size=8))
def test_the_same_events_however_the_bytes_are_cut(stream: bytes, places: list[int]) -> None:
    whole = parsed([stream])
    assert parsed(cut(stream, places)) == whole
    assert parsed([stream[place : place + 1] for place in range(len(stream))]) == whole


@given(STREAMS)
def test_every_byte_belongs_to_an_event_or_is_pending(stream: bytes) -> None:
    parser = SseParser()
    events = parser.feed(stream)
    assert b"".join(event.raw for event in events) + parser.pending == stream


@given(STREAMS)
def test_the_events_are_those_that_a_client_reads(stream: bytes) -> None:
    """The decoder of the anthropic client; it knows no data without a name before it, and no bytes but UTF-8."""
    stream = stream.decode("utf-8", "replace").encode() + b"\n\n"
    theirs = [(event.event or "", event.data) for event in SSEDecoder().iter_bytes(iter([stream])) if event.data]
    ours = [(event.event, event.data.decode()) for event in parsed([stream])[0] if event.data]
    assert ours == theirs


@given(st.lists(st.tuples(st.binary(max_size=30), st.sampled_from(["", "message_stop"])), max_size=4))
def test_what_is_written_reads_back(events: list[tuple[bytes, str]]) -> None:
    stream = b"".join(encode_event(data, name) for data, name in events)
    found, pending, _ = parsed([stream])
    assert [(re.sub(rb"\r\n|\r", b"\n", data), name) for data, name in events] == [(e.data, e.event) for e in found]
    assert pending == b""


def test_events_as_they_are() -> None:
    stream = b'\xef\xbb\xbfevent: ping\ndata: {"a":1}\n\n: keep-alive\n\ndata: a\ndata:  b\n\ndata\r\n\r\n'
    events, pending, error = parsed([stream])
    assert [(event.event, event.data) for event in events] == [
        ("ping", b'{"a":1}'),
        ("", b""),
        ("", b"a\n b"),
        ("", b""),
    ]
    assert events[1].raw == b": keep-alive\n\n"
    assert (pending, error) == (b"", "")


def test_one_whole_event_is_told_at_once() -> None:
    parser = SseParser()
    assert parser.only(b"data: a\n\n") == b"a"
    assert parser.only(b"event: ping\ndata: {}\n\n") == b"{}"
    assert parser.offset == 0
    for other in (b"data: a\n\ndata: b\n\n", b"data: a\n", b"data: a\r\n\r\n", b": note\n\n", b""):
        assert parser.only(other) is None
        assert parser.pending == b""
    parser.feed(b"data: a")
    assert parser.only(b"data: b\n\n") is None  # it belongs to what came before
    assert [event.data for event in parser.feed(b"\ndata: b\n\n")] == [b"a\nb"]


def test_a_carriage_return_at_the_end_of_a_chunk_may_be_half_a_line_end() -> None:
    parser = SseParser()
    assert parser.feed(b"data: a\r\n\r") == []
    assert [event.raw for event in parser.feed(b"\ndata: b\r\r")] == [b"data: a\r\n\r\n"]
    assert parser.pending == b"data: b\r\r"
    assert [event.data for event in parser.close()] == [b"b"]


def test_a_stream_that_ends_within_an_event() -> None:
    parser = SseParser()
    parser.feed(b"data: a\n\n")
    parser.feed(b"data: b\n")
    with pytest.raises(MalformedStreamError, match=re.escape("the stream ends within an event (byte 9 of the stream)")):
        parser.close()
    parser.feed(b"\r\n")
    assert parser.close() == []


def test_no_event_may_grow_beyond_the_limit() -> None:
    parser = SseParser(max_event_bytes=50)
    for _ in range(10):
        parser.feed(b"data: 12345678901234567890\n\n")
    parser.feed(b"data: " + b"1" * 44)
    with pytest.raises(MalformedStreamError, match="longer than 50 bytes"):
        parser.feed(b"1")


def test_a_type_that_is_no_text() -> None:
    with pytest.raises(MalformedStreamError, match="not UTF-8"):
        SseParser().feed(b"event: \xff\ndata: a\n\n")


def test_a_long_event_in_small_pieces_takes_no_longer_than_its_length() -> None:
    parser = SseParser()
    for _ in range(20_000):
        assert parser.feed(b"x" * 50) == []
    assert len(parser.feed(b"\n\n")[0].raw) == 1_000_002
