from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluate.calibration.worlds import population
from turnout.evaluate.calibration.bars import Served, bars_in_order, bars_on, grid, laid_by
from turnout.evaluate.guarantee.sequence import Units

DELTA = 0.05
DRAWS = 1_000
COARSE = np.arange(40, -1, -1) / 40


def taken(
    said: Any, scores: Any, *, keep: float, served: Served = "cheapest", weights: Any = None, laid: Any = None
) -> float | None:
    """The bar that is taken for these prompts, each a group of its own."""
    units = Units(np.arange(len(said)), len(said))
    on = np.ones(len(said)) if weights is None else weights
    steps = bars_in_order(
        bars_on(said, scores, grid() if laid is None else laid), on, units, keep=keep, delta=DELTA, served=served
    )
    return next((bar for bar, step in reversed(list(steps)) if step.passed), None)


@pytest.mark.once
@pytest.mark.parametrize(
    ("models", "count", "drawn", "keep", "served"),
    [
        (2, 1_000, 500, 0.95, "cheapest"),
        (3, 1_000, 500, 0.95, "cheapest"),
        (3, 1_500, 500, 0.9, "any"),
    ],
)
def test_the_statement_is_wrong_no_more_often_than_it_says(
    models: int, count: int, drawn: int, keep: float, served: Served
) -> None:
    """1,000 draws without replacement; the rest is the population on which what is served is held against the claim."""
    said, scores = population(count, seed=models, models=models)
    rng = np.random.default_rng(4)
    wrong = shares = 0.0
    for _ in range(DRAWS):
        order = rng.permutation(count)
        mine, rest = order[:drawn], order[drawn:]
        bar = taken(said[mine], scores[mine], keep=keep, served=served, laid=COARSE)
        bars = bars_on(said[rest], scores[rest], [2.0 if bar is None else bar])
        wrong += bars.served_scores(0, served).mean() < keep * scores[rest, -1].mean()
        shares += (bars.chosen(bar) < models - 1).mean()
    assert wrong / DRAWS <= DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / DRAWS)
    # And it is of use: a good part does not go to the most capable.
    assert shares / DRAWS > 0.1


@pytest.mark.once
def test_sampled_answers_keep_the_statement() -> None:
    """Hard prompts are graded more often; by their weights the bar holds for all."""
    said, scores = population(2_000, seed=9)
    propensity = np.where(said[:, 0] < 0.75, 0.5, 0.1)
    rng = np.random.default_rng(5)
    draws, wrong, away = 400, 0, 0.0
    for _ in range(draws):
        mine = rng.random(len(said)) < propensity
        truth = scores[~mine], said[~mine], (1.0 - propensity)[~mine]
        bar = taken(said[mine], scores[mine], keep=0.9, weights=0.1 / propensity[mine], laid=COARSE)
        served = bars_on(truth[1], truth[0], [2.0 if bar is None else bar]).served_scores(0, "cheapest")
        # The rest, weighted to be the whole population.
        on = 1.0 / truth[2]
        wrong += (on * served).sum() < 0.9 * (on * truth[0][:, -1]).sum()
        away += 0.0 if bar is None else (said[mine, 0] >= bar).mean()
    assert wrong / draws <= DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / draws)
    assert away / draws > 0.1


def test_who_serves_under_a_bar() -> None:
    said = np.array([[0.9, 0.95], [0.4, 0.95], [0.4, 0.5], [0.95, 0.2]])
    scores = np.array([[0.0, 1.0, 1.0], [1.0, 0.5, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
    bars = bars_on(said, scores, [0.99, 0.9, 0.1])
    assert bars.chosen(None).tolist() == [2, 2, 2, 2]
    assert bars.chosen(0.9).tolist() == [0, 1, 2, 0]
    assert bars.served_scores(1, "cheapest").tolist() == [0.0, 0.5, 0.0, 1.0]
    assert bars.served_scores(1, "any").tolist() == [0.0, 0.5, 0.0, 1.0]
    assert bars.served_scores(2, "any").tolist() == [0.0, 0.5, 0.0, 0.0]
    assert bars.ends.tolist() == [0, 1, 2]


@given(st.integers(0, 10_000), st.sampled_from(["cheapest", "any"]))
def test_bars_that_are_the_same_for_these_prompts_are_tested_once_and_the_last_one_is_taken(
    seed: int, served: Served
) -> None:
    said, scores = population(60, seed)
    said = np.round(said, 1)
    bars = bars_on(said, scores, grid())
    assert len(bars.ends) <= 12
    for start, end in zip([0, *(bars.ends[:-1] + 1)], bars.ends, strict=True):
        assert (bars.clears(start) == bars.clears(end)).all()
        assert (bars.served_scores(start, served) == bars.served_scores(end, served)).all()


@given(st.integers(0, 10_000))
def test_whatever_serves_is_never_better_than_counted_for_the_worst_of_all_who_clear(seed: int) -> None:
    said, scores = population(40, seed, models=3)
    bars = bars_on(said, scores, [0.7])
    worst = bars.served_scores(0, "any")
    assert (worst <= bars.served_scores(0, "cheapest")).all()
    assert (worst <= scores[:, -1]).all()
    for model in range(2):
        cleared = bars.clears(0)[:, model]
        assert (worst[cleared] <= scores[cleared, model]).all()


def test_the_worst_of_all_needs_a_higher_bar() -> None:
    said, scores = population(4_000, 1)
    cheapest, worst = taken(said, scores, keep=0.95), taken(said, scores, keep=0.95, served="any")
    assert cheapest is not None
    assert worst is not None
    assert cheapest < worst


def test_bars_where_nothing_is_a_probability() -> None:
    assert laid_by(np.array([[-3.0], [5.0], [-3.0], [0.5]])).tolist() == [5.0, 0.5, -3.0]
    with pytest.raises(ValueError, match="must descend"):
        bars_on(np.zeros((1, 1)), np.zeros((1, 2)), [0.1, 0.2])


def test_too_few_stay_with_the_most_capable() -> None:
    said, scores = np.ones((150, 1)), np.ones((150, 2))
    assert taken(said, scores, keep=0.98) is None
    assert taken(np.ones((170, 1)), np.ones((170, 2)), keep=0.98) == 0.0
