"""Streams as they are relayed: every event as it came, but for the usage that nobody asked for."""

from __future__ import annotations

import base64
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.doors.gateway.relaying.streams import Stream, comment
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.eventstream import encode_event, encode_exception
from turnout.upstream.http.errors import RemoteProtocolError

CHUNKS = [
    b'data: {"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"usage":null}\n\n',
    b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"He"}}],"usage":null}\n\n',
    b": a comment\n\n",
    b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"llo"},"finish_reason":"stop"}],"usage":null}\n\n',
    b'data: {"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n',
    b"data: [DONE]\n\n",
]


@given(st.lists(st.integers(0, sum(map(len, CHUNKS))), max_size=6), st.booleans())
def test_however_the_bytes_are_cut(places: list[int], drops: bool) -> None:
    whole = b"".join(CHUNKS)
    stream = Stream(WireProtocol.OPENAI_CHAT, drops_usage=drops)
    data, last = b"", b""
    cuts = [0, *sorted(places), len(whole)]
    for start, end in itertools.pairwise(cuts):
        part = stream.feed(whole[start:end])
        assert part.error is None
        assert not (last and part.data)
        data, last = data + part.data, last + part.last
    kept = [chunk for chunk in CHUNKS if not (drops and b'"choices":[]' in chunk)]
    assert data + last == b"".join(kept)
    assert last == CHUNKS[-1]
    assert stream.ended
    assert stream.reader.usage.output_tokens == 2
    assert stream.characters() == 5


def test_of_event_streams() -> None:
    frames = [
        encode_event("messageStart", b'{"role":"assistant"}'),
        encode_event("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"Hello"}}'),
        encode_event("messageStop", b'{"stopReason":"end_turn"}'),
        encode_event("metadata", b'{"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5}}'),
    ]
    stream = Stream(WireProtocol.CONVERSE)
    assert stream.feed(b"".join(frames[:2])).data == b"".join(frames[:2])
    before = stream.ended
    part = stream.feed(b"".join(frames[2:]))
    assert part.data + part.last == b"".join(frames[2:])
    assert (before, stream.ended) == (False, True)
    assert stream.characters() == 5


def test_an_error_in_a_stream() -> None:
    stream = Stream(WireProtocol.CONVERSE)
    raw = encode_exception("throttlingException", b'{"message":"slow"}')
    start = encode_event("messageStart", b'{"role":"assistant"}')
    part = stream.feed(start + raw)
    assert part.data == start
    assert part.error is not None
    assert part.error.raw == raw
    assert part.error.response["Error"]["Code"] == "throttlingException"


@pytest.mark.parametrize("protocol", [WireProtocol.CONVERSE, WireProtocol.OPENAI_CHAT, WireProtocol.ANTHROPIC])
def test_garbage(protocol: WireProtocol) -> None:
    with pytest.raises(RemoteProtocolError):
        Stream(protocol).feed(b"data: \xff\xfe\xfd\n\n" + bytes(range(200, 256)) * 4)


def test_characters_of_thinking_and_tools() -> None:
    stream = Stream(WireProtocol.ANTHROPIC)
    for delta in (
        {"type": "thinking_delta", "thinking": "abc"},
        {"type": "input_json_delta", "partial_json": '{"a"'},
        {"type": "text_delta", "text": "xy"},
        {"type": "signature_delta", "signature": "long and not said"},
    ):
        event = {"type": "content_block_delta", "index": 0, "delta": delta}
        stream.feed(b"event: content_block_delta\ndata: %b\n\n" % json.dumps(event).encode())
    assert stream.characters() == 3 + 4 + 2


def test_characters_of_responses() -> None:
    stream = Stream(WireProtocol.OPENAI_RESPONSES)
    for event in (
        {"type": "response.output_text.delta", "delta": "abc"},
        {"type": "response.function_call_arguments.delta", "delta": "{}"},
        {"type": "response.output_text.done", "text": "abc"},
    ):
        stream.feed(b"data: %b\n\n" % json.dumps(event).encode())
    assert stream.characters() == 5


def test_of_invoke_model() -> None:
    events: list[dict[str, object]] = [
        {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 3, "output_tokens": 1}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"outputTokenCount": 2}},
    ]
    frames = [
        encode_event("chunk", json.dumps({"bytes": base64.b64encode(json.dumps(one).encode()).decode()}).encode())
        for one in events
    ]
    stream = Stream(WireProtocol.INVOKE)
    part = stream.feed(b"".join(frames))
    assert (part.data, part.last) == (b"".join(frames[:3]), frames[3])
    assert (stream.ended, stream.characters(), stream.reader.usage.output_tokens) == (True, 5, 2)


def test_a_comment_is_one_line() -> None:
    assert comment({"a": "x\ny"}) == b': turnout {"a":"x\\ny"}\n\n'


def test_what_came_whole_before_broken_bytes_is_passed_on_first() -> None:
    stream = Stream(WireProtocol.OPENAI_CHAT)
    part = stream.feed(b"".join(CHUNKS[:4]) + b"data: {nothing\n\n" + CHUNKS[4])
    assert part.data + part.last == b"".join(CHUNKS[:4])
    assert stream.broken is not None
    assert stream.ended


