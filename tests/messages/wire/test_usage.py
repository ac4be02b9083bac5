"""Usage, end and served model of answers, streamed and not, in the words of each protocol."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from turnout.core.usage import Usage, UsageError
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.eventstream import EventStreamParser, encode_event, encode_exception, encode_frame
from turnout.messages.wire.malformed import MalformedStreamError
from turnout.messages.wire.sse import SseParser
from turnout.messages.wire.sse import encode_event as encode_sse
from turnout.messages.wire.usage import reader_of

ANTHROPIC_EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-x",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {
                "input_tokens": 10,
                "cache_read_input_tokens": 400,
                "cache_creation_input_tokens": 300,
                "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
                "output_tokens": 1,
                "service_tier": "standard",
            },
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "y\u00e9s"}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    },
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"a"'}},
    {"type": "content_block_stop", "index": 2},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {
            "output_tokens": 50,
            "output_tokens_details": {"thinking_tokens": 20},
            "cache_read_input_tokens": None,
        },
    },
    {"type": "message_stop"},
]
ANTHROPIC_USAGE = Usage(
    input_tokens=10,
    cache_read_tokens=400,
    cache_write_5m_tokens=100,
    cache_write_1h_tokens=200,
    output_tokens=50,
    reasoning_tokens=20,
)

CHUNK: dict[str, Any] = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-x-2026"}
OPENAI_EVENTS: list[dict[str, Any]] = [
    {**CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
    {**CHUNK, "choices": [{"index": 0, "delta": {"content": "yes"}, "finish_reason": None}], "obfuscation": "x"},
    {
        **CHUNK,
        "choices": [
            {
                "index": 0,
                "delta": {"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": ""}}]},
                "finish_reason": None,
            }
        ],
    },
    {**CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}], "usage": None},
    {
        **CHUNK,
        "choices": [],
        "usage": {
            "prompt_tokens": 1000,
            "completion_tokens": 60,
            "total_tokens": 1060,
            "prompt_tokens_details": {"cached_tokens": 896, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 40},
        },
    },
]
OPENAI_USAGE = Usage(input_tokens=104, cache_read_tokens=896, output_tokens=60, reasoning_tokens=40)

CONVERSE_EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("messageStart", {"role": "assistant", "p": "abc"}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": ""}}),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "yes"}}),
    ("contentBlockStop", {"contentBlockIndex": 0}),
    ("contentBlockStart", {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}}),
    ("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": "{}"}}}),
    ("contentBlockStop", {"contentBlockIndex": 1}),
    ("messageStop", {"stopReason": "tool_use"}),
    (
        "metadata",
        {
            "usage": {
                "inputTokens": 10,
                "outputTokens": 50,
                "totalTokens": 760,
                "cacheReadInputTokens": 400,
                "cacheWriteInputTokens": 300,
                "cacheDetails": [{"inputTokens": 100, "ttl": "5m"}, {"inputTokens": 200, "ttl": "1h"}],
            },
            "metrics": {"latencyMs": 5},
            "trace": {"promptRouter": {"invokedModelId": "arn:x"}},
        },
    ),
]
CONVERSE_USAGE = Usage(
    input_tokens=10, cache_read_tokens=400, cache_write_5m_tokens=100, cache_write_1h_tokens=200, output_tokens=50
)


def chunk_of(event: dict[str, Any]) -> bytes:
    """An event of Claude as InvokeModel frames it."""
    held = {"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abcd"}
    return encode_event("chunk", json.dumps(held).encode())


STREAMS: dict[WireProtocol, list[bytes]] = {
    WireProtocol.ANTHROPIC: [
        *(encode_sse(json.dumps(event).encode(), event["type"]) for event in ANTHROPIC_EVENTS[:3]),
        encode_sse(b'{"type": "ping"}', "ping"),
        *(encode_sse(json.dumps(event).encode(), event["type"]) for event in ANTHROPIC_EVENTS[3:]),
    ],
    WireProtocol.OPENAI_CHAT: [
        b": keep-alive\n\n",
        *(encode_sse(json.dumps(event).encode()) for event in OPENAI_EVENTS),
        encode_sse(b"[DONE]"),
    ],
    WireProtocol.CONVERSE: [encode_event(name, json.dumps(event).encode()) for name, event in CONVERSE_EVENTS],
    WireProtocol.INVOKE: [chunk_of(event) for event in ANTHROPIC_EVENTS],
}
EXPECTED: dict[WireProtocol, tuple[Usage, str | None, str]] = {
    WireProtocol.ANTHROPIC: (ANTHROPIC_USAGE, "claude-x", "tool_use"),
    WireProtocol.OPENAI_CHAT: (OPENAI_USAGE, "gpt-x-2026", "tool_calls"),
    WireProtocol.CONVERSE: (CONVERSE_USAGE, "arn:x", "tool_use"),
    WireProtocol.INVOKE: (ANTHROPIC_USAGE, "claude-x", "tool_use"),
}
PROTOCOLS = list(STREAMS)


def read(protocol: WireProtocol, chunks: list[bytes]) -> Any:
    """A reader that was given a stream in such pieces."""
    reader: Any = reader_of(protocol)
    parser = EventStreamParser() if protocol in (WireProtocol.CONVERSE, WireProtocol.INVOKE) else SseParser()
    for chunk in chunks:
        for event in parser.feed(chunk):
            reader.feed(event)
    parser.close()
    return reader


def test_the_events_are_what_the_clients_know() -> None:
    events: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    for event in ANTHROPIC_EVENTS:
        assert events.validate_python(event).type == event["type"]
    for chunk in OPENAI_EVENTS:
        assert ChatCompletionChunk.model_validate(chunk).model == "gpt-x-2026"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_stream_is_read_to_its_end(protocol: WireProtocol) -> None:
    reader = read(protocol, STREAMS[protocol])
    assert (reader.usage, reader.served_model, reader.finish_reason) == EXPECTED[protocol]
    assert (reader.has_content, reader.complete, reader.error) == (True, True, None)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(places=st.lists(st.integers(0, 6000), max_size=12))
def test_the_same_is_read_however_the_bytes_are_cut(protocol: WireProtocol, places: list[int]) -> None:
    stream = b"".join(STREAMS[protocol])
    bounds = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    reader = read(protocol, [stream[start:end] for start, end in itertools.pairwise(bounds)])
    assert (reader.usage, reader.served_model, reader.finish_reason) == EXPECTED[protocol]


@pytest.mark.parametrize(
    ("protocol", "with_content", "complete"),
    [
        (WireProtocol.ANTHROPIC, 3, 14),
        (WireProtocol.OPENAI_CHAT, 3, 7),
        (WireProtocol.CONVERSE, 3, 9),
        (WireProtocol.INVOKE, 3, 13),
    ],
)
def test_when_content_begins_and_the_answer_is_complete(
    protocol: WireProtocol, with_content: int, complete: int
) -> None:
    pieces = STREAMS[protocol]
    seen = [read(protocol, pieces[:count]) for count in range(len(pieces) + 1)]
    assert [reader.has_content for reader in seen].index(True) == with_content
    assert [reader.complete for reader in seen].index(True) == complete == len(pieces)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_stream_that_breaks_off_is_not_complete(protocol: WireProtocol) -> None:
    stream = b"".join(STREAMS[protocol])
    with pytest.raises(MalformedStreamError, match="ends within"):
        read(protocol, [stream[:-5]])
    assert not read(protocol, STREAMS[protocol][:2]).complete
    assert read(protocol, []).usage is None


def test_errors_within_streams_have_a_name_and_no_message() -> None:
    overloaded = encode_sse(b'{"type":"error","error":{"type":"overloaded_error","message":"secret"}}', "error")
    assert read(WireProtocol.ANTHROPIC, [overloaded]).error == "overloaded_error"
    assert read(WireProtocol.ANTHROPIC, [encode_sse(b'{"type":"error"}')]).error == "error"
    failed = encode_sse(b'{"error":{"message":"secret","type":"server_error","code":"x"}}')
    assert read(WireProtocol.OPENAI_CHAT, [failed]).error == "server_error"
    assert read(WireProtocol.OPENAI_CHAT, [encode_sse(b'{"error":{"code":"c"}}')]).error == "c"
    assert read(WireProtocol.OPENAI_CHAT, [encode_sse(b'{"error":"secret"}')]).error == "error"
    throttled = encode_exception("throttlingException", b'{"message":"secret"}')
    assert read(WireProtocol.CONVERSE, [throttled]).error == "throttlingException"
    assert read(WireProtocol.INVOKE, [throttled]).error == "throttlingException"
    odd = encode_frame({":message-type": "error", ":error-code": "Odd", ":error-message": "secret"}, b"")
    assert read(WireProtocol.CONVERSE, [odd]).error == "Odd"


def test_totals_that_a_server_reports_in_every_chunk() -> None:
    chunks = [
        encode_sse(json.dumps({**CHUNK, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": n}}).encode())
        for n in (1, 2, 3)
    ]
    assert read(WireProtocol.OPENAI_CHAT, chunks).usage == Usage(input_tokens=9, output_tokens=3)


@pytest.mark.parametrize(
    ("split", "later", "expected"),
    [
        ({"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 0}, 9, (9, 0)),
        ({"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 5}, 9, (0, 9)),
        ({"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3}, 9, (6, 3)),
        (None, 9, (9, 0)),
    ],
)
def test_writes_that_come_later_keep_the_split(
    split: dict[str, int] | None, later: int, expected: tuple[int, int]
) -> None:
    usage = {"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 5, "cache_creation": split}
    start = {"type": "message_start", "message": {"usage": usage}}
    delta = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 4, "input_tokens": 3, "cache_creation_input_tokens": later},
    }
    reader = read(WireProtocol.ANTHROPIC, [encode_sse(json.dumps(event).encode()) for event in (start, delta)])
    assert reader.usage == Usage(
        input_tokens=3, output_tokens=4, cache_write_5m_tokens=expected[0], cache_write_1h_tokens=expected[1]
    )


def test_a_report_that_contradicts_itself_is_no_usage() -> None:
    usage = {"input_tokens": 1, "cache_creation_input_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 5}}
    start = encode_sse(json.dumps({"type": "message_start", "message": {"usage": usage}}).encode())
    reader = read(WireProtocol.ANTHROPIC, [start])
    with pytest.raises(UsageError, match="adds up to 5"):
        _ = reader.usage
    usage = {"inputTokens": -1, "outputTokens": 1}
    reader = read(WireProtocol.CONVERSE, [encode_event("metadata", json.dumps({"usage": usage}).encode())])
    with pytest.raises(UsageError, match="inputTokens"):
        _ = reader.usage


BODIES: dict[WireProtocol, dict[str, Any]] = {
    WireProtocol.ANTHROPIC: {
        **ANTHROPIC_EVENTS[0]["message"],
        "content": [{"type": "text", "text": "yes"}],
        "stop_reason": "tool_use",
        "usage": {
            **ANTHROPIC_EVENTS[0]["message"]["usage"],
            "output_tokens": 50,
            "output_tokens_details": {"thinking_tokens": 20},
        },
    },
    WireProtocol.OPENAI_CHAT: {
        **CHUNK,
        "object": "chat.completion",
        "choices": [
            {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "yes"}},
            {"index": 1, "finish_reason": "length", "message": {"role": "assistant", "content": "no"}},
        ],
        "usage": OPENAI_EVENTS[-1]["usage"],
    },
    WireProtocol.CONVERSE: {
        "output": {"message": {"role": "assistant", "content": [{"text": "yes"}]}},
        "stopReason": "tool_use",
        **CONVERSE_EVENTS[-1][1],
    },
}
BODIES[WireProtocol.INVOKE] = BODIES[WireProtocol.ANTHROPIC]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_whole_answer(protocol: WireProtocol) -> None:
    reader = reader_of(protocol)
    reader.body(json.dumps(BODIES[protocol]).encode())
    assert (reader.usage, reader.served_model, reader.finish_reason) == EXPECTED[protocol]
    assert (reader.has_content, reader.complete, reader.error) == (True, True, None)


def test_whole_answers_are_what_the_clients_know() -> None:
    assert Message.model_validate(BODIES[WireProtocol.ANTHROPIC]).usage.cache_creation is not None
    assert ChatCompletion.model_validate(BODIES[WireProtocol.OPENAI_CHAT]).usage is not None


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "data", [b"", b"<html>", b"[]", b"5", b'{"usage":5,"type":"message_start","message":5}', b"\xff"]
)
def test_an_answer_that_is_none(protocol: WireProtocol, data: bytes) -> None:
    with pytest.raises(MalformedStreamError, match=f"a piece of {len(data)} bytes is not"):
        reader_of(protocol).body(data)


@pytest.mark.parametrize(
    ("protocol", "piece"),
    [
        (WireProtocol.ANTHROPIC, encode_sse(b"{}")),
        (WireProtocol.ANTHROPIC, encode_sse(b"[DONE]")),
        (WireProtocol.ANTHROPIC, encode_sse(b'{"type":"message_start","message":{"usage":5}}')),
        (WireProtocol.OPENAI_CHAT, encode_sse(b"DONE")),
        (WireProtocol.OPENAI_CHAT, encode_sse(b'{"choices":[{"delta":"x"}]}')),
        (WireProtocol.OPENAI_CHAT, encode_sse(b'{"model":"\xff"}')),
        (WireProtocol.CONVERSE, encode_event("contentBlockDelta", b'{"delta":5}')),
        (WireProtocol.CONVERSE, encode_event("metadata", b"")),
        (WireProtocol.CONVERSE, encode_frame({":event-type": "metadata"}, b"{}")),
        (WireProtocol.INVOKE, encode_event("chunk", b'{"bytes":"?"}')),
        (WireProtocol.INVOKE, encode_event("chunk", b"{}")),
        (WireProtocol.INVOKE, encode_event("chunk", b'{"bytes":"e30="}')),
    ],
)
def test_events_that_are_none_of_the_protocol(protocol: WireProtocol, piece: bytes) -> None:
    with pytest.raises(MalformedStreamError):
        read(protocol, [piece])


def test_events_that_are_new_are_passed_over() -> None:
    assert not read(WireProtocol.ANTHROPIC, [encode_sse(b'{"type":"brand_new"}')]).has_content
    assert read(WireProtocol.CONVERSE, [encode_event("brandNew", b"no json")]).error is None
    assert read(WireProtocol.INVOKE, [encode_event("brandNew", b"no json")]).error is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "usage", "message", "choices", "delta", "content", "error", "model", "trace", "output"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(value=JSON)
def test_no_answer_raises_anything_else(protocol: WireProtocol, value: Any) -> None:
    reader = reader_of(protocol)
    with contextlib.suppress(MalformedStreamError, UsageError):
        reader.body(json.dumps(value).encode())
        assert reader.usage is None or reader.usage.total_tokens >= 0


RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt-x",
    "status": "completed",
    "conversation": {"id": "conv_1"},
    "output": [
        {"id": "rs_1", "type": "reasoning", "summary": []},
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "y\u00e9s", "annotations": []}],
        },
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 110,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 20},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 30},
        "total_tokens": 160,
    },
}
BEGUN = {**RESPONSE, "status": "in_progress", "output": [], "usage": None}
AT = {"output_index": 1, "item_id": "msg_1", "content_index": 0}
PART = {"type": "output_text", "text": "", "annotations": []}
ITEM = {**RESPONSE["output"][1], "content": [], "status": "in_progress"}
RESPONSE_EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": BEGUN},
    {"type": "response.in_progress", "response": BEGUN},
    {"type": "response.output_item.added", "output_index": 0, "item": RESPONSE["output"][0]},
    {"type": "response.output_item.added", "output_index": 1, "item": ITEM},
    {"type": "response.content_part.added", **AT, "part": PART},
    {"type": "response.output_text.delta", **AT, "delta": "y\u00e9s", "logprobs": []},
    {"type": "response.output_text.done", **AT, "text": "y\u00e9s", "logprobs": []},
    {"type": "response.output_item.done", "output_index": 1, "item": RESPONSE["output"][1]},
    {"type": "response.completed", "response": RESPONSE},
]
RESPONSE_USAGE = Usage(
    input_tokens=30, cache_read_tokens=60, cache_write_5m_tokens=20, output_tokens=50, reasoning_tokens=30
)


def response_stream(events: list[dict[str, Any]]) -> list[Any]:
    data = [json.dumps({**event, "sequence_number": index}).encode() for index, event in enumerate(events)]
    return SseParser().feed(b"".join(encode_sse(one) for one in data))


class TestResponses:
    def test_the_events_are_the_clients(self) -> None:
        adapter: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
        for index, event in enumerate(RESPONSE_EVENTS):
            adapter.validate_python({**event, "sequence_number": index})
        Response.model_validate(RESPONSE)

    def test_a_stream(self) -> None:
        reader: Any = reader_of(WireProtocol.OPENAI_RESPONSES)
        contents = []
        for event in response_stream(RESPONSE_EVENTS):
            assert not reader.complete
            reader.feed(event)
            contents.append(reader.has_content)
        assert contents == [False] * 5 + [True] * 4
        assert (reader.complete, reader.finish_reason, reader.served_model) == (True, "completed", "gpt-x")
        assert reader.usage == RESPONSE_USAGE
        assert reader.ids == ("resp_1", "conv_1", "rs_1", "msg_1")
        assert reader.sequence == 8

    def test_a_body(self) -> None:
        reader: Any = reader_of(WireProtocol.OPENAI_RESPONSES)
        reader.body(json.dumps(RESPONSE).encode())
        assert (reader.complete, reader.finish_reason, reader.has_content) == (True, "completed", True)
        assert reader.usage == RESPONSE_USAGE

    @pytest.mark.parametrize(
        ("members", "finish", "error"),
        [
            ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter", None),
            ({"status": "incomplete", "incomplete_details": None}, "incomplete", None),
            ({"status": "failed", "error": {"code": "server_error", "message": "no"}}, None, "server_error"),
            ({"status": "failed", "error": None}, None, "error"),
            ({"status": "queued", "output": [], "usage": None}, None, None),
            ({"output": [{"id": "fc_1", "type": "function_call"}]}, "function_call", None),
            ({"output": [{"id": "ws_1", "type": "web_search_call"}]}, "completed", None),
        ],
    )
    def test_how_it_ends(self, members: dict[str, Any], finish: str | None, error: str | None) -> None:
        reader: Any = reader_of(WireProtocol.OPENAI_RESPONSES)
        reader.body(json.dumps({**RESPONSE, **members}).encode())
        assert (reader.finish_reason, reader.error) == (finish, error)
        status = members.get("status", "completed")
        streamed: Any = reader_of(WireProtocol.OPENAI_RESPONSES)
        for event in response_stream([{"type": f"response.{status}", "response": {**RESPONSE, **members}}]):
            streamed.feed(event)
        assert (streamed.finish_reason, streamed.error) == (finish, error)
        assert streamed.complete == (status in ("completed", "incomplete"))

    @pytest.mark.parametrize(
        ("event", "name"),
        [
            ({"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": None}, "rate_limit_exceeded"),
            ({"type": "error", "error": {"type": "server_error", "code": "x", "message": "no"}}, "server_error"),
            (
                {"type": "error", "error": {"type": "invalid_request_error", "code": "context_length_exceeded"}},
                "context_length_exceeded",
            ),
            ({"type": "error", "error": {"type": "tokens", "code": "rate_limit_exceeded"}}, "rate_limit_exceeded"),
            ({"type": "error", "message": "?"}, "error"),
        ],
    )
    def test_errors_in_streams_both_as_documented_and_as_sent(self, event: dict[str, Any], name: str) -> None:
        reader: Any = reader_of(WireProtocol.OPENAI_RESPONSES)
        for one in response_stream([event]):
            reader.feed(one)
        assert reader.error == name

    @pytest.mark.parametrize("kind", ["function_call", "web_search_call", "image_generation_call"])
    def test_a_call_that_begins_is_content(self, kind: str) -> None:
        reader: Any = reader_of(WireProtocol.OPENAI_RESPONSES)
        added = {"type": "response.output_item.added", "output_index": 0, "item": {"type": kind, "id": "x"}}
        for one in response_stream([{"type": "keepalive"}, added]):
            assert not reader.has_content
            reader.feed(one)
        assert reader.has_content

    @pytest.mark.parametrize("data", [b"[]", b"{}", b'{"type":"response.created","response":7}', b"\xff"])
    def test_what_is_none_of_its_events(self, data: bytes) -> None:
        reader: Any = reader_of(WireProtocol.OPENAI_RESPONSES)
        (event,) = SseParser().feed(encode_sse(data))
        with pytest.raises(MalformedStreamError):
            reader.feed(event)


def test_what_a_chunk_of_invoke_model_holds() -> None:
    reader: Any = reader_of(WireProtocol.INVOKE)
    held = json.dumps(ANTHROPIC_EVENTS[0]).encode()
    chunk = encode_event("chunk", json.dumps({"bytes": base64.b64encode(held).decode(), "p": "ab"}).encode())
    for frame in EventStreamParser().feed(chunk):
        reader.feed(frame)
    assert reader.inner == held
    for frame in EventStreamParser().feed(encode_event("other", b"{}")):
        reader.feed(frame)
    assert reader.inner == b""
