from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.classify.assess import Figure
from turnout.evaluate.curve import (
    CurvePoint,
    HeldOut,
    PairOutcomes,
    at_random,
    choose,
    curve,
    halves,
    hold_out,
    oracle,
    recovered,
)


def outcomes_of(
    rows: Sequence[tuple[float, float, float, float]], prompts: Sequence[str] | None = None
) -> PairOutcomes:
    """From rows of cheap score, capable score, cheap USD, capable USD."""
    cheap, capable, cheap_usd, capable_usd = zip(*rows, strict=True)
    names = tuple(prompts) if prompts is not None else tuple(f"p{index}" for index in range(len(rows)))
    return PairOutcomes(
        prompts=names, cheap_scores=cheap, capable_scores=capable, cheap_usd=cheap_usd, capable_usd=capable_usd
    )


# The cheap model answers 2 of 4, the capable one 3 of 4; the router likes a and b, is in doubt about c and d alike.
FOUR = outcomes_of([(1, 1, 0.01, 0.1), (1, 0, 0.01, 0.1), (0, 1, 0.01, 0.1), (0, 1, 0.01, 0.3)], "abcd")
ROUTER = (0.9, 0.8, 0.3, 0.3)

grades = st.sampled_from([0.0, 0.25, 0.5, 1.0])
# Costs of real calls: nothing so small that a ratio of two overflows.
usd = st.one_of(st.just(0.0), st.floats(1e-9, 1))
row = st.tuples(grades, grades, usd, usd)


@st.composite
def routed(draw: st.DrawFn) -> tuple[PairOutcomes, list[float]]:
    rows = draw(st.lists(row, min_size=1, max_size=12))
    scores = draw(st.lists(st.integers(-3, 3).map(float), min_size=len(rows), max_size=len(rows)))
    return outcomes_of(rows), scores


def by_hand(outcomes: PairOutcomes, scores: Sequence[float], threshold: float) -> tuple[float, float, float]:
    """Share, cost and score of a threshold, row by row."""
    n = len(outcomes)
    capable = [score < threshold for score in scores]
    cost = sum(outcomes.capable_usd[i] if capable[i] else outcomes.cheap_usd[i] for i in range(n))
    score = sum(outcomes.capable_scores[i] if capable[i] else outcomes.cheap_scores[i] for i in range(n))
    return sum(capable) / n, cost / n, score / n


class TestCurve:
    def test_four_prompts_by_hand(self) -> None:
        points = curve(FOUR, ROUTER)
        assert [point.threshold for point in points] == [0.3, 0.8, 0.9, math.inf]
        assert [point.share_capable for point in points] == [0.0, 0.5, 0.75, 1.0]
        assert [point.score for point in points] == pytest.approx([0.5, 1.0, 0.75, 0.75])
        assert [point.cost_usd for point in points] == pytest.approx([0.01, 0.105, 0.1275, 0.15])

    def test_what_asking_costs_is_in_every_point(self) -> None:
        assert [point.cost_usd for point in curve(FOUR, ROUTER, router_usd=0.5)] == pytest.approx(
            [0.51, 0.605, 0.6275, 0.65]
        )

    @given(routed())
    def test_every_point_is_what_its_threshold_gives(self, case: tuple[PairOutcomes, list[float]]) -> None:
        outcomes, scores = case
        points = curve(outcomes, scores)
        assert len(points) == len(set(scores)) + 1
        assert points[0].share_capable == 0.0
        assert points[-1].share_capable == 1.0
        for point in points:
            assert point.threshold is not None
            figures = (point.share_capable, point.cost_usd, point.score)
            assert figures == pytest.approx(by_hand(outcomes, scores, point.threshold), abs=1e-9)

    @given(routed())
    def test_only_the_order_of_the_scores_counts(self, case: tuple[PairOutcomes, list[float]]) -> None:
        outcomes, scores = case
        bent = curve(outcomes, [math.exp(score) * 7 for score in scores])
        for one, other in zip(curve(outcomes, scores), bent, strict=True):
            assert (one.share_capable, one.cost_usd, one.score) == (other.share_capable, other.cost_usd, other.score)

    @pytest.mark.parametrize("scores", [(1.0, 2.0, 3.0), (1.0, 2.0, 3.0, math.nan), (1.0, 2.0, 3.0, math.inf)])
    def test_one_finite_score_a_row_is_needed(self, scores: tuple[float, ...]) -> None:
        with pytest.raises(ValueError, match="router score"):
            curve(FOUR, scores)

    def test_asking_cannot_earn_money(self) -> None:
        with pytest.raises(ValueError, match="router_usd"):
            curve(FOUR, ROUTER, router_usd=-0.1)


