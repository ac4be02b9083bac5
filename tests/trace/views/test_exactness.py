from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from turnout.core.verdict import UsageSource
from turnout.trace.events import CallEvent
from turnout.trace.views.exactness import (
    ALL_EXACT,
    UNPRICED,
    Between,
    CostRange,
    Exactness,
    certainty,
    cost_range,
    difference,
    exactness_of,
    relative,
    usd_between,
)


@pytest.mark.parametrize(
    ("source", "status", "error", "cost", "high", "found"),
    [
        ("reported", "ok", "", 7, 7, "exact"),
        ("reported", "ok", "", 7, 0, "exact"),
        ("reported", "cancelled", "", 7, 7, "exact"),
        ("reported", "error", "ModelStreamError", 7, 7, "exact"),
        # Reported, but not for how long its cache writes are kept.
        ("reported", "ok", "", 7, 9, "bounded"),
        ("partial", "ok", "", 7, 9, "bounded"),
        ("estimated", "cancelled", "", 0, 9, "bounded"),
        ("estimated", "cancelled", "", 7, 7, "bounded"),
        ("none", "error", "ReadTimeout", 0, 9, "bounded"),
        ("none", "error", "ThrottlingException", 0, 0, "failed"),
        ("none", "error", "ThrottlingException", 7, 0, "open"),
        ("none", "ok", "", 0, 0, "open"),
        ("none", "cancelled", "", 0, 0, "open"),
        # Its tokens were reported, and the catalog has no price for them.
        ("reported", "error", UNPRICED, 0, 0, "open"),
        ("none", "error", UNPRICED, 0, 0, "open"),
    ],
)
def test_only_reported_usage_at_catalog_prices_is_exact(
    source: UsageSource, status: str, error: str, cost: int, high: int, found: str
) -> None:
    assert certainty(source, status, error, cost, high) == found


def test_no_call_is_exact() -> None:
    assert (ALL_EXACT.calls, ALL_EXACT.exact, ALL_EXACT.settled) == (0, True, True)
    assert cost_range(0, ALL_EXACT).settled


def test_a_failed_call_is_no_exact_one() -> None:
    found = Exactness(exact_calls=2, failed_calls=1, reported=2, none=1)
    assert (found.calls, found.exact, found.settled) == (3, False, True)


def test_a_cost_is_taken_apart() -> None:
    bounded = Exactness(exact_calls=1, bounded_calls=1, low_pico=10, high_pico=90)
    assert cost_range(25, bounded) == CostRange(exact_pico=15, low_pico=10, high_pico=90)
    assert (cost_range(25, bounded).least_pico, cost_range(25, bounded).most_pico) == (25, 105)
    opened = Exactness(open_calls=1, low_pico=5, high_pico=5)
    assert cost_range(30, bounded, opened) == CostRange(exact_pico=15, low_pico=15, high_pico=None)
    assert cost_range(30, bounded, opened).most_pico is None


@given(st.data())
def test_every_call_is_of_one_kind_and_all_money_is_kept(
    call_events: SearchStrategy[CallEvent], data: st.DataObject
) -> None:
    calls = data.draw(st.lists(call_events, max_size=6))
    calls = [msgspec.structs.replace(one, error=data.draw(st.sampled_from(["", UNPRICED, "x"]))) for one in calls]
    found = exactness_of(calls)
    assert found.calls == len(calls)
    assert found.reported + found.partial + found.estimated + found.none == len(calls)
    cost = cost_range(sum(call.cost.total_pico for call in calls), found)
    exact = [call for call in calls if exactness_of((call,)).exact]
    failed = [call for call in calls if exactness_of((call,)).failed_calls]
    assert all(call.usage_source == "reported" and call.error != UNPRICED for call in exact)
    assert all(call.cost.total_pico == 0 for call in failed)
    assert cost.exact_pico == sum(call.cost.total_pico for call in exact)
    assert cost.least_pico == sum(call.cost.total_pico for call in calls)
    if cost.most_pico is not None:
        inexact = [call for call in calls if call not in exact and call not in failed]
        most = sum(max(call.cost.total_pico, call.cost_high_pico) for call in inexact)
        assert cost.most_pico == cost.exact_pico + most >= cost.least_pico
    assert found == sum((exactness_of((call,)) for call in calls), start=ALL_EXACT)


_ENDS = st.tuples(st.integers(0, 10**15), st.integers(0, 10**15)).map(sorted)


@given(_ENDS, _ENDS, st.integers(0, 100), st.integers(0, 100))
def test_every_change_that_can_be_lies_between_the_ends(was: list[int], now: list[int], one: int, other: int) -> None:
    before, after = (usd_between(CostRange(exact_pico=0, low_pico=a, high_pico=b)) for a, b in (was, now))
    true_before = was[0] + (was[1] - was[0]) * one // 100
    true_after = now[0] + (now[1] - now[0]) * other // 100
    change = difference(before, after)
    assert change.low is not None
    assert change.high is not None
    assert Fraction(change.low) * 10**12 <= true_after - true_before <= Fraction(change.high) * 10**12
    percent = relative(before, after)
    assert (percent.high is None) == (was[0] == 0)
    if percent.high is not None and percent.low is not None and true_before:
        true = Fraction(true_after - true_before, true_before) * 100
        slack = Fraction(1, 10**9)  # percentages are rounded to 28 digits
        assert Fraction(percent.low) - slack <= true <= Fraction(percent.high) + slack


def test_what_has_no_upper_bound_bounds_a_change_on_one_side() -> None:
    known, opened = Between(Decimal(2), Decimal(2)), Between(Decimal(1), None)
    assert difference(opened, known) == Between(None, Decimal(1))
    assert difference(known, opened) == Between(Decimal(-1), None)
    assert relative(opened, known) == Between(None, Decimal(100))
    assert relative(known, opened) == Between(Decimal(-50), None)
