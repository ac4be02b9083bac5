"""Logistic regression."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.classify.logistic import Head, fit_head


def loss(head: Head, x: np.ndarray, simple: list[bool], l2: float) -> float:
    """The penalised loss, written out."""
    total = 0.5 * l2 * sum(weight * weight for weight in head.weights)
    for row, is_simple in zip(x, simple, strict=True):
        z = float(row @ np.array(head.weights)) + head.intercept
        total += math.log1p(math.exp(-z if is_simple else z))
    return total


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.01, 0.3, 1.0, 30.0]), st.integers(2, 6))
def test_the_fit_is_least(seed: int, l2: float, dimensions: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(20, dimensions))
    simple = [bool(value) for value in rng.integers(0, 2, 20)]
    simple[:2] = [True, False]
    head = fit_head(x, simple, l2=l2)
    assert head == fit_head(x, simple, l2=l2)
    least = loss(head, x, simple, l2)
    for index in range(dimensions):
        for step in (1e-3, -1e-3):
            moved = list(head.weights)
            moved[index] += step
            assert loss(Head(tuple(moved), head.intercept), x, simple, l2) >= least
    for step in (1e-3, -1e-3):
        assert loss(Head(head.weights, head.intercept + step), x, simple, l2) >= least


def test_the_fit_by_hand() -> None:
    # Vectors of zeros: the intercept alone is fitted, to the log-odds of three in four.
    head = fit_head(np.zeros((4, 2)), [True, True, True, False], l2=1.0)
    assert head.weights == (0.0, 0.0)
    assert head.intercept == pytest.approx(math.log(3.0))
    # One dimension, +1 and -1, balanced: sigmoid(-w) * 2 = l2 * w, and at l2 = 1 the root is w = 0.7388...
    (weight,) = fit_head(np.array([[1.0], [-1.0]]), [True, False], l2=1.0).weights
    assert 2.0 / (1.0 + math.exp(weight)) == pytest.approx(weight)


def test_separable_examples_with_almost_no_penalty_still_converge() -> None:
    head = fit_head(np.array([[1.0], [2.0], [-1.0], [-2.0]]), [True, True, False, False], l2=1e-9)
    assert head.weights[0] > 5.0
    assert head.scores(np.array([[1.0]]))[0] > 5.0


def test_scores_are_log_odds() -> None:
    assert Head((2.0, -1.0), 0.5).scores(np.array([[1.0, 1.0], [0.0, 0.0]])) == [1.5, 0.5]


@pytest.mark.parametrize(
    ("shape", "simple", "l2", "message"),
    [
        ((2, 3), [True], 1.0, "shape"),
        ((2,), [True, False], 1.0, "shape"),
        ((2, 3), [True, True], 1.0, "both labels"),
        ((2, 3), [True, False], 0.0, "l2"),
        ((2, 3), [True, False], math.nan, "l2"),
    ],
)
def test_input_that_cannot_be_fitted(shape: tuple[int, ...], simple: list[bool], l2: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_head(np.ones(shape), simple, l2=l2)


def test_vectors_that_are_not_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        fit_head(np.array([[1.0], [math.nan]]), [True, False], l2=1.0)
