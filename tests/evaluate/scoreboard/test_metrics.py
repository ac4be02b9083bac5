from __future__ import annotations

from typing import Any

import numpy as np
import pandas  # type: ignore[import-untyped] # it has no types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evaluate.outcomes.tables import pair_of
from tests.evaluate.scoreboard.test_sweep import FOUR, NEED, routed
from turnout.evaluate.outcomes.pair import Pair
from turnout.evaluate.scoreboard import metrics
from turnout.evaluate.scoreboard.baselines import oracle_by_calls, oracle_by_usd
from turnout.evaluate.scoreboard.sweep import Curves, curves, order_of

# Ten prompts, the neediest last; the cheap model answers the first five, the capable one all.
TEN = pair_of([1] * 5 + [0] * 5, [1] * 10)
RANKS = np.arange(1, 11) / 10


def drawn(pair: Pair, scores: Any) -> Curves:
    return curves(pair, order_of(scores))


class TestGapRecovered:
    def test_four_prompts_by_hand(self) -> None:
        # Areas over the cheap model's 0.5: 0.5 x 0.25, 0.25 x 0.375, 0.25 x 0.25; the gap is 0.25.
        assert metrics.apgr(drawn(FOUR, NEED)) == pytest.approx([(0.125 + 0.09375 + 0.0625) / 0.25])

    def test_ten_prompts_by_hand(self) -> None:
        # 0.5 at first, the whole gap recovered at a share of one half: 0.5 x 0.5 + 0.5 x 1.
        assert metrics.apgr(drawn(TEN, RANKS)) == pytest.approx([0.75])
        assert metrics.apgr(drawn(TEN, -RANKS)) == pytest.approx([0.25])

    @given(routed())
    def test_a_blind_router_recovers_one_half(self, case: tuple[Pair, Any]) -> None:
        pair, _ = case
        found = metrics.apgr(drawn(pair, np.zeros(len(pair))))
        gap = pair.capable_scores.mean() - pair.cheap_scores.mean()
        assert np.isnan(found[0]) if gap == 0 else found[0] == pytest.approx(0.5)

    @given(routed())
    def test_the_order_turned_round_recovers_the_rest(self, case: tuple[Pair, Any]) -> None:
        pair, scores = case
        one, other = metrics.apgr(drawn(pair, scores))[0], metrics.apgr(drawn(pair, -scores))[0]
        if not np.isnan(one):
            assert one + other == pytest.approx(1.0)

    @given(routed())
    def test_nobody_beats_the_oracle(self, case: tuple[Pair, Any]) -> None:
        pair, scores = case
        best = metrics.apgr(drawn(pair, oracle_by_calls(pair)))[0]
        if pair.capable_scores.mean() > pair.cheap_scores.mean():
            assert metrics.apgr(drawn(pair, scores))[0] <= best + 1e-9


class TestCallThreshold:
    def test_by_hand(self) -> None:
        # 50 % of the gap of 0.25 is 0.625: a quarter of the way to a share of one half; 80 % is 0.7.
        assert metrics.cpt(drawn(FOUR, NEED), 0.5) == pytest.approx([12.5])
        assert metrics.cpt(drawn(FOUR, NEED), 0.8) == pytest.approx([20.0])
        assert metrics.cpt(drawn(TEN, RANKS), 0.5) == pytest.approx([25.0])
        assert metrics.cpt(drawn(TEN, -RANKS), 0.5) == pytest.approx([75.0])

    def test_without_a_better_model_there_is_nothing_to_recover(self) -> None:
        assert np.isnan(metrics.cpt(drawn(pair_of([1, 1], [0, 1]), [1.0, 2.0]), 0.5)[0])

    @given(routed())
    def test_a_blind_router_needs_that_very_share(self, case: tuple[Pair, Any]) -> None:
        pair, _ = case
        if pair.capable_scores.mean() > pair.cheap_scores.mean():
            assert metrics.cpt(drawn(pair, np.zeros(len(pair))), 0.8) == pytest.approx([80.0])


