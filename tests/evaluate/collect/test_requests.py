from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.collect.support import lines
from turnout.evaluate.collect.errors import CollectError
from turnout.evaluate.collect.requests import Request, read_requests, rendered

LOOP = [
    {"role": "user", "content": "What does it cost?"},
    {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "price", "input": {"of": "it"}}}]},
    {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [{"text": "10"}]}}]},
]


def read(path: Path) -> list[Request]:
    return [request for _, request in read_requests(path)]


def test_a_row_as_it_is_written(tmp_path: Path) -> None:
    row = {
        "id": "t-1",
        "prompt": "ask",
        "tools": [{"name": "find"}],
        "category": "c",
        "model": "small",
        "answer": [{"text": "said"}, {"toolUse": {"name": "find", "input": {"b": 1, "a": 2}}}],
        "expected": "right",
        "input_tokens": 3,
        "output_tokens": 4,
        "cost_usd": 0.5,
        "p": 0.25,
        "turn": "passed over",
    }
    [request] = read(lines(tmp_path / "a.jsonl", [row]))
    assert request == Request(
        id="t-1",
        prompt="ask",
        tools='[{"name":"find"}]',
        category="c",
        model="small",
        answer='said\nfind({"a":2,"b":1})',
        expected="right",
        input_tokens=3,
        output_tokens=4,
        cost_usd=0.5,
        p=0.25,
    )


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,prompt,expected,input_tokens\n1,ask,,7\n", encoding="utf-8")
    [request] = read(path)
    assert (request.id, request.prompt, request.expected, request.input_tokens) == ("1", "ask", "", 7)


def test_without_an_id_the_content_names_it(tmp_path: Path) -> None:
    one, same, other = read(lines(tmp_path / "a.jsonl", [{"prompt": "a"}, {"prompt": "a"}, {"prompt": "b"}]))
    assert one.id == same.id != other.id
    assert one.id.startswith("content-")


def test_another_text_under_one_id_is_another_request() -> None:
    assert Request(id="1", prompt="a").key != Request(id="1", prompt="b").key
    assert Request(id="1", prompt="a").key == Request(id="1", prompt="a", expected="x").key


def test_parts_of_a_conversation() -> None:
    text = json.dumps(
        {"system": "Be short.", "tools": {"name": "t"}, "messages": [{"role": "system", "content": "More."}, *LOOP[:1]]}
    )
    messages, system, tools = Request(id="1", prompt="", conversation=text).conversation_parts()
    assert messages == [{"role": "user", "content": [{"text": "What does it cost?"}]}]
    assert system == [{"text": "Be short."}, {"text": "More."}]
    assert tools == [{"name": "t"}]


@pytest.mark.parametrize(("messages", "inside"), [(LOOP, True), (LOOP[:1], False)])
def test_a_tool_loop(messages: list[Any], inside: bool) -> None:
    assert Request(id="1", prompt="x", conversation=json.dumps(messages)).in_tool_loop is inside


def test_columns_that_nobody_knows_are_named(tmp_path: Path) -> None:
    others: set[str] = set()
    list(read_requests(lines(tmp_path / "a.jsonl", [{"prompt": "a", "weather": "fine", "session": "s"}]), others))
    assert others == {"weather"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "a", "anwser": "b"}, "line 1: unknown column 'anwser'; rename it to 'answer'"),
        ({"id": "1"}, "'prompt' or 'conversation' is needed; there are id"),
        ({"prompt": "a", "p": 2}, "column p: must be between 0 and 1, got 2"),
        ({"prompt": "a", "p": True}, "column p: must be between 0 and 1, got True"),
        ({"prompt": "a", "p": "x"}, "column p: must be a number"),
        ({"prompt": "a", "answer": 3}, "column answer: must be a text or a list of content blocks"),
        ({"prompt": "a", "id": {}}, "column id: must be a text, got dict"),
        ({"prompt": "a", "input_tokens": "many"}, "column input_tokens: must be a number"),
        ({"conversation": [{"role": "user"}]}, "column conversation: message 0 has no content"),
    ],
)
def test_what_is_wrong(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    with pytest.raises(CollectError) as raised:
        read(lines(tmp_path / "a.jsonl", [row]))
    assert message in str(raised.value)


def test_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(CollectError, match="there is no request in it"):
        read(lines(tmp_path / "a.jsonl", []))


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(CollectError, match=r"must end in \.csv, \.jsonl or \.parquet"):
        read(tmp_path / "a.txt")


def test_an_answer_as_one_text() -> None:
    assert rendered("plain") == "plain"
    assert rendered([{"reasoningContent": {}}, {"text": "a"}, {"toolUse": {"name": "f", "input": {}}}]) == "a\nf({})"
