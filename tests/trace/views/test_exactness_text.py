from __future__ import annotations

import pytest

from turnout.trace.views.exactness import ALL_EXACT, Exactness, cost_range
from turnout.trace.views.exactness_text import exactness_line, exactness_note, exactness_rows, inexact_calls


def test_without_calls_there_is_nothing_to_say() -> None:
    assert exactness_note(ALL_EXACT) == ""


@pytest.mark.parametrize(
    ("exactness", "text"),
    [
        (Exactness(exact_calls=1, reported=1), "exact: the call reported its usage, priced by the catalog"),
        (Exactness(exact_calls=1_200), "exact: all 1,200 calls reported their usage, priced by the catalog"),
        (
            Exactness(exact_calls=1, failed_calls=2),
            "exact for 1 call that reported usage, priced by the catalog; 2 failed calls reported none, "
            "taken as not billed",
        ),
    ],
)
def test_a_settled_total_in_a_sentence(exactness: Exactness, text: str) -> None:
    assert exactness_note(exactness) == text
    assert exactness_line(cost_range(0, exactness), exactness) == text


@pytest.mark.parametrize(
    ("exactness", "text"),
    [
        (Exactness(bounded_calls=3, partial=1, estimated=2), "3 calls (usage partial 1, estimated 2)"),
        (
            Exactness(open_calls=1, failed_calls=4, none=5),
            "1 call (usage none 1), without an upper bound",
        ),
        (
            Exactness(exact_calls=5, open_calls=1, bounded_calls=1, reported=6, estimated=1),
            "2 calls (usage estimated 1, reported but without an exact price 1), 1 of them without an upper bound",
        ),
        (Exactness(open_calls=2, foreign=2), "2 calls (usage recorded by others 2), without an upper bound"),
    ],
)
def test_what_is_not_exact_is_told_by_its_source(exactness: Exactness, text: str) -> None:
    assert inexact_calls(exactness) == text


def test_parts_of_a_total() -> None:
    exactness = Exactness(
        exact_calls=2, bounded_calls=1, failed_calls=1, none=1, partial=1, low_pico=10**9, high_pico=10**10
    )
    assert dict(exactness_rows(cost_range(3 * 10**9, exactness), exactness, digits=3)) == {
        "exact part": "0.002 $, 2 calls: reported, priced by the catalog",
        "bounded part": "0.001 to 0.010 $, 1 call (usage partial 1)",
        "failed calls": "1 failed call reported none, taken as not billed",
    }
