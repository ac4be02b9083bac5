"""Bytes that are meant to do harm: every decoder says so in its own error, and takes bounded time and memory.

The other tests of this folder draw values of the wrong shape; here the bytes themselves are wrong: bodies of the
clients with bytes changed, cut and put in, and what is known to break decoders of JSON.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages.wire import support
from tests.messages.wire.test_usage import PROTOCOLS, STREAMS
from turnout.core.usage import UsageError
from turnout.messages.wire import anthropic, converse, invoke, openai_chat
from turnout.messages.wire.asked import Asked, WireProtocol, without_raw
from turnout.messages.wire.eventstream import EventStreamParser, encode_event
from turnout.messages.wire.malformed import MalformedBodyError, MalformedStreamError
from turnout.messages.wire.splice import Body
from turnout.messages.wire.sse import SseParser
from turnout.messages.wire.sse import encode_event as encode_sse
from turnout.messages.wire.usage import reader_of

DECODERS: dict[WireProtocol, Callable[[bytes], Asked]] = {
    WireProtocol.OPENAI_CHAT: openai_chat.decode,
    WireProtocol.ANTHROPIC: anthropic.decode,
    WireProtocol.CONVERSE: lambda data: converse.decode(data, model="m", stream=False),
    WireProtocol.INVOKE: lambda data: invoke.decode(data, model="m", stream=False),
}
BODIES: dict[WireProtocol, Callable[[], bytes]] = {
    WireProtocol.OPENAI_CHAT: support.openai_body,
    WireProtocol.ANTHROPIC: support.anthropic_body,
    WireProtocol.CONVERSE: lambda: support.converse_request()[1],
    WireProtocol.INVOKE: lambda: support.invoke_request()[1],
}

NASTY = (
    b"9" * 400,
    b"-0.0",
    b"1e999999999",
    b"1e-999999999",
    b"-",
    b"01",
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"0x1f",
    b"null",
    b"true",
    b"{}",
    b"[]",
    b'""',
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\\u0000"',
    b'"\\x"',
    b'"\x00"',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\xf4\x90\x80\x80"',
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"[" * 200,
    b"[" * 90 + b"]" * 90,
    b'{"a":' * 90 + b"1" + b"}" * 90,
    b'{"a":1,"a":2}',
    b"/* */",
    b",",
    b":",
    b'"',
    b"\\",
    b"\x00",
    b"\r\n\r\n",
)


@st.composite
def mutations(draw: st.DrawFn, data: bytes) -> bytes:
    """Those bytes with some of them changed, left out, doubled, or replaced by what is nasty."""
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(changed)))
        length = draw(st.integers(0, 40))
        match draw(st.integers(0, 4)):
            case 0:
                changed[place : place + 1] = draw(st.binary(min_size=1, max_size=3))
            case 1:
                del changed[place : place + length]
            case 2:
                changed[place:place] = changed[place : place + length]
            case 3:
                changed[place : place + draw(st.integers(0, 2))] = draw(st.sampled_from(NASTY))
            case _:
                # A value takes the place of another.
                start = changed.find(b":", place) + 1
                ends = [end for mark in (b",", b"}") if (end := changed.find(mark, start)) >= 0]
                if start and ends:
                    changed[start : min(ends)] = draw(st.sampled_from(NASTY))
    return bytes(changed)


def use(asked: Asked) -> None:
    """All that the gateway does with what was read."""
    texts = [text for _, text in asked.conversation.turns()]
    assert msgspec.json.encode([texts, asked.model, asked.untranslatable, asked.parameters, dict(asked.metadata)])
    assert asked.conversation.query in ("", *texts)
    assert msgspec.json.encode(without_raw(asked.conversation).tools) is not None
    assert asked.body.edited() is asked.body.data
    if "model" in asked.body:
        assert Body(asked.body.edited(replace={"model": b'"other"'})).raws["model"] == msgspec.Raw(b'"other"')
    for number in (asked.controls.temperature, asked.controls.top_p):
        assert number is None or math.isfinite(number)


@pytest.mark.parametrize("protocol", DECODERS)
@given(data=st.data())
def test_a_changed_body_is_read_or_refused(protocol: WireProtocol, data: st.DataObject) -> None:
    changed = data.draw(mutations(BODIES[protocol]()))
    with contextlib.suppress(MalformedBodyError):
        use(DECODERS[protocol](changed))


@pytest.mark.parametrize("protocol", DECODERS)
@given(data=st.binary(max_size=60) | st.lists(st.sampled_from([*NASTY, b'{"model":', b"}"]), max_size=6).map(b"".join))
def test_arbitrary_bytes_are_refused(protocol: WireProtocol, data: bytes) -> None:
    with contextlib.suppress(MalformedBodyError):
        use(DECODERS[protocol](data))


MEMBERS = {
    WireProtocol.OPENAI_CHAT: b'{"model":"m","messages":[{"role":"user","content":"hi"}],%b}',
    WireProtocol.ANTHROPIC: b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"hi"}],%b}',
    WireProtocol.CONVERSE: b'{"messages":[{"role":"user","content":[{"text":"hi"}]}],%b}',
    WireProtocol.INVOKE: b'{"anthropic_version":"bedrock-2023-05-31","max_tokens":5,"messages":[],%b}',
}
HUGE = {
    "a number of a million digits": b'"x":' + b"9" * 1_000_000,
    "a million digits of temperature": b'"temperature":' + b"1" * 1_000_000,
    "a million digits of the limit": b'"max_tokens":' + b"1" * 1_000_000,
    "an absurd exponent": b'"temperature":1e' + b"9" * 100_000,
    "a million digits after the point": b'"top_p":0.' + b"1" * 1_000_000,
    "a hundred thousand levels": b'"x":' + b"[" * 100_000 + b"]" * 100_000,
    "a hundred thousand levels of objects": b'"x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "levels that do not end": b'"x":' + b"[" * 1_000_000,
    "levels in the metadata": b'"metadata":{"user_id":"{' + b'\\"a\\":[' * 20_000 + b'"}',
    "levels in tools": b'"tools":[{"name":"a","input_schema":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}]",
    "a hundred thousand keys": b",".join(b'"k%d":0' % number for number in range(100_000)),
    "a hundred thousand messages": b'"y":[' + b",".join([b'{"role":"user","content":"a"}'] * 100_000) + b"]",
    "a hundred thousand escapes": b'"x":"' + b"\\u0041" * 100_000 + b'"',
    "half pairs": b'"x":"' + b"\\ud83d" * 100_000 + b'"',
    "backslashes": b'"x":"' + b"\\\\" * 500_000 + b'"',
    "a string that does not end": b'"x":"' + b"a" * 1_000_000,
    "quotes": b'"' * 200_000,
    "blanks": b'"x":' + b" " * 1_000_000 + b"1",
}


@pytest.mark.parametrize("name", HUGE)
@pytest.mark.parametrize("protocol", DECODERS)
def test_what_is_absurd_is_read_or_refused(protocol: WireProtocol, name: str) -> None:
    """No test here tells the time; what is not linear would be seen, as 2 MB of it took minutes."""
    with contextlib.suppress(MalformedBodyError):
        use(DECODERS[protocol](MEMBERS[protocol] % HUGE[name]))


@pytest.mark.parametrize("arguments", [b"[" * 100_000, b"9" * 1_000_000, b"{" * 5, b"1e999999"])
def test_arguments_of_tools_are_json_of_their_own(arguments: bytes) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments.decode()}}
    body = {"model": "m", "messages": [{"role": "assistant", "tool_calls": [call]}]}
    asked = openai_chat.decode(msgspec.json.encode(body))
    (message,) = asked.conversation.messages
    assert message["content"][0]["toolUse"]["input"] == arguments.decode()
    assert asked.untranslatable


def swallow(protocol: WireProtocol, chunks: list[bytes]) -> None:
    """All that the gateway does with a stream."""
    reader: Any = reader_of(protocol)
    frames = protocol in (WireProtocol.CONVERSE, WireProtocol.INVOKE)
    parser: Any = EventStreamParser() if frames else SseParser()
    came = b""
    with contextlib.suppress(MalformedStreamError):
        for chunk in chunks:
            for event in parser.feed(chunk):
                came += event.raw
                reader.feed(event)
        assert came + parser.pending == b"".join(chunks)
        parser.close()
    with contextlib.suppress(UsageError):
        assert reader.usage is None or reader.usage.total_tokens >= 0
    assert isinstance(reader.error, str | None)
    assert isinstance(reader.finish_reason, str | None)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(data=st.data())
def test_a_changed_stream_is_read_or_refused(protocol: WireProtocol, data: st.DataObject) -> None:
    stream = data.draw(mutations(b"".join(STREAMS[protocol])))
    cut = data.draw(st.integers(0, len(stream)))
    swallow(protocol, [stream[:cut], stream[cut:]])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(data=st.data())
def test_events_of_two_streams_among_each_other(protocol: WireProtocol, data: st.DataObject) -> None:
    """Left out, doubled, and in another order: what a broken balancer makes of two answers."""
    events = data.draw(st.lists(st.sampled_from(STREAMS[protocol]), max_size=20))
    swallow(protocol, [b"".join(events)])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(data=st.data())
def test_frames_that_are_whole_hold_anything(protocol: WireProtocol, data: st.DataObject) -> None:
    """The framing is right, so that the readers are reached."""
    known = [b for event in STREAMS[protocol] for b in [event]]
    payload = data.draw(mutations(data.draw(st.sampled_from(known))) | st.sampled_from(NASTY) | st.binary(max_size=40))
    if protocol in (WireProtocol.CONVERSE, WireProtocol.INVOKE):
        name = data.draw(st.sampled_from(["chunk", "messageStart", "contentBlockDelta", "metadata", "messageStop", ""]))
        swallow(protocol, [encode_event(name, payload)])
    else:
        swallow(protocol, [encode_sse(payload, data.draw(st.sampled_from(["", "error", "message_delta"])))])


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(data=st.data())
def test_a_changed_answer_is_read_or_refused(protocol: WireProtocol, data: st.DataObject) -> None:
    body = {
        WireProtocol.OPENAI_CHAT: support.OPENAI_ANSWER,
        WireProtocol.CONVERSE: support.CONVERSE_ANSWER,
    }.get(protocol, support.ANTHROPIC_ANSWER)
    reader: Any = reader_of(protocol)
    with contextlib.suppress(MalformedStreamError):
        reader.body(data.draw(mutations(body)))
    with contextlib.suppress(UsageError):
        assert reader.usage is None or reader.usage.total_tokens >= 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("payload", [b"[" * 100_000, b'{"type":"ping","x":' + b"9" * 1_000_000 + b"}"])
def test_absurd_events(protocol: WireProtocol, payload: bytes) -> None:
    framed = protocol in (WireProtocol.CONVERSE, WireProtocol.INVOKE)
    swallow(protocol, [encode_event("metadata", payload) if framed else encode_sse(payload)])
    with contextlib.suppress(MalformedStreamError):
        reader_of(protocol).body(payload)
