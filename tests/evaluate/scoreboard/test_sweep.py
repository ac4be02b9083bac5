from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluate.outcomes.tables import pair_of
from turnout.evaluate.outcomes.pair import Pair
from turnout.evaluate.scoreboard.sweep import Cut, cheapest_cut, curves, order_of, thinned

# The cheap model answers a and b, the capable one a, c and d; the router is in doubt about c and d alike.
FOUR = pair_of([1, 1, 0, 0], [1, 0, 1, 1], usd=([0.01] * 4, [0.1, 0.1, 0.1, 0.3]))
NEED = np.array([0.1, 0.2, 0.7, 0.7])

grades = st.sampled_from([0.0, 0.25, 0.5, 1.0])


@st.composite
def routed(draw: st.DrawFn) -> tuple[Pair, Any]:
    """A pair and scores with ties."""
    rows = draw(st.lists(st.tuples(grades, grades, st.integers(1, 9), st.integers(1, 99)), min_size=1, max_size=12))
    cheap, capable, cheap_usd, capable_usd = zip(*rows, strict=True)
    scores = draw(st.lists(st.integers(-2, 2).map(float), min_size=len(rows), max_size=len(rows)))
    return pair_of(cheap, capable, usd=(cheap_usd, capable_usd)), np.array(scores)


def by_hand(pair: Pair, sent: Any) -> tuple[float, float]:
    """Quality and USD where prompts go to the capable model with these probabilities."""
    quality = np.mean(pair.cheap_scores + sent * (pair.capable_scores - pair.cheap_scores))
    usd = np.mean(pair.cheap_usd + sent * (pair.capable_usd - pair.cheap_usd))
    return float(quality), float(usd)


class TestCurves:
    def test_four_prompts_by_hand(self) -> None:
        drawn = curves(FOUR, order_of(NEED))
        assert drawn.share.tolist() == [[0.0, 0.5, 0.75, 1.0]]
        assert drawn.quality[0] == pytest.approx([0.5, 1.0, 0.75, 0.75])
        assert drawn.usd[0] == pytest.approx([0.01, 0.105, 0.1275, 0.15])

    def test_a_weight_is_as_many_prompts(self) -> None:
        order = order_of(NEED)
        (weighted,) = curves(FOUR, order, np.array([[1, 0, 2, 1]])).quality
        four = [0, 2, 2, 3]
        twice = pair_of([[1, 1, 0, 0][row] for row in four], [[1, 0, 1, 1][row] for row in four])
        (repeated,) = curves(twice, order_of(NEED[four])).quality
        # The point after b, whom nobody drew, stands where it was.
        assert weighted == pytest.approx([repeated[0], repeated[1], repeated[1], repeated[2]])

    @given(routed())
    def test_every_point_is_what_its_threshold_gives(self, case: tuple[Pair, Any]) -> None:
        pair, scores = case
        order = order_of(scores)
        drawn = curves(pair, order)
        for point, least in enumerate([math.inf, *order.values.tolist()]):
            sent = scores >= least
            assert drawn.share[0, point] == pytest.approx(sent.mean())
            assert (drawn.quality[0, point], drawn.usd[0, point]) == pytest.approx(by_hand(pair, sent))

    @pytest.mark.parametrize("scores", [[], [1.0, math.nan], [math.inf, 0.0]])
    def test_scores_that_rank_nothing(self, scores: list[float]) -> None:
        with pytest.raises(ValueError, match="finite numbers"):
            order_of(scores)


class TestThinned:
    def test_few_runs_stay_as_they_are(self) -> None:
        order = order_of(NEED)
        same, points = thinned(order, [0, 2], most=3)
        assert same is order
        assert points.tolist() == [0, 2]

    def test_no_point_needs_to_stay(self) -> None:
        fewer, points = thinned(order_of(np.arange(100)), [], most=10)
        assert (len(fewer.starts), points.tolist()) == (10, [])

    @pytest.mark.parametrize("most", [5, 50, 333])
    def test_points_that_are_left_are_where_they_were(self, most: int) -> None:
        rng = np.random.default_rng(0)
        pair = pair_of(rng.integers(0, 2, 1_000), rng.integers(0, 2, 1_000))
        order = order_of(rng.random(1_000))
        wanted = np.array([0, 101, 500, 1_000])
        fewer, points = thinned(order, wanted, most=most)
        assert len(fewer.starts) <= most + len(wanted)
        whole, thin = curves(pair, order), curves(pair, fewer)
        for of_whole, of_thin in zip(whole, thin, strict=True):
            assert of_thin[0, points] == pytest.approx(of_whole[0, wanted])
        shares = np.searchsorted(whole.share[0], thin.share[0] - 1e-12)
        assert thin.quality[0] == pytest.approx(whole.quality[0, shares])


class TestCheapestCut:
    def test_four_prompts_by_hand(self) -> None:
        # Kept is 0.95 x 0.75 = 0.7125: 42.5 % of the way from 0.5 to 1 while c and d change.
        cut = cheapest_cut(FOUR, NEED, 0.95)
        assert cut.at == 0.7
        assert cut.share_at == pytest.approx(0.425)
        assert cut.on_capable(NEED) == pytest.approx([0, 0, 0.425, 0.425])

    def test_the_cheap_model_may_be_enough(self) -> None:
        cut = cheapest_cut(pair_of([1, 1], [1, 1]), np.array([0.3, 0.4]), 0.95)
        assert cut == Cut(math.inf, 0.0)
        assert cut.on_capable(np.array([9.0])).tolist() == [0.0]

    @given(routed(), st.sampled_from([0.5, 0.95, 0.98, 1.0]))
    def test_it_keeps_what_it_should_and_no_corner_is_cheaper(self, case: tuple[Pair, Any], keep: float) -> None:
        pair, scores = case
        cut = cheapest_cut(pair, scores, keep)
        target = keep * pair.capable_scores.mean()
        quality, usd = by_hand(pair, cut.on_capable(scores))
        assert quality >= target - 1e-9
        for least in [math.inf, *scores.tolist()]:
            other_quality, other_usd = by_hand(pair, scores >= least)
            assert other_quality < target - 1e-12 or usd <= other_usd + 1e-9

    def test_without_costs_it_saves_calls(self) -> None:
        pair = pair_of([0, 1], [1, 1], usd=([math.nan] * 2, [math.nan] * 2))
        assert cheapest_cut(pair, np.array([1.0, 0.0]), 1.0) == Cut(1.0, 1.0)
