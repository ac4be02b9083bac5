"""Events of ConverseStream as parts, those too that only some models send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.messages.translation.support import folded
from turnout.messages.translation.parts import Block, Finish, Part
from turnout.messages.translation.read_converse import ConverseParts, whole
from turnout.messages.wire.malformed import MalformedStreamError


def read(*events: tuple[str, dict[str, Any]]) -> list[Part]:
    parts = ConverseParts()
    return [part for name, value in events for part in parts.feed(name, json.dumps(value).encode())]


def delta(index: int, **members: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": members}


def test_blocks_that_begin_with_their_first_delta_and_blocks_without_a_place() -> None:
    parts = read(
        ("messageStart", {"role": "assistant"}),
        ("contentBlockStart", {"contentBlockIndex": 0, "start": {}}),
        delta(0, text=""),
        delta(0, reasoningContent={"text": "hm"}),
        delta(0, reasoningContent={"signature": "c2ln"}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        delta(1, citation={"title": "x"}),
        delta(1, text="Hello."),
        ("contentBlockStop", {"contentBlockIndex": 1}),
        ("contentBlockStart", {"contentBlockIndex": 2, "start": {"toolUse": {"toolUseId": "t", "name": "one"}}}),
        delta(2, toolUse={"input": ""}),
        delta(2, toolUse={"input": "{}"}),
        ("contentBlockStop", {"contentBlockIndex": 2}),
        ("messageStop", {"stopReason": "a_new_one"}),
        ("metadata", {"usage": {}}),
    )
    assert folded(parts) == (
        [
            Block(kind="thinking", text="hm", signature="c2ln"),
            Block(kind="text", text="Hello."),
            Block(kind="tool", tool_id="t", name="one", arguments={}),
        ],
        Finish("end_turn"),
    )


@pytest.mark.parametrize(
    ("name", "data"), [("messageStop", b"{"), ("contentBlockDelta", b'{"delta":{"toolUse":{"input":"x"}}}')]
)
def test_what_is_none_of_the_protocol(name: str, data: bytes) -> None:
    with pytest.raises(MalformedStreamError):
        ConverseParts().feed(name, data)


def test_a_whole_answer() -> None:
    content = [
        {"citationsContent": {"content": [{"text": "It "}, {"text": "says."}], "citations": []}},
        {"image": {"format": "png"}},
        {"reasoningContent": {"redactedContent": "eHg="}},
        {"reasoningContent": {"reasoningText": {"text": "hm"}}},
    ]
    data = json.dumps({"output": {"message": {"content": content}}, "stopReason": "max_tokens"}).encode()
    assert whole(data) == (
        [Block(kind="text", text="It says."), Block(kind="redacted", text="eHg="), Block(kind="thinking", text="hm")],
        Finish("max_tokens"),
    )


@pytest.mark.parametrize(
    "data", [b"{", b"{}", b'{"output":{"message":{"content":[{"toolUse":{"toolUseId":"t","name":"n","input":3}}]}}}']
)
def test_a_whole_answer_that_is_none(data: bytes) -> None:
    with pytest.raises(MalformedStreamError):
        whole(data)
