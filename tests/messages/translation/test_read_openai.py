"""Chunks of Chat Completions as parts: calls that lie side by side come one after another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages.translation.support import folded
from turnout.messages.translation.parts import Alive, Block, BlockDelta, Finish, Part
from turnout.messages.translation.read_openai import OpenAIParts, whole
from turnout.messages.wire.malformed import MalformedStreamError


def chunk(finish_reason: str | None = None, index: int = 0, **delta: Any) -> bytes:
    return json.dumps({"choices": [{"index": index, "delta": delta, "finish_reason": finish_reason}]}).encode()


def call(index: int, arguments: str | None = None, **members: Any) -> dict[str, Any]:
    function = {} if arguments is None else {"arguments": arguments}
    if "name" in members:
        function["name"] = members.pop("name")
    return {"index": index, "function": function, **members}


def read(*chunks: bytes) -> list[Part]:
    parts = OpenAIParts()
    return [part for data in chunks for part in parts.feed(data)]


@given(
    st.lists(st.dictionaries(st.text("ab", max_size=3), st.text('x{}"', max_size=4), max_size=3), max_size=4),
    st.randoms(use_true_random=False),
)
def test_pieces_of_calls_in_any_turn_come_out_call_by_call(given_: list[dict[str, str]], chance: Any) -> None:
    rest = [list(json.dumps(one)) for one in given_]
    chunks = [chunk(tool_calls=[call(i, "", id=f"id{i}", name=f"tool{i}")]) for i in range(len(rest))]
    while any(rest):
        index = chance.choice([number for number, left in enumerate(rest) if left])
        take = chance.randint(1, 4)
        chunks.append(chunk(tool_calls=[call(index, "".join(rest[index][:take]))]))
        del rest[index][:take]
    blocks, finish = folded(read(*chunks, chunk("tool_calls"), b"[DONE]"))
    assert finish == Finish("tool_use")
    assert blocks == [
        Block(kind="tool", tool_id=f"id{i}", name=f"tool{i}", arguments=dict(one)) for i, one in enumerate(given_)
    ]


def test_a_call_is_passed_on_piece_by_piece() -> None:
    parts = OpenAIParts()
    parts.feed(chunk(tool_calls=[call(0, "", id="a", name="one")]))
    assert parts.feed(chunk(tool_calls=[call(0, '{"x":')])) == [BlockDelta(0, '{"x":')]


def test_a_call_waits_for_the_one_before_it() -> None:
    parts = OpenAIParts()
    parts.feed(chunk(tool_calls=[call(0, '{"x":', id="a", name="one")]))
    assert parts.feed(chunk(tool_calls=[call(1, "{}", id="b", name="two")])) == []
    later = parts.feed(chunk(tool_calls=[call(0, "1}")]))
    assert len(later) == 4  # a piece, an end, a beginning, a piece


def test_text_reasoning_and_a_name_that_comes_late() -> None:
    parts = read(
        chunk(role="assistant", content="", reasoning_content="hm"),
        b"",
        chunk(content="Let me "),
        chunk(content="see."),
        chunk(tool_calls=[call(0, None, id="a")]),
        chunk(tool_calls=[call(0, "", name="one")]),
        chunk(index=1, content="another choice"),
        chunk("stop"),
    )
    assert parts[:2] == [Alive(), Alive()]
    blocks, finish = folded(parts)
    assert blocks == [Block(kind="text", text="Let me see."), Block(kind="tool", tool_id="a", name="one", arguments={})]
    assert finish == Finish("tool_use")


def test_a_refusal_is_a_text_that_was_filtered() -> None:
    assert folded(read(chunk(refusal="No."), chunk("stop"))) == (
        [Block(kind="text", text="No.")],
        Finish("content_filtered"),
    )


@pytest.mark.parametrize(
    "chunks",
    [
        [b"{"],
        [chunk(tool_calls=[call(-1, "{}", id="a", name="one")])],
        [chunk(tool_calls=[call(0, "nothing", id="a", name="one")]), chunk("tool_calls")],
        [
            chunk(tool_calls=[call(0, "{}", id="a", name="one")]),
            chunk(tool_calls=[call(1, "{}", id="b", name="two")]),
            chunk(tool_calls=[call(0, "more")]),
        ],
        [chunk(tool_calls=[call(0, "x" * (8 * 1024 * 1024 + 1), id="a", name="one")])],
    ],
    ids=["no-json", "negative", "no-object", "after-its-end", "too-long"],
)
def test_what_is_none_of_the_protocol(chunks: list[bytes]) -> None:
    with pytest.raises(MalformedStreamError):
        read(*chunks)


def test_a_call_that_the_limit_cut_off() -> None:
    cut = chunk(tool_calls=[call(0, '{"x', id="a", name="one")])
    assert read(cut, chunk("length"))[-1] == Finish("max_tokens")
    body = {"content": "Hi.", "tool_calls": [call(0, '{"x', id="a", name="one")]}
    data = json.dumps({"choices": [{"index": 0, "message": body, "finish_reason": "length"}]}).encode()
    assert whole(data) == ([Block(kind="text", text="Hi.")], Finish("max_tokens"))


@pytest.mark.parametrize("data", [b"{", b'{"choices": []}', b'{"error": {}}'])
def test_a_whole_answer_that_is_none(data: bytes) -> None:
    with pytest.raises(MalformedStreamError):
        whole(data)


def test_arguments_of_a_whole_answer_that_are_no_object() -> None:
    body = {"tool_calls": [call(0, "[]", id="a", name="one")]}
    data = json.dumps({"choices": [{"index": 0, "message": body, "finish_reason": "tool_calls"}]}).encode()
    with pytest.raises(MalformedStreamError, match="no JSON object"):
        whole(data)
