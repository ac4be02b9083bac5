from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.evaluate.guarantee.pvalues import (
    BOLDEST,
    bets,
    betting,
    betting_in_order,
    binomial_cdf,
    hoeffding_bentkus,
    p_values,
)

losses = st.lists(st.floats(-1.0, 0.9), min_size=1, max_size=40)


class TestBinomial:
    @given(st.integers(1, 60), st.integers(-2, 62), st.integers(1, 19))
    def test_against_fractions(self, trials: int, most: int, twentieths: int) -> None:
        p = Fraction(twentieths, 20)
        exact = sum(math.comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(min(most, trials) + 1))
        found = binomial_cdf(most, trials, float(p))
        assert found == pytest.approx(float(exact), rel=1e-8, abs=1e-300)
        assert found >= float(exact) * (1 - 1e-12)

    def test_far_in_the_tail_of_many(self) -> None:
        # exp(-2 n t^2), Hoeffding's bound, is above it; the value itself is known from other libraries.
        assert binomial_cdf(49_000, 100_000, 0.5) == pytest.approx(1.3025e-10, rel=1e-3)


class TestHoeffdingBentkus:
    def test_by_hand(self) -> None:
        # 20 losses of -1 with a range to 1: the mean is 0 of a bar of 1/2; Hoeffding has 2^-20, Bentkus e 2^-20.
        assert hoeffding_bentkus([[-1.0] * 20]) == pytest.approx([2.0**-20])
        # 10 of -1 and 2 of 1: a mean of 1/6 against 1/2, KL = log 2 - H(1/6) nats.
        entropy = -(1 / 6) * math.log(1 / 6) - (5 / 6) * math.log(5 / 6)
        hoeffding = math.exp(-12 * (math.log(2) - entropy))
        bentkus = math.e * (1 + 12 + 66) / 4096
        assert hoeffding_bentkus([[-1.0] * 10 + [1.0] * 2]) == pytest.approx([min(hoeffding, bentkus)])

    def test_no_room_no_evidence(self) -> None:
        assert hoeffding_bentkus([[0.0] * 5, [0.5] * 5], most=0.98).tolist() == [1.0, 1.0]


class TestBetting:
    def test_by_hand(self) -> None:
        # 3 losses of -0.1 with a room of 0.5: from log(20) / 1.5 (beyond the boldest) on, so the boldest bet alone.
        assert bets(3, most=0.9, room=0.5, delta=0.05).tolist() == [pytest.approx(BOLDEST / 0.9)]
        assert betting([[-0.1] * 3], most=0.9, room=0.5) == pytest.approx([(1 + 0.1 * BOLDEST / 0.9) ** -3])

    def test_the_mean_of_the_bettors_wealth(self) -> None:
        shares = bets(400, most=0.98, room=0.02, delta=0.05)
        assert shares[0] == pytest.approx(math.log(20) / 8)
        assert shares[-1] == pytest.approx(BOLDEST / 0.98)
        assert (shares[1:] / shares[:-1] <= 2**0.5 + 1e-12).all()
        wealth = np.mean([(1 + 0.02 * share) ** 390 * (1 - 0.5 * share) for share in shares])
        drawn = np.array([[-0.02] * 390 + [0.5] + [0.0] * 9])
        assert betting(drawn, most=0.98) == pytest.approx([min(1.0, 1 / wealth)])

    def test_losses_that_vary_little_are_soon_enough(self) -> None:
        steady = np.full((1, 400), -0.02)
        assert betting(steady, most=0.98)[0] < 0.01
        assert hoeffding_bentkus(steady, most=0.98)[0] > 0.8

    def test_nothing_is_won_where_there_is_nothing(self) -> None:
        assert betting([[0.0] * 9, [0.3] * 9]).tolist() == [1.0, 1.0]

    @given(losses, st.randoms(use_true_random=False))
    def test_the_order_plays_no_part_and_a_better_loss_never_hurts(self, given_losses: list[float], draw: Any) -> None:
        p = betting([given_losses], most=0.9)[0]
        assert 0.0 < p <= 1.0
        other = list(given_losses)
        draw.shuffle(other)
        assert betting([other], most=0.9)[0] == pytest.approx(p)
        other[0] = -1.0
        assert betting([other], most=0.9)[0] <= p + 1e-12


class TestBettingInOrder:
    def test_by_hand(self) -> None:
        # Before the first loss nothing is known: no bet. Before the second: mean -1/4 of two, squares (1/4 + 1/4) / 2.
        bet = 0.25 / ((0.25 - 0.0625) + 0.0625)
        assert bet == 1.0
        assert betting_in_order([[-0.5, -0.5]]) == pytest.approx([1 / (1 + 0.75 * 0.5)])

    @given(losses)
    def test_a_better_first_loss_changes_nothing_that_was_bet_before(self, given_losses: list[float]) -> None:
        p = betting_in_order([given_losses], most=0.9)[0]
        assert 0.0 < p <= 1.0
        longer = betting_in_order([[*given_losses, -1.0]], most=0.9)[0]
        assert longer <= p + 1e-12


@pytest.mark.parametrize("population", [160, 1_500])
def test_without_replacement_betting_is_valid_exactly(population: int) -> None:
    """Drawn from a population whose mean loss is 0, even nearly all of it."""
    rng = np.random.default_rng(2)
    losses_of_all = np.array([-0.1] * (population * 9 // 10) + [0.9] * (population // 10))
    drawn = np.stack([rng.choice(losses_of_all, 150, replace=False) for _ in range(2_000)])
    for delta in (0.05, 0.2):
        found = betting(drawn, most=0.9, room=0.1, delta=delta)
        assert (found <= delta).mean() <= delta + 3 * math.sqrt(delta * (1 - delta) / 2_000)


@pytest.mark.parametrize("test", ["betting", "betting_in_order", "hoeffding_bentkus"])
@pytest.mark.parametrize(
    ("values", "most"), [([-1.0, 0.95], 0.95), ([-0.3, 0.3], 0.98), ([-0.02, 0.02], 1.0), ([-1.0, -0.5, 0.5, 0.9], 0.9)]
)
def test_it_is_valid_where_the_mean_loss_is_zero(test: Any, values: list[float], most: float) -> None:
    """At the border of the hypothesis a p-value is at or below delta with a probability of at most delta."""
    rng = np.random.default_rng(1)
    # Two values, or four, with a mean of exactly 0.
    low, high = min(values), max(values)
    chance = np.array([high / (high - low), -low / (high - low)])
    drawn = rng.choice([low, high], p=chance, size=(2_000, 150))
    found = p_values(drawn, most=most, test=test)
    for delta in (0.05, 0.2):
        assert (found <= delta).mean() <= delta + 3 * math.sqrt(delta * (1 - delta) / 2_000)


@pytest.mark.parametrize(
    ("given_losses", "most", "message"),
    [
        ([[]], 1.0, "no losses"),
        ([[1.0]], 0.98, "between -1 and 0.98"),
        ([[-1.5]], 1.0, "between -1 and 1"),
        ([[math.nan]], 1.0, "between -1 and 1"),
        ([[0.0]], 1.5, "most must be"),
    ],
)
def test_losses_out_of_range(given_losses: list[list[float]], most: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        p_values(given_losses, most=most)
