"""The held-out table."""

from __future__ import annotations

import math
import statistics
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.classify.assess import Judged, assess, calibration_of, judge, wilson
from turnout.classify.calibrate import failed_verdict, label_verdict, with_share
from turnout.classify.examples import LabelledQuery
from turnout.classify.length import LengthClassifier
from turnout.core.cost import Cost
from turnout.core.verdict import ClassifierCall, Complexity, Verdict


def query(pair: int, label: Complexity, text: str = "a b") -> LabelledQuery:
    return LabelledQuery(pair=f"p{pair}", id=f"p{pair}{label}", text=text, label=label, split="held_out")


def judged(pair: int, label: Complexity, p: float | None, *, calls: int = 0, ms: float = 1.0) -> Judged:
    made = tuple(ClassifierCall(model="m") for _ in range(calls))
    verdict: Verdict = (
        failed_verdict("c", "error", "x", calls=made, latency_ms=ms)
        if p is None
        else label_verdict("c", p, calls=made, latency_ms=ms)
    )
    return Judged(query=query(pair, label), verdict=verdict)


def pairs(*values: tuple[float | None, float | None]) -> list[Judged]:
    """For each pair P(simple) of its simple and of its complex query."""
    rows: list[Judged] = []
    for number, (simple, hard) in enumerate(values):
        rows += [judged(number, "simple", simple), judged(number, "complex", hard)]
    return rows


def test_the_figures_by_hand() -> None:
    # Right labels: 0.9 and 0.2 of pair 0, 0.6 of pair 1 (its complex one is 0.7), none of pair 2 but the complex 0.1.
    result = assess("c", pairs((0.9, 0.2), (0.6, 0.7), (0.4, 0.1)), simple_share=0.5)
    assert result.accuracy.value == pytest.approx(4 / 6)
    # Of the nine comparisons 0.9 wins 3, 0.6 wins 2 and 0.4 wins 2.
    assert result.auc.value == pytest.approx(7 / 9)
    assert result.pairs_right.value == pytest.approx(2 / 3)
    assert (result.queries, result.failures) == (6, 0)
    assert result.cost_usd == Decimal(0)


def test_ties_count_one_half() -> None:
    result = assess("c", pairs((0.5, 0.5), (0.5, 0.5)), simple_share=0.5)
    assert result.auc.value == 0.5
    assert result.pairs_right.value == 0.5
    assert result.accuracy.value == 0.5


def test_a_failure_is_a_wrong_label_and_ranks_in_the_middle() -> None:
    result = assess("c", pairs((None, 0.2), (0.9, None)), simple_share=0.5)
    assert result.failures == 2
    assert result.accuracy.value == 0.5
    assert result.auc.value == 1.0 - 0.5 / 4


def test_figures_are_taken_at_the_balanced_prior() -> None:
    share = 0.65
    shifted = [
        (with_share(a, set_share=0.5, simple_share=share), with_share(b, set_share=0.5, simple_share=share))
        for a, b in ((0.9, 0.45), (0.55, 0.4))
    ]
    result = assess("c", pairs(*shifted), simple_share=share)
    assert result.accuracy.value == 1.0


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)), min_size=1, max_size=12))
def test_intervals_hold_their_figure(values: list[tuple[float, float]]) -> None:
    result = assess("c", pairs(*values), simple_share=0.5)
    for figure in (result.accuracy, result.auc, result.pairs_right):
        assert 0.0 <= figure.low <= figure.value <= figure.high <= 1.0
    assert result == assess("c", pairs(*values), simple_share=0.5)


def test_more_pairs_give_narrower_intervals() -> None:
    values = [(0.9, 0.2), (0.6, 0.7), (0.4, 0.1)]
    few, many = assess("c", pairs(*values), simple_share=0.5), assess("c", pairs(*values * 20), simple_share=0.5)
    for one, other in ((few.accuracy, many.accuracy), (few.auc, many.auc), (few.pairs_right, many.pairs_right)):
        assert other.value == pytest.approx(one.value)
        assert other.high - other.low < one.high - one.low