class TestOracle:
    def test_four_prompts_by_hand(self) -> None:
        # c before d, which gains as much and costs more; b, which loses, last
        points = oracle(FOUR)
        assert [point.score for point in points] == pytest.approx([0.5, 0.75, 1.0, 1.0, 0.75])
        assert [point.cost_usd for point in points] == pytest.approx([0.01, 0.0325, 0.105, 0.1275, 0.15])

    @given(routed())
    def test_no_router_is_better_at_the_same_share(self, case: tuple[PairOutcomes, list[float]]) -> None:
        outcomes, scores = case
        best = {round(point.share_capable * len(outcomes)): point.score for point in oracle(outcomes)}
        for point in curve(outcomes, scores):
            assert point.score <= best[round(point.share_capable * len(outcomes))] + 1e-9


class TestAtRandom:
    def test_it_is_the_line_between_the_ends(self) -> None:
        half = at_random(FOUR, 0.5)
        assert (half.threshold, half.share_capable) == (None, 0.5)
        assert (half.cost_usd, half.score) == pytest.approx((0.08, 0.625))

    @given(routed())
    def test_its_ends_are_those_of_every_curve(self, case: tuple[PairOutcomes, list[float]]) -> None:
        outcomes, scores = case
        points = curve(outcomes, scores)
        for end, share in ((points[0], 0.0), (points[-1], 1.0)):
            blind = at_random(outcomes, share)
            assert (blind.cost_usd, blind.score) == pytest.approx((end.cost_usd, end.score), abs=1e-9)

    @pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
    def test_a_share_is_between_0_and_1(self, share: float) -> None:
        with pytest.raises(ValueError, match="share_capable"):
            at_random(FOUR, share)


class TestRecovered:
    def test_four_prompts_by_hand(self) -> None:
        # trapezoids above 0.5: half of 0.5 wide 0.5, then 0.375 and 0.25 wide 0.25 each; the gap is 0.25
        assert recovered(curve(FOUR, ROUTER)) == pytest.approx((0.125 + 0.09375 + 0.0625) / 0.25)

    @given(routed())
    def test_a_router_that_cannot_tell_recovers_half(self, case: tuple[PairOutcomes, list[float]]) -> None:
        outcomes, _ = case
        found = recovered(curve(outcomes, [0.0] * len(outcomes)))
        assert found is None or found == pytest.approx(0.5)

    @given(routed())
    def test_the_opposite_router_recovers_the_rest(self, case: tuple[PairOutcomes, list[float]]) -> None:
        outcomes, scores = case
        gap = sum(outcomes.capable_scores) - sum(outcomes.cheap_scores)
        one, other = recovered(curve(outcomes, scores)), recovered(curve(outcomes, [-score for score in scores]))
        if one is None or other is None:
            assert gap == pytest.approx(0.0)
        else:
            assert one + other == pytest.approx(1.0)

    def test_a_part_of_a_curve_is_refused(self) -> None:
        with pytest.raises(ValueError, match="a whole curve"):
            recovered(curve(FOUR, ROUTER)[1:])


class TestHalves:
    @given(st.lists(st.sampled_from("abcdefg"), min_size=2, max_size=30), st.integers(0, 5))
    def test_no_prompt_is_in_both_and_no_row_is_lost(self, prompts: list[str], seed: int) -> None:
        if len(set(prompts)) < 2:
            with pytest.raises(ValueError, match="two different prompts"):
                halves(prompts, seed=seed)
            return
        first, second = halves(prompts, seed=seed)
        assert sorted(first + second) == list(range(len(prompts)))
        in_first, in_second = ({prompts[row] for row in rows} for rows in (first, second))
        assert not in_first & in_second
        assert 0 <= len(in_second) - len(in_first) <= 1
        assert halves(prompts, seed=seed) == (first, second)


class TestChoose:
    def test_the_cheapest_that_is_good_enough(self) -> None:
        points = curve(FOUR, ROUTER)
        assert choose(points, least_score=0.7) == points[1]
        assert choose(points, least_score=0.0) == points[0]

    def test_of_equally_cheap_points_the_better(self) -> None:
        worse = CurvePoint(threshold=1.0, share_capable=0.0, cost_usd=1.0, score=0.5)
        better = CurvePoint(threshold=2.0, share_capable=0.5, cost_usd=1.0, score=0.6)
        assert choose([worse, better], least_score=0.5) == better

    def test_what_cannot_be_had_is_told_with_the_best_there_is(self) -> None:
        with pytest.raises(ValueError, match=r"mean score of 1\.1000; the best gives 1\.0000"):
            choose(curve(FOUR, ROUTER), least_score=1.1)


