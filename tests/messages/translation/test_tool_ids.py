"""Ids of tool calls: those of the providers stay, others become such that every provider takes them back."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from turnout.messages.translation.tool_ids import tool_id


def test_ids_of_the_providers_stay() -> None:
    for one in ("call_abcdefghij0123456789ABCD", "toolu_01A09q90qw90lq917835lq9", "tooluse_kZJMlvQmRJ6eAyJE5GIl7Q"):
        assert tool_id(one, "a", 0) == one


@given(st.text(max_size=80), st.text(max_size=10), st.integers(0, 99))
def test_every_id_fits_everywhere(given_: str, answer: str, index: int) -> None:
    assert re.fullmatch("[a-zA-Z0-9_-]{1,40}", tool_id(given_, answer, index))


def test_ids_that_are_counted_in_every_answer_are_told_apart() -> None:
    ids = {tool_id("call_0", answer, index) for answer in ("a", "b") for index in (0, 1)}
    assert len(ids) == 4
    assert tool_id("call_0", "a", 0) == tool_id("call_0", "a", 0)
