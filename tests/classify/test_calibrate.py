"""From scores to P(label is simple)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.classify.calibrate import (
    Calibration,
    failed_verdict,
    fit_calibration,
    label_verdict,
    logistic,
    with_share,
)
from turnout.core.verdict import Complexity

probabilities = st.floats(0.0, 1.0)
shares = st.floats(0.01, 0.99)
scores = st.floats(-1e6, 1e6)


@given(probabilities, shares)
def test_equal_shares_change_nothing(p: float, share: float) -> None:
    assert with_share(p, set_share=share, simple_share=share) == p


@given(probabilities, probabilities, shares, shares)
def test_the_correction_is_monotone_and_stays_a_probability(p: float, q: float, set_share: float, share: float) -> None:
    low, high = sorted((p, q))
    corrected_low = with_share(low, set_share=set_share, simple_share=share)
    corrected_high = with_share(high, set_share=set_share, simple_share=share)
    assert 0.0 <= corrected_low <= corrected_high * (1 + 1e-12) <= 1.0 + 1e-12


@given(probabilities, shares, shares)
def test_certainty_survives_and_more_simple_queries_make_simple_likelier(
    p: float, set_share: float, share: float
) -> None:
    assert with_share(0.0, set_share=set_share, simple_share=share) == 0.0
    assert with_share(1.0, set_share=set_share, simple_share=share) == 1.0
    corrected = with_share(p, set_share=set_share, simple_share=share)
    assert corrected >= p * (1 - 1e-12) if share >= set_share else corrected <= p * (1 + 1e-12)


@given(st.floats(0.001, 0.999), shares, shares)
def test_the_correction_can_be_taken_back(p: float, set_share: float, share: float) -> None:
    there = with_share(p, set_share=set_share, simple_share=share)
    assert with_share(there, set_share=share, simple_share=set_share) == pytest.approx(p, rel=1e-9)


def test_the_correction_by_hand() -> None:
    # odds 1 * (0.65/0.35) = 13/7; 13/20
    assert with_share(0.5, set_share=0.5, simple_share=0.65) == pytest.approx(0.65)
    # odds 9 * 13/7 = 117/7; 117/124
    assert with_share(0.9, set_share=0.5, simple_share=0.65) == pytest.approx(117 / 124)
    # odds 1/3 * (0.5/0.5) / (0.25/0.75) = 1
    assert with_share(0.25, set_share=0.25, simple_share=0.5) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("p", "set_share", "simple_share", "named"),
    [
        (1.1, 0.5, 0.5, "p must"),
        (0.5, 0.0, 0.5, "set_share"),
        (0.5, 0.5, 1.0, "simple_share"),
        (math.nan, 0.5, 0.6, "p must"),
    ],
)
def test_values_out_of_range(p: float, set_share: float, simple_share: float, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        with_share(p, set_share=set_share, simple_share=simple_share)


@given(scores)
def test_logistic(x: float) -> None:
    assert 0.0 <= logistic(x) <= 1.0
    assert logistic(x) + logistic(-x) == pytest.approx(1.0)


@given(st.floats(0.0, 50.0), st.floats(-50.0, 50.0), scores, scores, shares)
def test_a_higher_score_is_never_less_simple(slope: float, intercept: float, a: float, b: float, share: float) -> None:
    calibration = Calibration(slope=slope, intercept=intercept)
    low, high = sorted((a, b))
    assert calibration.p_simple(low, share) <= calibration.p_simple(high, share) + 1e-12


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"slope": -0.1}, "slope"),
        ({"slope": math.inf}, "slope"),
        ({"intercept": math.nan}, "intercept"),
        ({"set_share": 1.0}, "set_share"),
    ],
)
def test_a_calibration_that_cannot_be(values: dict[str, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Calibration(**values)


def labels(simple: int, others: int) -> list[Complexity]:
    kinds: tuple[Complexity, Complexity] = ("simple", "complex")
    return [kinds[0]] * simple + [kinds[1]] * others


def test_the_fit_gives_the_smoothed_rates_of_a_yes_or_no_score() -> None:
    # Of 40 simple queries 30 score 1, of 40 complex ones 10: the targets are 41/42 and 1/42, so
    # P(1) = (30 * 41/42 + 10 * 1/42) / 40 and P(-1) = (10 * 41/42 + 30 * 1/42) / 40.
    fitted = fit_calibration([1.0] * 30 + [-1.0] * 10 + [1.0] * 10 + [-1.0] * 30, labels(40, 40))
    assert fitted.set_share == 0.5
    assert fitted.p_simple(1.0, 0.5) == pytest.approx((30 * 41 + 10) / (42 * 40))
    assert fitted.p_simple(-1.0, 0.5) == pytest.approx((10 * 41 + 30) / (42 * 40))


def test_a_perfectly_ranked_set_gives_no_certainty() -> None:
    fitted = fit_calibration([5.0, 4.0, 3.0, -3.0, -4.0, -5.0], labels(3, 3))
    assert 0.5 < fitted.p_simple(4.0, 0.5) < 0.999
    assert 0.001 < fitted.p_simple(-4.0, 0.5) < 0.5


def test_scores_that_rank_the_wrong_way_round_tell_nothing() -> None:
    fitted = fit_calibration([-2.0, -1.0, -1.5, 1.0, 2.0, 1.5], labels(3, 3))
    assert fitted == Calibration(slope=0.0, intercept=0.0, set_share=0.5)


def test_equal_scores_tell_nothing_but_the_share() -> None:
    fitted = fit_calibration([0.0] * 40, labels(30, 10))
    assert fitted.set_share == 0.75
    assert fitted.p_simple(3.0, 0.75) == pytest.approx(0.75, abs=0.02)


@given(st.lists(st.tuples(st.floats(-30.0, 30.0), st.booleans()), min_size=2, max_size=40))
def test_the_fit_is_finite_and_least(rows: list[tuple[float, bool]]) -> None:
    kinds: list[Complexity] = ["simple" if simple else "complex" for _, simple in rows]
    values = [score for score, _ in rows]
    if len(set(kinds)) < 2:
        with pytest.raises(ValueError, match="both labels"):
            fit_calibration(values, kinds)
        return
    fitted = fit_calibration(values, kinds)
    assert fitted == fit_calibration(values, kinds)
    assert math.isfinite(fitted.slope)
    assert math.isfinite(fitted.intercept)
    if fitted.slope > 0.0:
        here = loss(fitted.slope, fitted.intercept, values, kinds)
        for slope, intercept in ((1.01, 0.0), (0.99, 0.0), (1.0, 0.01), (1.0, -0.01)):
            assert here <= loss(fitted.slope * slope, fitted.intercept + intercept, values, kinds) + 1e-7


def loss(slope: float, intercept: float, values: list[float], kinds: list[Complexity]) -> float:
    """The cross-entropy against Platt's targets, written out."""
    n_simple = kinds.count("simple")
    targets = {"simple": (n_simple + 1) / (n_simple + 2), "complex": 1 / (len(kinds) - n_simple + 2)}
    total = 0.0
    for value, kind in zip(values, kinds, strict=True):
        p = min(max(logistic(slope * value + intercept), 1e-300), 1 - 1e-16)
        total -= targets[kind] * math.log(p) + (1 - targets[kind]) * math.log(1 - p)
    return total


def test_a_fit_needs_as_many_labels_as_scores_and_finite_ones() -> None:
    with pytest.raises(ValueError, match="3 scores but 2 labels"):
        fit_calibration([1.0, 2.0, 3.0], labels(1, 1))
    with pytest.raises(ValueError, match="finite"):
        fit_calibration([1.0, math.nan], labels(1, 1))


@given(probabilities)
def test_label_and_probability_of_a_verdict_agree(p: float) -> None:
    verdict = label_verdict("any", p)
    assert (verdict.label == "simple") == (p >= 0.5)
    assert verdict.basis == "label"
    assert verdict.p_suffices == {}


def test_a_failed_verdict_has_no_label() -> None:
    verdict = failed_verdict("any", "unparsed", "the answer is empty")
    assert verdict.label is None
    assert verdict.failure is not None
    assert verdict.failure.kind == "unparsed"
