"""Frames of AWS event streams, held against botocore's decoder and the double's encoder."""

from __future__ import annotations

import contextlib
import itertools
import struct
from binascii import crc32
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from turnout.messages.wire.eventstream import (
    EventStreamParser,
    Frame,
    HeaderValue,
    encode_event,
    encode_exception,
    encode_frame,
)
from turnout.messages.wire.malformed import MalformedStreamError
from turnout.testing.bedrock import eventstream as double

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=10)
VALUES = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.binary(max_size=20)
    | st.text(st.characters(codec="utf-8"), max_size=10)
)
HEADERS = st.dictionaries(NAMES, VALUES, max_size=4)
FRAMES = st.lists(st.tuples(HEADERS, st.binary(max_size=60)), max_size=4)


@given(FRAMES)
def test_what_is_written_is_what_botocore_reads(frames: list[tuple[dict[str, HeaderValue], bytes]]) -> None:
    buffer: Any = EventStreamBuffer()
    for headers, payload in frames:
        buffer.add_data(encode_frame(headers, payload))
    assert [(message.headers, message.payload) for message in buffer] == frames


@given(FRAMES, st.lists(st.integers(0, 400), max_size=8))
def test_the_same_frames_however_the_bytes_are_cut(
    frames: list[tuple[dict[str, HeaderValue], bytes]], places: list[int]
) -> None:
    stream = b"".join(encode_frame(headers, payload) for headers, payload in frames)
    bounds = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    parser = EventStreamParser()
    found: list[Frame] = []
    for start, end in itertools.pairwise(bounds):
        found += parser.feed(stream[start:end])
    parser.close()
    assert [(dict(frame.headers), frame.payload) for frame in found] == frames
    assert b"".join(frame.raw for frame in found) == stream
    assert parser.pending == b""


@given(st.text("abcXYZ", min_size=1, max_size=20), st.binary(max_size=40))
def test_events_and_exceptions_are_those_of_the_double(name: str, payload: bytes) -> None:
    assert encode_event(name, payload) == double.event(name, payload)
    assert encode_exception(name, payload) == double.exception(name, payload)
    event, exception = EventStreamParser().feed(double.event(name, payload) + double.exception(name, payload))
    assert (event.kind, event.name, event.payload) == ("event", name, payload)
    assert (exception.kind, exception.name, exception.payload) == ("exception", name, payload)


def framed(headers: bytes, payload: bytes = b"") -> bytes:
    lengths = struct.pack("!II", 16 + len(headers) + len(payload), len(headers))
    message = lengths + struct.pack("!I", crc32(lengths)) + headers + payload
    return message + struct.pack("!I", crc32(message))


def test_every_type_of_header_is_read_as_botocore_reads_it() -> None:
    values = [
        b"\x00",
        b"\x01",
        b"\x02\xff",
        b"\x03\xff\xfe",
        b"\x04\xff\xff\xff\xfd",
        b"\x05" + struct.pack("!q", -(2**40)),
        b"\x06\x00\x02ab",
        b"\x07\x00\x02\xc3\xa9",
        b"\x08" + struct.pack("!q", 1_760_000_000_000),
        b"\x09" + bytes(range(16)),
    ]
    data = framed(b"".join(b"\x01" + bytes((65 + index,)) + value for index, value in enumerate(values)), b"p")
    (frame,) = EventStreamParser().feed(data)
    buffer: Any = EventStreamBuffer()
    buffer.add_data(data)
    (theirs,) = list(buffer)
    assert dict(frame.headers) == theirs.headers
    assert frame.payload == theirs.payload == b"p"
    assert (frame.kind, frame.name) == ("", "")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"HTTP/1.1 500 no stream", "the sum of a frame's lengths does not match"),
        (framed(b"")[:-1] + b"x", "the sum of a frame does not match"),
        (framed(b"\x01a\x07\x00\x09x"), "headers of a frame cannot be read"),
        (framed(b"\x01a\x0a"), "unknown type 10"),
        (framed(b"\x01a\x00\x01a\x00"), "a name stands twice"),
        (framed(b"\x05a"), "headers of a frame cannot be read"),
        (framed(b"\x01\xff\x00"), "headers of a frame cannot be read"),
        (framed(b"\x01a\x04\x00"), "headers of a frame cannot be read"),
        (framed(b"\x01a\x07\x00"), "headers of a frame cannot be read"),
    ],
)
def test_bytes_that_are_no_frames(data: bytes, problem: str) -> None:
    good = encode_event("metadata", b"{}")
    parser = EventStreamParser()
    assert len(parser.feed(good)) == 1
    with pytest.raises(MalformedStreamError, match=problem) as caught:
        parser.feed(data)
    assert caught.value.offset == len(good)


@pytest.mark.parametrize(("total", "head"), [(15, 0), (20, 5), (2**31, 0), (300_000, 200_000), (0, 0)])
def test_lengths_that_cannot_be(total: int, head: int) -> None:
    lengths = struct.pack("!II", total, head)
    with pytest.raises(MalformedStreamError, match=f"a frame of {total} bytes with {head} bytes of headers"):
        EventStreamParser().feed(lengths + struct.pack("!I", crc32(lengths)))


def test_no_frame_may_be_longer_than_the_limit() -> None:
    parser = EventStreamParser(max_frame_bytes=100)
    assert len(parser.feed(encode_frame({}, b"x" * 84))) == 1
    with pytest.raises(MalformedStreamError, match="a frame of 101 bytes"):
        parser.feed(encode_frame({}, b"x" * 85))


def test_a_stream_that_ends_within_a_frame() -> None:
    parser = EventStreamParser()
    data = encode_event("messageStop", b"{}")
    parser.feed(data + data[:20])
    assert parser.pending == data[:20]
    with pytest.raises(MalformedStreamError, match=f"ends within a frame .byte {len(data)} of the stream"):
        parser.close()


@given(FRAMES.filter(bool), st.data())
def test_a_changed_bit_is_noticed(frames: list[tuple[dict[str, HeaderValue], bytes]], data: st.DataObject) -> None:
    stream = bytearray(b"".join(encode_frame(headers, payload) for headers, payload in frames))
    stream[data.draw(st.integers(0, len(stream) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    parser = EventStreamParser()
    with pytest.raises(MalformedStreamError):
        parser.feed(bytes(stream))


@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    parser = EventStreamParser()
    with contextlib.suppress(MalformedStreamError):
        assert parser.feed(data) == []
        assert parser.pending == data


def test_headers_that_cannot_be_written() -> None:
    for headers in ({"": "a"}, {"n" * 256: "a"}, {"a": "x" * 65_536}, {"a": 2**63}):
        with pytest.raises(ValueError, match="header"):
            encode_frame(headers, b"")


def test_headers_that_repeat_are_read_once_and_only_so_many_are_remembered() -> None:
    parser = EventStreamParser()
    same = parser.feed(encode_event("a", b"1") + encode_event("a", b"2"))
    assert same[0].headers is same[1].headers
    for number in range(200):
        (frame,) = parser.feed(encode_event(f"e{number}", b""))
        assert frame.name == f"e{number}"