class TestHoldOut:
    def test_four_prompts_by_hand(self) -> None:
        held = hold_out(FOUR, ROUTER, 0.8)
        assert held.prompts == 4
        assert held.share_capable.value == 0.5
        assert held.cost_usd.value == pytest.approx(0.105)
        assert held.score.value == pytest.approx(1.0)
        assert held.over_random.value == pytest.approx(1.0 - 0.625)
        assert held.against_capable.value == pytest.approx(0.25)
        assert held.cost_share is not None
        assert held.cost_share.value == pytest.approx(0.7)

    @given(routed(), st.sampled_from([-2.0, 0.0, 1.0, math.inf]))
    def test_values_lie_in_their_intervals_and_are_those_of_the_threshold(
        self, case: tuple[PairOutcomes, list[float]], threshold: float
    ) -> None:
        outcomes, scores = case
        held = hold_out(outcomes, scores, threshold)
        share, cost, score = by_hand(outcomes, scores, threshold)
        assert (held.share_capable.value, held.cost_usd.value, held.score.value) == pytest.approx((share, cost, score))
        assert held.over_random.value == pytest.approx(score - at_random(outcomes, share).score, abs=1e-9)
        for figure in _figures(held):
            assert figure.low <= figure.value <= figure.high

    @given(routed(), st.integers(2, 4))
    def test_repeating_a_prompt_makes_no_interval_narrower(
        self, case: tuple[PairOutcomes, list[float]], times: int
    ) -> None:
        outcomes, scores = case
        rows = [row for row in range(len(outcomes)) for _ in range(times)]
        once, often = hold_out(outcomes, scores, 0.5), hold_out(outcomes.take(rows), [scores[row] for row in rows], 0.5)
        for one, other in zip(_figures(once), _figures(often), strict=True):
            assert (one.value, one.low, one.high) == pytest.approx(
                (other.value, other.low, other.high), rel=1e-9, abs=1e-9
            )

    @pytest.mark.once
    def test_an_interval_covers_the_truth_about_as_often_as_it_says(self) -> None:
        # 200 sets of 60 prompts; the cheap model is right on half of them, whatever the router says
        import numpy as np

        rng = np.random.default_rng(7)
        covered = 0
        for _ in range(200):
            cheap = (rng.random(60) < 0.5).astype(float)
            outcomes = outcomes_of([(float(grade), 1.0, 0.1, 1.0) for grade in cheap])
            held = hold_out(outcomes, rng.random(60).tolist(), 0.5)
            covered += held.over_random.low <= 0.0 <= held.over_random.high
        assert 180 <= covered <= 199

    def test_the_same_seed_gives_the_same_intervals(self) -> None:
        outcomes = outcomes_of([(0, 1, 0.01, index / 100) for index in range(1, 31)])
        first, again, other = (hold_out(outcomes, range(30), 15, seed=seed) for seed in (1, 1, 2))
        assert first == again
        assert first.cost_usd.low != other.cost_usd.low

    def test_models_that_cost_nothing_have_no_share_of_cost(self) -> None:
        free = outcomes_of([(1, 0, 0, 0), (0, 1, 0, 0)])
        assert hold_out(free, (1.0, 2.0), 1.5).cost_share is None

    @pytest.mark.parametrize(("threshold", "router_usd"), [(math.nan, 0.0), (0.5, -1.0), (0.5, math.nan)])
    def test_threshold_and_cost_must_be_numbers(self, threshold: float, router_usd: float) -> None:
        with pytest.raises(ValueError, match="must be numbers"):
            hold_out(FOUR, ROUTER, threshold, router_usd=router_usd)


class TestPairOutcomes:
    def test_there_must_be_rows(self) -> None:
        with pytest.raises(ValueError, match="there are no outcomes"):
            PairOutcomes(prompts=(), cheap_scores=(), capable_scores=(), cheap_usd=(), capable_usd=())

    def test_columns_have_one_length(self) -> None:
        with pytest.raises(ValueError, match="2 prompts but 1 capable_scores"):
            PairOutcomes(
                prompts=("a", "b"),
                cheap_scores=(0, 1),
                capable_scores=(1,),
                cheap_usd=(0, 0),
                capable_usd=(0, 0),
            )

    @pytest.mark.parametrize("row", [(1.1, 0, 0, 0), (0, -0.1, 0, 0), (0, 0, -1, 0), (0, 0, 0, math.nan)])
    def test_figures_are_in_their_range(self, row: tuple[float, float, float, float]) -> None:
        with pytest.raises(ValueError, match="must be"):
            outcomes_of([row])


def _figures(held: HeldOut) -> list[Figure]:
    figures = [held.share_capable, held.cost_usd, held.score, held.over_random, held.against_capable]
    return figures if held.cost_share is None else [*figures, held.cost_share]