def test_bootstrap_is_about_the_normal_interval_where_pairs_are_many() -> None:
    # 100 pairs, in 60 of which both labels are right and in 40 both wrong: the pair is the unit, so the standard error
    # of the accuracy is sqrt(0.6 * 0.4 / 100) = 0.049, and not the 0.035 of 200 independent queries.
    result = assess("c", pairs(*[(0.9, 0.1)] * 60, *[(0.1, 0.9)] * 40), simple_share=0.5)
    assert result.accuracy.value == 0.6
    assert (result.accuracy.high - result.accuracy.low) / 2 == pytest.approx(1.96 * 0.049, rel=0.1)


def test_times_leave_the_first_one_out_and_costs_are_means() -> None:
    rows = [
        judged(0, "simple", 0.9, calls=1, ms=500.0),
        judged(0, "complex", 0.1, calls=2, ms=3.0),
        judged(1, "simple", 0.9, calls=0, ms=5.0),
        judged(1, "complex", 0.1, calls=1, ms=4.0),
    ]
    result = assess("c", rows, simple_share=0.5, cost_of_call=lambda call: Cost(input_pico=2_000_000))
    assert (result.first_ms, result.median_ms) == (500.0, statistics.median([3.0, 5.0, 4.0]))
    assert result.cost_usd == Decimal("0.000002")
    assert assess("c", rows, simple_share=0.5).cost_usd is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no verdicts"),
        ([judged(0, "simple", 0.5)], "pair 'p0' is not whole"),
        ([judged(0, "simple", 0.5), judged(0, "simple", 0.5)], "pair 'p0' has two simple"),
    ],
)
def test_what_cannot_be_assessed(rows: list[Judged], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        assess("c", rows, simple_share=0.5)


def test_wilson_by_hand() -> None:
    # n = 100, p = 0.5: half width 1.96 * sqrt(0.25/100 + 3.8415/40000) / 1.038415
    figure = wilson(50, 100)
    assert (figure.low, figure.high) == pytest.approx((0.40383, 0.59617), abs=1e-5)
    # No success of 10: the upper end is z^2 / (n + z^2)
    assert wilson(0, 10).high == pytest.approx(3.841459 / 13.841459)
    assert wilson(0, 10).low == 0.0


@given(st.integers(1, 500), st.floats(0.0, 1.0))
def test_wilson_holds_its_share(trials: int, share: float) -> None:
    figure = wilson(share * trials, trials)
    assert 0.0 <= figure.low <= figure.value <= figure.high <= 1.0
    mirrored = wilson(trials - share * trials, trials)
    assert mirrored.low == pytest.approx(1.0 - figure.high, abs=1e-9)


@pytest.mark.parametrize(("successes", "trials"), [(1.0, 0), (-1.0, 5), (6.0, 5), (math.nan, 5)])
def test_shares_that_cannot_be(successes: float, trials: int) -> None:
    with pytest.raises(ValueError, match="there cannot be"):
        wilson(successes, trials)


async def test_asking_a_real_classifier() -> None:
    queries = [query(0, "simple", "short"), query(0, "complex", "a query of nine words is one too long")]
    seen: list[Judged] = []
    asked = await judge(LengthClassifier(), queries, on_verdict=seen.append)
    assert seen == asked
    result = assess("length", asked, simple_share=0.65)
    assert (result.accuracy.value, result.auc.value, result.pairs_right.value) == (1.0, 1.0, 1.0)
    assert result.first_ms > 0.0


def test_calibration_of_verdicts() -> None:
    # Verdicts of a model that claims 0.9 for what is simple three times of four, and 0.1 likewise.
    rows = pairs(*[(0.9, 0.1)] * 30, *[(0.1, 0.9)] * 10, (None, None))
    fitted = calibration_of(rows)
    assert fitted.set_share == 0.5
    assert fitted.p_simple(math.log(9.0), 0.5) == pytest.approx(0.75, abs=0.02)
    assert fitted.p_simple(-math.log(9.0), 0.5) == pytest.approx(0.25, abs=0.02)
    certain = calibration_of(pairs((1.0, 0.0), (1.0, 0.0), (0.0, 1.0)))
    assert math.isfinite(certain.slope)