@pytest.mark.parametrize("drops", [False, True])
def test_what_a_reader_does_not_look_at_may_be_unreadable(drops: bool) -> None:
    odd = b'data: {"choices":[%b],"usage":{},"x":"\xff"}\n\n'
    number = b'data: {"choices":[%b],"usage":{},"x":' + b"9" * 5_000 + b"}\n\n"
    for choices in (b"", b'{"index":0,"delta":{}}'):
        stream = Stream(WireProtocol.OPENAI_CHAT, drops_usage=drops)
        chunks = CHUNKS[1], odd % choices, number % choices
        kept = chunks[:1] if drops and not choices else chunks
        assert stream.feed(b"".join(chunks)).data == b"".join(kept)
        assert stream.characters() == 2


MESSAGES = [
    b'event: message_start\ndata: {"type":"message_start","message":{"model":"m","usage":{"input_tokens":3}}}\n\n',
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text"}}\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"text":"Hi"}}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":2}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
]


@pytest.mark.parametrize("protocol", [WireProtocol.OPENAI_CHAT, WireProtocol.ANTHROPIC])
def test_events_one_by_one_are_read_as_all_at_once(protocol: WireProtocol) -> None:
    events = CHUNKS if protocol is WireProtocol.OPENAI_CHAT else MESSAGES
    at_once, one_by_one = Stream(protocol), Stream(protocol)
    whole = at_once.feed(b"".join(events))
    parts = [one_by_one.feed(event) for event in events]
    assert b"".join(part.data for part in parts) == whole.data
    assert b"".join(part.last for part in parts) == whole.last
    assert one_by_one.ended
    assert at_once.ended
    assert one_by_one.reader.usage == at_once.reader.usage
    assert one_by_one.characters() == at_once.characters()


RESPONSES = [
    b"event: response.created\n"
    b'data: {"type":"response.created","sequence_number":0,"response":{"id":"r","model":"m"}}\n\n',
    b'data: {"type":"response.output_text.delta","sequence_number":1,"delta":"Hi"}\n\n',
    b'data: {"type":"response.output_item.done","sequence_number":2,"item":{"id":"i","type":"message"}}\n\n',
    b'data: {"type":"response.completed","sequence_number":3,"response":{"id":"r","model":"m","status":"completed",'
    b'"usage":{"input_tokens":3,"output_tokens":2}}}\n\n',
]
ODD = [
    b": a comment\n\n",
    b"data: {nothing\n\n",
    b'data: {"type":"content_block_delta","delta":{"text":" there"}}\n\n',
    b'data: {"type":"error","error":{"type":"overloaded_error"}}\n\n',
    b'data: {"type":"response.output_text.delta","delta":" there"}\n\ndata: {"type":"response.output_text.delta"}\n\n',
    b'data: {"choices":[{"index":1,"delta":{"content":" there"},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":" there"},"finish_reason":""}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":" there"}}],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":" th',
    b'ere"}}]}\n\n',
]
PROTOCOLS = {
    WireProtocol.OPENAI_CHAT: CHUNKS,
    WireProtocol.ANTHROPIC: MESSAGES,
    WireProtocol.OPENAI_RESPONSES: RESPONSES,
}


def read_of(stream: Stream, chunks: list[bytes], *, looks: bool) -> list[object]:
    """All that is known of a stream once these have come; ``looks``: each was looked at first for being only more."""
    passed: list[object] = []
    for chunk in chunks:
        if looks and stream.goes_on(chunk):
            passed.append(chunk)
            continue
        try:
            part = stream.feed(chunk)
        except RemoteProtocolError as error:
            passed.append(str(error))
            break
        passed += [one for one in (part.data, part.last) if one]
        if part.error is not None or stream.broken is not None:
            passed.append(str(part.error or stream.broken))
            break
    reader = stream.reader
    known = reader.finish_reason, reader.has_content, reader.served_model, reader.error, reader.complete, reader.ids
    return [*passed, known, reader.usage, getattr(reader, "sequence", None), stream.ended, stream.characters()]


@given(st.data(), st.sampled_from(list(PROTOCOLS)), st.booleans())
def test_what_is_only_more_is_read_as_all_else(data: st.DataObject, protocol: WireProtocol, drops: bool) -> None:
    usual = PROTOCOLS[protocol]
    drops = drops and protocol is WireProtocol.OPENAI_CHAT
    chunks = usual[: data.draw(st.integers(0, len(usual)))] + data.draw(
        st.lists(st.sampled_from([*usual, *ODD]), max_size=6)
    )
    one, other = Stream(protocol, drops_usage=drops), Stream(protocol, drops_usage=drops)
    assert read_of(one, chunks, looks=True) == read_of(other, chunks, looks=False)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_only_more(protocol: WireProtocol) -> None:
    stream, events = Stream(protocol), PROTOCOLS[protocol]
    more = next(event for event in events if b"delta" in event and b"H" in event)
    assert not stream.goes_on(more)  # it is the first content, of which more is to be said
    stream.feed(more)
    assert stream.goes_on(more)
    assert not stream.goes_on(events[-1])
