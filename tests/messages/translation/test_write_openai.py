"""Parts as chunks of Chat Completions."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tests.messages.translation.support import ABOUT
from turnout.core.usage import Usage
from turnout.messages.translation.parts import Alive, Block, BlockStart, BlockStop, Finish
from turnout.messages.translation.write_openai import OpenAIWriter, whole
from turnout.messages.wire.sse import SseParser

USAGE = Usage(input_tokens=3, cache_read_tokens=5, cache_write_5m_tokens=2, output_tokens=4, reasoning_tokens=1)
REPORT = {
    "prompt_tokens": 10,
    "completion_tokens": 4,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 1},
}


def chunks(data: bytes) -> list[Any]:
    return [json.loads(event.data) for event in SseParser().feed(data) if event.data and event.data != b"[DONE]"]


def test_a_call_without_arguments_gets_an_empty_object_that_clients_can_decode() -> None:
    writer = OpenAIWriter(ABOUT)
    data = b"".join(
        [writer.write(part) for part in (BlockStart(0, "tool", "", "one"), BlockStop(0), Finish("tool_use"))]
    )
    first, second, third, last = chunks(data)
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert second["choices"][0]["delta"]["tool_calls"][0]["function"] == {"name": "one", "arguments": ""}
    assert third["choices"][0]["delta"]["tool_calls"] == [{"index": 0, "function": {"arguments": "{}"}}]
    assert last["choices"][0]["finish_reason"] == "tool_calls"
    assert {one["id"] for one in (first, second, third, last)} == {"chatcmpl-0192"}


def test_usage_comes_where_it_is_asked_for() -> None:
    writer = OpenAIWriter(ABOUT)
    assert all(one["usage"] is None for one in chunks(writer.write(Finish("end_turn"))))
    (last,) = chunks(writer.end(USAGE, 0))
    assert (last["choices"], last["usage"]) == ([], REPORT)
    quiet = OpenAIWriter(msgspec.structs.replace(ABOUT, wants_usage=False))
    assert all("usage" not in one for one in chunks(quiet.write(Finish("end_turn"))))
    assert quiet.end(USAGE, 0) == b"data: [DONE]\n\n"


def test_no_end_before_the_answers_own() -> None:
    writer = OpenAIWriter(ABOUT)
    assert writer.write(Alive()) == b": keep-alive\n\n"
    assert writer.end(USAGE, 0) == b""


def test_a_whole_answer() -> None:
    blocks = [Block(kind="text", text="He"), Block(kind="text", text="llo"), Block(kind="tool", name="one")]
    answer = json.loads(whole(blocks, Finish("tool_use"), USAGE, ABOUT, 0))
    (choice,) = answer["choices"]
    assert choice["message"]["content"] == "Hello"
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "one", "arguments": "{}"}
    assert (answer["object"], answer["created"], answer["model"]) == ("chat.completion", 1_793_491_200, "some-model")
    assert answer["usage"] == REPORT
    assert json.loads(whole([], Finish("end_turn"), None, ABOUT, 0))["choices"][0]["message"]["content"] is None
