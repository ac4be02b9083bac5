from __future__ import annotations

from decimal import Decimal

import pytest

from turnout.trace.views.compare import Change
from turnout.trace.views.exactness import Between, CostRange
from turnout.trace.views.figures import between, percent, signed, usd, usd_range


@pytest.mark.parametrize(
    ("amount", "digits", "shown"),
    [
        ("0.0000005", 6, "0.000000"),  # half to even
        ("0.0000015", 6, "0.000002"),
        ("1234.5", 2, "1,234.50"),
        ("-0.0000001", 6, "0.000000"),
    ],
)
def test_money_is_rounded_where_it_is_shown(amount: str, digits: int, shown: str) -> None:
    assert usd(Decimal(amount), digits) == shown


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [("43.8", "36.9", "-15.8 %"), ("1", "3.061", "+206.1 %"), ("1", "0.99999", "0.0 %"), ("0", "1", "n/a")],
)
def test_a_percentage_has_its_sign(before: str, after: str, shown: str) -> None:
    assert percent(Change(Decimal(before), Decimal(after))) == shown


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (4_500_000_000, 4_500_000_000, "0.004500"),
        (4_500_000_000, 320_000_000_000, "0.004500 to 0.320000"),
        (4_500_000_000, None, "at least 0.004500"),
        (0, None, "at least 0.000000"),
    ],
)
def test_a_cost_is_shown_as_far_as_it_is_known(low: int, high: int | None, shown: str) -> None:
    assert usd_range(CostRange(exact_pico=0, low_pico=low, high_pico=high)) == shown


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        ("-0.03", "0.01", "-0.03 to +0.01"),
        ("0.01", "0.01", "+0.01"),
        (None, "0.01", "at most +0.01"),
        ("-0.03", None, "at least -0.03"),
        (None, None, "not known"),
    ],
)
def test_two_ends_in_words(low: str | None, high: str | None, shown: str) -> None:
    ends = Between(*(None if end is None else Decimal(end) for end in (low, high)))
    assert between(ends, 2, sign=True) == shown


def test_a_unit_stands_at_both_ends() -> None:
    assert between(Between(Decimal(-1), Decimal(2)), 1, unit=" %") == "-1.0 % to 2.0 %"
    assert signed(Decimal("-0.0000001"), 6) == "0.000000"