class TestTenBins:
    def test_ten_prompts_by_hand(self) -> None:
        # Ends of ten bins of 0.1..1.0 are 0.1, 0.19, ...: they send 10, 9, ..., 1 prompts; above the last none goes.
        order = order_of(RANKS)
        points = metrics.bin_points(order)
        at = metrics.at_points(curves(TEN, order), points)
        assert at.share[0] == pytest.approx(np.arange(11) / 10)
        assert metrics.apgr_bins(curves(TEN, order), points) == pytest.approx([0.75])
        assert metrics.cpt_bins(curves(TEN, order), points, 0.5) == pytest.approx([25.0])
        assert metrics.cpt_bins(curves(TEN, order), points, 0.8) == pytest.approx([40.0])

    @pytest.mark.parametrize("seed", range(5))
    def test_as_quantiles_of_pandas_and_numpy_give_it(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        scores, cheap, capable = rng.random(137), rng.integers(0, 2, 137), rng.integers(0, 2, 137)
        capable[:40] = 1
        _, edges = pandas.qcut(scores, 10, retbins=True)
        shares, qualities = [], []
        for number, edge in enumerate(edges):
            sent = scores > edge if number == 10 else scores >= edge
            shares.append(sent.mean())
            qualities.append(np.where(sent, capable, cheap).mean())
        shares, qualities = shares[::-1], qualities[::-1]
        gap = capable.mean() - cheap.mean()
        order = order_of(scores)
        found = curves(pair_of(cheap, capable), order)
        points = metrics.bin_points(order)
        area = np.trapezoid(np.array(qualities) - cheap.mean(), shares)
        assert metrics.apgr_bins(found, points) == pytest.approx([area / gap])
        target = cheap.mean() + 0.8 * gap
        assert metrics.cpt_bins(found, points, 0.8) == pytest.approx([100 * np.interp(target, qualities, shares)])

    def test_bins_whose_ends_are_the_same(self) -> None:
        order = order_of(np.zeros(4))
        assert metrics.apgr_bins(curves(FOUR, order), metrics.bin_points(order)) == pytest.approx([0.5])


class TestCost:
    def test_by_hand(self) -> None:
        # 42.5 % of the way from 0.01 to 0.105 USD, of 0.15 USD.
        assert metrics.spent_share(drawn(FOUR, NEED), 0.95) == pytest.approx([(0.01 + 0.425 * 0.095) / 0.15])
        assert metrics.spent_share(drawn(TEN, RANKS), 1.0) == pytest.approx([(5 * 1 + 5 * 10) / 100])

    @given(routed(), st.sampled_from([0.9, 0.98]))
    def test_nobody_beats_the_oracle_in_usd(self, case: tuple[Pair, Any], keep: float) -> None:
        pair, scores = case
        best = metrics.spent_share(drawn(pair, oracle_by_usd(pair)), keep)[0]
        assert metrics.spent_share(drawn(pair, scores), keep)[0] >= best - 1e-9


class TestImprovementInQuality:
    def test_by_hand(self) -> None:
        # Hull: from (0.01, 0.5) to (0.105, 1), then flat to 0.15.
        assert metrics.aiq(drawn(FOUR, NEED)) == pytest.approx([(0.095 * 0.75 + 0.045 * 1.0) / 0.14])

    def test_the_zero_router_is_a_straight_line(self) -> None:
        assert metrics.aiq(drawn(FOUR, np.zeros(4))) == pytest.approx([(0.5 + 0.75) / 2])

    def test_where_more_money_buys_nothing(self) -> None:
        assert metrics.aiq(drawn(pair_of([1, 1], [0, 1]), [0.0, 1.0])) == pytest.approx([1.0])
        assert np.isnan(metrics.aiq(drawn(pair_of([1], [1], usd=([2.0], [1.0])), [0.0]))[0])

    @given(routed())
    def test_it_is_between_the_zero_router_and_the_best_answer(self, case: tuple[Pair, Any]) -> None:
        pair, scores = case
        found = metrics.aiq(drawn(pair, scores))[0]
        if not np.isnan(found):
            assert found >= metrics.aiq(drawn(pair, np.zeros(len(pair))))[0] - 1e-9
            assert found <= np.maximum(pair.cheap_scores, pair.capable_scores).mean() + 1e-9


@pytest.mark.parametrize(
    ("quality", "usd_a_thousand", "published"),
    # RouterArena's board of 2026-09-29, whose accuracies have two digits and costs two.
    [(0.7814, 0.27, 0.7628), (0.7976, 0.70, 0.7621), (0.7859, 0.48, 0.7585)],
)
def test_routerarena_s_board(quality: float, usd_a_thousand: float, published: float) -> None:
    assert metrics.arena(np.array([quality]), np.array([usd_a_thousand / 1000])) == pytest.approx([published], abs=6e-4)


def test_routerarena_s_ends() -> None:
    assert metrics.arena(np.array([0.8]), np.array([0.2])) == pytest.approx([0.0])
    assert metrics.arena(np.array([1.0]), np.array([0.0000044])) == pytest.approx([1.0])
    assert np.isnan(metrics.arena(np.array([0.8]), np.array([0.0]))[0])


class TestCalibration:
    def test_by_hand(self) -> None:
        # Bin 0.1-0.2: said 0.15 twice, came once in two: 0.35 off. Bin 0.9-1: said 0.9 and 1, came always: 0.05 off.
        said, came = np.array([0.15, 0.15, 0.9, 1.0]), np.array([0.0, 1.0, 1.0, 1.0])
        where, excess = metrics.calibration_sums(said, came, np.ones(4))
        assert where.tolist() == [1, 1, 9, 9]
        by_bin = np.zeros((1, 10))
        np.add.at(by_bin[0], where, excess)
        assert metrics.calibration_error(by_bin, np.array([4.0])) == pytest.approx([0.5 * 0.35 + 0.5 * 0.05])
