"""What classifiers see of a conversation."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.classify.query import CUT, bounded, legible, readable, turns_before_query
from turnout.messages.conversation import Conversation


@given(st.text(), st.integers(len(CUT) + 3, 300))
def test_bounded_text_is_short_and_keeps_head_and_tail(text: str, most: int) -> None:
    cut = bounded(text, most)
    assert len(cut) <= most
    if len(text) <= most:
        assert cut == text
    else:
        assert len(cut) == most
        head, _, tail = cut.partition(CUT)
        assert text.startswith(head)
        assert text.endswith(tail)
        assert head
        assert tail


def test_too_little_room() -> None:
    with pytest.raises(ValueError, match="most_chars must be at least"):
        bounded("text", 5)


def said(*texts: str) -> Conversation:
    """A conversation of texts that begin with the speaker's initial."""
    roles = {"u": "user", "a": "assistant"}
    messages: list[dict[str, Any]] = [{"role": roles[text[0]], "content": [{"text": text}]} for text in texts]
    return Conversation(messages=messages)


@pytest.mark.parametrize(
    ("texts", "most", "expected"),
    [
        (["u1"], 2, []),
        (["u1", "a1", "u2"], 2, ["u1", "a1"]),
        (["u1", "a1", "u2", "a2", "u3", "a3", "u4"], 2, ["u2", "a2", "u3", "a3"]),
        (["u1", "a1", "u2", "a2", "u3", "a3", "u4"], 1, ["u3", "a3"]),
        (["u1", "a1", "u2"], 0, []),
        (["u1", "u2", "u3"], 1, ["u2"]),
        (["u1", "a1", "u2", "a2 so far"], 3, ["u1", "a1"]),
        (["a0", "u1"], 3, []),
        ([], 3, []),
    ],
)
def test_turns_before_the_query(texts: list[str], most: int, expected: list[str]) -> None:
    assert [text for _, text in turns_before_query(said(*texts), most)] == expected


def test_tool_calls_and_results_are_no_turns() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"text": "first"}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "look", "input": {}}}]},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"text": "secret result"}]}}]},
        {"role": "assistant", "content": [{"text": "answer"}]},
        {"role": "user", "content": [{"text": "second"}]},
    ]
    assert turns_before_query(Conversation(messages=messages), 5) == [("user", "first"), ("assistant", "answer")]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Where is my parcel?", "Where is my parcel?"),
        ("Füße, café – ça va?", "Füße, café – ça va?"),
        ("\uff52\uff45\uff46\uff55\uff4e\uff44", "refund"),
        ("re\u200bfu\u200dnd\ufeff", "refund"),
        ("r\u0435fund p\u0430rcel", "refund parcel"),
        ("\u0413\u0434\u0435 \u043c\u043e\u044f посылка?", "\u0413\u0434\u0435 \u043c\u043e\u044f посылка?"),
    ],
)
def test_what_people_see_is_what_classifiers_read(written: str, read: str) -> None:
    assert legible(written) == read
    assert legible(read) == read
    assert readable(written, 1_000) == read


@given(st.text(max_size=60), st.integers(10, 40))
def test_it_is_never_longer_than_allowed(text: str, most_chars: int) -> None:
    assert len(readable(text, most_chars)) <= most_chars
    if text.isascii():
        assert readable(text, most_chars) == bounded(text, most_chars)


def test_long_words_take_no_longer_than_they_are_long() -> None:
    assert len(legible("a" * 500_000 + "\u0430")) == 500_001
