"""Events of the Messages API as parts, those too that only some servers send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.messages.translation.support import folded
from turnout.messages.translation.parts import Alive, Block, Finish, Part
from turnout.messages.translation.read_anthropic import AnthropicParts, whole
from turnout.messages.wire.malformed import MalformedStreamError


def read(*events: dict[str, Any]) -> list[Part]:
    parts = AnthropicParts()
    return [part for event in events for part in parts.feed(json.dumps(event).encode())]


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


END = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_sequence": None}, "usage": {}}


def test_blocks_without_a_place_leave_no_gap() -> None:
    parts = read(
        {"type": "message_start", "message": {}},
        {"type": "ping"},
        start(0, type="server_tool_use", id="s", name="web_search", input={}),
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        stop(0),
        start(1, type="text", text="He"),
        {"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta", "citation": {}}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "llo"}},
        stop(1),
        start(2, type="tool_use", id="t", name="one", input={"x": 1}),
        stop(2),
        start(3, type="thinking", thinking="", signature="c2ln"),
        stop(3),
        END,
        {"type": "message_stop"},
        {"type": "something_new"},
    )
    assert parts[0] == Alive()
    blocks, finish = folded(parts)
    assert blocks == [
        Block(kind="text", text="Hello"),
        Block(kind="tool", tool_id="t", name="one", arguments={"x": 1}),
        Block(kind="thinking", signature="c2ln"),
    ]
    assert finish == Finish("content_filtered")


def test_a_comment_is_a_sign_of_life() -> None:
    assert AnthropicParts().feed(b"") == [Alive()]


@pytest.mark.parametrize(
    "event",
    [b"{", b'{"type":"content_block_delta","index":4,"delta":{"type":"text_delta","text":"x"}}', b'{"index":0}'],
)
def test_what_is_none_of_the_protocol(event: bytes) -> None:
    with pytest.raises(MalformedStreamError):
        AnthropicParts().feed(event)


def test_a_whole_answer() -> None:
    content = [
        {"type": "text", "text": ""},
        {"type": "text", "text": "Hi.", "citations": None},
        {"type": "web_search_tool_result", "content": []},
        {"type": "redacted_thinking", "data": "eHg="},
    ]
    data = json.dumps({"content": content, "stop_reason": "stop_sequence", "stop_sequence": "."}).encode()
    assert whole(data) == (
        [Block(kind="text", text="Hi."), Block(kind="redacted", text="eHg=")],
        Finish("stop_sequence", "."),
    )


@pytest.mark.parametrize("data", [b"{", b"{}", b'{"content":[{"type":"tool_use","input":[]}]}'])
def test_a_whole_answer_that_is_none(data: bytes) -> None:
    with pytest.raises(MalformedStreamError):
        whole(data)
