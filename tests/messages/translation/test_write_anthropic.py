"""Parts as events of the Messages API."""

from __future__ import annotations

import json
from typing import Any

from tests.messages.translation.support import ABOUT
from turnout.core.usage import Usage
from turnout.messages.translation.parts import Alive, BlockDelta, BlockStart, BlockStop, Finish
from turnout.messages.translation.write_anthropic import AnthropicWriter
from turnout.messages.wire.sse import SseParser

USAGE = Usage(input_tokens=3, cache_read_tokens=5, cache_write_1h_tokens=2, output_tokens=4)


def events(data: bytes) -> list[Any]:
    found = SseParser().feed(data)
    assert all(json.loads(event.data)["type"] == event.event for event in found)
    return [json.loads(event.data) for event in found]


def test_redacted_thinking_begins_when_all_of_it_is_there() -> None:
    writer = AnthropicWriter(ABOUT)
    assert [one["type"] for one in events(writer.write(BlockStart(0, "redacted")))] == ["message_start", "ping"]
    assert writer.write(BlockDelta(0, "eHg=")) == b""
    start, stop = events(writer.write(BlockStop(0)))
    assert start["content_block"] == {"type": "redacted_thinking", "data": "eHg="}
    assert stop["index"] == 0


def test_the_reason_comes_with_the_usage() -> None:
    writer = AnthropicWriter(ABOUT)
    assert writer.write(Alive()) == b""
    assert writer.end(USAGE, 0) == b""
    assert writer.write(Finish("stop_sequence", "END")) == b""
    start, _, delta, stop = events(writer.end(USAGE, 0))
    assert start["message"]["id"] == "msg_0192"
    assert delta["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    assert delta["usage"] == {
        "input_tokens": 3,
        "cache_creation_input_tokens": 2,
        "cache_read_input_tokens": 5,
        "output_tokens": 4,
    }
    assert stop == {"type": "message_stop"}


def test_a_sign_of_life_is_a_ping() -> None:
    writer = AnthropicWriter(ABOUT)
    writer.write(BlockStart(0, "text"))
    assert events(writer.write(Alive())) == [{"type": "ping"}]
