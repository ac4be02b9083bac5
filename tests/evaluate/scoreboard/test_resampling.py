from __future__ import annotations

import numpy as np
import pytest

from tests.evaluate.outcomes.tables import pair_of
from turnout.classify.assess import Figure
from turnout.evaluate.scoreboard.resampling import (
    FEWEST_RESAMPLES,
    RESAMPLES,
    difference,
    draws_for,
    figure,
)

PAIR = pair_of([0, 0, 1, 1], [1, 1, 1, 1], groups=[0, 0, 1, 2])


def test_a_group_is_drawn_as_a_whole() -> None:
    draws = draws_for([PAIR], resamples=50)
    for (counts,) in draws.chunks():
        assert (counts[:, 0] == counts[:, 1]).all()
        assert (counts[:, 1:].sum(axis=1) == 3).all()


def test_the_same_seed_draws_the_same() -> None:
    one, same, other = (next(draws_for([PAIR], resamples=5, seed=seed).chunks())[0] for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_pairs_share_the_draws_of_common_groups() -> None:
    larger = pair_of([0] * 5, [1] * 5)
    for mine, theirs in draws_for([pair_of([0] * 3, [1] * 3), larger], resamples=20).chunks():
        assert (mine == theirs[:, :3]).all()
        assert (theirs.sum(axis=1) == 5).all()


def test_no_pair_is_left_without_a_prompt() -> None:
    lonely = pair_of([0], [1])
    drawn = list(draws_for([lonely, pair_of([0] * 4, [1] * 4)], resamples=100).chunks())
    assert sum(len(mine) for mine, _ in drawn) < 100
    assert all((mine > 0).all() for mine, _ in drawn)


def test_large_tables_have_fewer_draws() -> None:
    def resamples(prompts: int) -> int:
        return draws_for([pair_of([0.0] * prompts, [1.0] * prompts)]).resamples

    assert resamples(100) == RESAMPLES
    assert FEWEST_RESAMPLES <= resamples(200_000) < RESAMPLES


def test_the_interval_holds_the_mean_s_true_spread() -> None:
    rng = np.random.default_rng(0)
    grades = rng.integers(0, 2, 400)
    pair = pair_of(grades, [1] * 400)
    means = np.concatenate(
        [counts @ pair.cheap_scores / counts.sum(axis=1) for (counts,) in draws_for([pair]).chunks()]
    )
    found = figure(float(grades.mean()), means)
    assert found is not None
    # The standard error of a mean of 400 coins is 0.025.
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.025, rel=0.06)


class TestFigures:
    def test_what_is_not_defined(self) -> None:
        assert figure(float("nan"), np.ones(3)) is None
        assert figure(1.0, np.array([np.nan, np.nan, 1.0])) is None
        assert figure(1.0, np.array([np.nan, 0.5, 2.0])) == Figure(1.0, 0.5375, 1.9625)

    def test_the_interval_holds_the_figure(self) -> None:
        assert figure(5.0, np.array([1.0, 2.0])) == Figure(5.0, 1.025, 5.0)

    def test_p_is_twice_the_share_on_the_other_side(self) -> None:
        found = difference(1.0, np.concatenate([np.ones(99), [-1.0]]))
        assert found is not None
        assert found.p == pytest.approx(2 * 2 / 101)
        same = difference(0.0, np.zeros(50))
        assert same is not None
        assert same.p == 1.0
