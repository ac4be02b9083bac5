from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluate.outcomes.tables import batch_of
from turnout.evaluate.outcomes.content import (
    canonical,
    conversation_problem,
    conversations,
    group_keys,
    name_key,
    normalised,
    query_of,
    row_keys,
    text_key,
    tools_problem,
)

MESSAGES = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (json.dumps(MESSAGES), None),
        (json.dumps({"system": [{"text": "x"}], "messages": MESSAGES}), None),
        ("[]", "must be a JSON list of messages"),
        ('{"turns": []}', "must be a JSON list of messages"),
        ('[{"content": "hi"}]', "message 0 has no role"),
        ('[{"role": "user"}]', "message 0 has no content"),
        ("{", "truncated"),
    ],
)
def test_conversations_are_checked(text: str, problem: str | None) -> None:
    found = conversation_problem(text)
    assert (found is None) is (problem is None)
    assert problem is None or problem in str(found)


def test_tools_are_a_list_or_one_tool() -> None:
    assert tools_problem("[]") is None
    assert tools_problem('{"name": "f"}') is None
    assert "must be a JSON list of tools" in str(tools_problem('"f"'))


def test_a_row_becomes_what_a_classifier_reads() -> None:
    tools = [{"name": "look_up"}]
    batch = batch_of(
        {"prompt": "plain", "model": "m", "score": 1, "tools": tools},
        {"conversation": MESSAGES, "model": "m", "score": 1, "tools": {"name": "one"}},
        {"conversation": {"messages": MESSAGES, "tools": tools}, "model": "m", "score": 1},
    )
    plain, talked, whole = conversations(batch)
    assert (plain.query, plain.tools) == ("plain", tools)
    assert (talked.query, talked.system, talked.tools) == ("hi", [{"text": "be brief"}], [{"name": "one"}])
    assert whole.tools == tools
    assert batch.prompt == ["plain", "hi", "hi"]


def test_the_query_is_the_newest_user_turn() -> None:
    said = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": [{"text": "second"}]},
        {"role": "assistant", "content": [{"toolUse": {}}]},
    ]
    assert query_of(json.dumps(said)) == "second"
    assert query_of('[{"role":"assistant","content":"only me"}]') == "only me"


def test_the_same_value_has_the_same_text() -> None:
    assert canonical('{"a": [1,  2]}') == '{"a":[1,2]}'


class TestKeys:
    def test_rows_belong_together_by_dataset_id_text_and_tools(self) -> None:
        row = {"prompt": "p", "model": "a", "score": 0, "dataset": "d", "prompt_id": "1", "tools": "[]"}
        other = [row | change for change in ({"dataset": "e"}, {"prompt_id": "2"}, {"prompt": "q"}, {"tools": "[1]"})]
        first, same, *rest = row_keys(batch_of(row, row | {"model": "b", "score": 1}, *other))
        assert first == same
        assert len({first, *rest}) == 5

    def test_a_group_is_its_name_else_the_exact_text(self) -> None:
        row = {"prompt": "p", "model": "a", "score": 0}
        keys = group_keys(
            batch_of(row, row | {"prompt_id": "x", "tools": "[]"}, row | {"group": "g"}, {**row, "prompt": "p "})
        )
        assert keys[0] == keys[1] == text_key("p", None)
        assert len(set(keys)) == 3

    @given(st.lists(st.text(), min_size=1, max_size=4), st.lists(st.text(), min_size=1, max_size=4))
    def test_names_share_a_key_only_if_they_are_the_same(self, one: list[str], other: list[str]) -> None:
        assert (name_key(*one) == name_key(*other)) is (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("What is  2+2?", "what is 2 2"), ("Ünïcode", "ÜNÏCODE"), ("ｆｕｌｌ", "full"), ("a\n\tb", "a b")],
)
def test_what_a_person_would_call_the_same(one: str, other: str) -> None:
    assert normalised(one) == normalised(other)


def test_signs_alone_stay_apart() -> None:
    assert normalised("?!") != normalised("+-")
