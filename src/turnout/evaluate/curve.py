"""What a router's score is worth on graded answers: cost against quality over all thresholds.

A router score says how likely it is that the cheap model is enough; prompts whose score is at or above a threshold go
to the cheap model, the others to the capable one. One threshold gives one point: the share of prompts on the capable
model, the mean cost and the mean score of the answers. All thresholds give the curve, from everything on the cheap
model to everything on the capable one.

Two things stand beside it. Sending the same share blindly gives a straight line between the two ends (`at_random`); a
curve that is not above it knows nothing. Sending first the prompts that gain most gives the best that any router could
do at that share (`oracle`). `recovered` is the area between: 0.5 for a blind router, as in RouteLLM's APGR.

A threshold that was chosen on some prompts must be judged on others: `halves` splits by prompt, `choose` chooses on one
half, `hold_out` says what that gave on the other, with 95 % intervals by bootstrap over prompts (2,000 resamples,
seeded). Costs are USD a prompt, scores 0 to 1.

`turnout evaluate` (`turnout.evaluate.scoreboard`) does it for many routers and prints the published figures; this
module is for a notebook, on answers that are at hand.

Known limitations: two models only; costs are those of the outcomes, without prompt caches; the intervals say how the
figures vary with the choice of prompts from this set, and nothing about other traffic, other models or a later time.
Nothing here is a guarantee.

Sources: I. Ong et al., RouteLLM (2024), for the average performance gap recovered; B. Efron, Bootstrap methods (1979).
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from turnout.classify.assess import Figure
from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import LeftOut, Pair
from turnout.evaluate.scoreboard.baselines import oracle_by_calls
from turnout.evaluate.scoreboard.sweep import Order, curves, order_of

_RESAMPLES = 2_000
_CELLS_AT_ONCE = 2_000_000  # of the table of resampled counts: 16 MB
_SEED = 20_261_123


class PairOutcomes(msgspec.Struct, frozen=True, kw_only=True):
    """Graded answers of a cheap and a capable model to the same prompts, one row a prompt.

    Attributes:
        prompts: A name for each row's prompt. Rows with one name belong together: they are split and resampled as one.
        cheap_scores: The score of the cheap model's answer, 0 to 1.
        capable_scores: The same for the capable model.
        cheap_usd: What the cheap model's answer cost in USD.
        capable_usd: The same for the capable model.

    Raises:
        ValueError: There is no row, the columns differ in length, or a figure is out of its range.
    """

    prompts: tuple[str, ...]
    cheap_scores: tuple[float, ...]
    capable_scores: tuple[float, ...]
    cheap_usd: tuple[float, ...]
    capable_usd: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.prompts:
            raise ValueError("there are no outcomes")
        for name in ("cheap_scores", "capable_scores", "cheap_usd", "capable_usd"):
            values = getattr(self, name)
            if len(values) != len(self.prompts):
                raise ValueError(f"there are {len(self.prompts)} prompts but {len(values)} {name}")
            highest = 1.0 if name.endswith("scores") else math.inf
            for value in values:
                if not (math.isfinite(value) and 0.0 <= value <= highest):
                    wanted = "between 0 and 1" if highest == 1.0 else "0 or more"
                    raise ValueError(f"{name} must be {wanted}, got {value}")

    def __len__(self) -> int:
        """How many rows."""
        return len(self.prompts)

    def take(self, rows: Iterable[int]) -> PairOutcomes:
        """These rows, in this order."""
        chosen = list(rows)
        return PairOutcomes(
            prompts=tuple(self.prompts[row] for row in chosen),
            cheap_scores=tuple(self.cheap_scores[row] for row in chosen),
            capable_scores=tuple(self.capable_scores[row] for row in chosen),
            cheap_usd=tuple(self.cheap_usd[row] for row in chosen),
            capable_usd=tuple(self.capable_usd[row] for row in chosen),
        )


class CurvePoint(msgspec.Struct, frozen=True, kw_only=True):
    """What one way of sharing the prompts out gives, as means over the prompts.

    Attributes:
        threshold: Prompts with a router score at or above it go to the cheap model. Infinite: none does. None where the
            point belongs to no router.
        share_capable: The share of prompts on the capable model.
        cost_usd: USD a prompt.
        score: The score of the answers.
    """

    threshold: float | None
    share_capable: float
    cost_usd: float
    score: float


class HeldOut(msgspec.Struct, frozen=True, kw_only=True):
    """What a threshold gave on prompts that it was not chosen on, with 95 % intervals.

    Attributes:
        prompts: How many different prompts.
        threshold: The threshold.
        share_capable: The share of prompts on the capable model.
        cost_usd: USD a prompt.
        score: The score of the answers.
        over_random: The score less that of sending the same share blindly. An interval around 0 means that this set
            does not show that the router knows anything.
        against_capable: The score less that of the capable model on everything.
        cost_share: The cost as a share of that of the capable model on everything; none where that cost nothing.
    """

    prompts: int
    threshold: float
    share_capable: Figure
    cost_usd: Figure
    score: Figure
    over_random: Figure
    against_capable: Figure
    cost_share: Figure | None


def curve(outcomes: PairOutcomes, router_scores: Sequence[float], *, router_usd: float = 0.0) -> tuple[CurvePoint, ...]:
    """One point a threshold, from all prompts on the cheap model to all on the capable one.

    Prompts with the same router score cannot be told apart and change sides together.

    Args:
        outcomes: The graded answers.
        router_scores: For each row the router's score; the higher, the more it speaks for the cheap model.
        router_usd: What asking the router costs for each prompt, in USD; it is part of every point's cost.

    Raises:
        ValueError: There is not one finite score for each row, or ``router_usd`` is negative.
        MissingExtraError: numpy is not installed.
    """
    np = require("numpy", extra="embedding")
    scores = _router_scores(np, outcomes, router_scores)
    if not (math.isfinite(router_usd) and router_usd >= 0.0):
        raise ValueError(f"router_usd must be 0 or more, got {router_usd}")
    # the scoreboard's scores say how much a prompt needs the capable model: the other way round
    order = order_of(-scores)
    thresholds = [*(-order.values).tolist(), math.inf]
    return tuple(
        CurvePoint(threshold=threshold, share_capable=share, cost_usd=cost + router_usd, score=score)
        for threshold, (share, cost, score) in zip(thresholds, _points(_pair(np, outcomes), order), strict=True)
    )


def oracle(outcomes: PairOutcomes) -> tuple[CurvePoint, ...]:
    """The best mean score that any router could have at each share, knowing all grades beforehand.

    Prompts change to the capable model in the order of what their score gains; of equal gains the cheapest change
    comes first. Nobody can build it: it shows how much there is to gain.

    Raises:
        MissingExtraError: numpy is not installed.
    """
    np = require("numpy", extra="embedding")
    pair = _pair(np, outcomes)
    points = _points(pair, order_of(oracle_by_calls(pair)))
    return tuple(
        CurvePoint(threshold=None, share_capable=share, cost_usd=cost, score=score) for share, cost, score in points
    )


def at_random(outcomes: PairOutcomes, share_capable: float) -> CurvePoint:
    """What sending that share to the capable model blindly gives on average: a point on the line between the ends.

    Raises:
        ValueError: The share is not between 0 and 1.
    """
    if not 0.0 <= share_capable <= 1.0:
        raise ValueError(f"share_capable must be between 0 and 1, got {share_capable}")

    def mixed(cheap: Sequence[float], capable: Sequence[float]) -> float:
        return _mean(cheap) + share_capable * (_mean(capable) - _mean(cheap))

    return CurvePoint(
        threshold=None,
        share_capable=share_capable,
        cost_usd=mixed(outcomes.cheap_usd, outcomes.capable_usd),
        score=mixed(outcomes.cheap_scores, outcomes.capable_scores),
    )


def recovered(points: Sequence[CurvePoint]) -> float | None:
    """The mean share of the gap between both models that a curve recovers, over all shares of the capable model.

    0.5 is what a blind router recovers. It can be above 1 or below 0, where a mix of both models is better than either
    or worse than both. Between two points it goes straight, as where prompts of one score are sent at random.

    Args:
        points: A whole curve, as `curve` and `oracle` give it.

    Returns:
        The figure, or none where both models score the same, so that there is no gap.

    Raises:
        ValueError: The points do not go from a share of 0 to a share of 1.
    """
    if len(points) < 2 or points[0].share_capable != 0.0 or points[-1].share_capable != 1.0:
        raise ValueError("a whole curve is needed: its points must go from a share of 0 to a share of 1")
    gap = points[-1].score - points[0].score
    if gap == 0.0:
        return None
    area = 0.0
    for left, right in itertools.pairwise(points):
        area += (right.share_capable - left.share_capable) * ((left.score + right.score) / 2 - points[0].score)
    return area / gap


def halves(prompts: Sequence[str], *, seed: int = 0) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two halves of the rows, so that no prompt is in both; of an odd number of prompts the second gets one more.

    Args:
        prompts: The rows' prompts, as in `PairOutcomes`.
        seed: The same seed gives the same halves.

    Raises:
        ValueError: There are fewer than two different prompts.
    """
    names = sorted(set(prompts))
    if len(names) < 2:
        raise ValueError("two different prompts are needed to make two halves")
    random.Random(seed).shuffle(names)
    first = set(names[: len(names) // 2])
    return (
        tuple(row for row, name in enumerate(prompts) if name in first),
        tuple(row for row, name in enumerate(prompts) if name not in first),
    )


def choose(points: Sequence[CurvePoint], *, least_score: float) -> CurvePoint:
    """The cheapest point whose mean score is at least ``least_score``; of equally cheap ones the better.

    On the prompts that it was chosen on the point looks better than it is: judge it by `hold_out` on others.

    Raises:
        ValueError: No point has that score.
    """
    good = [point for point in points if point.score >= least_score]
    if not good:
        best = max((point.score for point in points), default=math.nan)
        raise ValueError(f"no threshold gives a mean score of {least_score:.4f}; the best gives {best:.4f}")
    return min(good, key=lambda point: (point.cost_usd, -point.score))


def hold_out(
    outcomes: PairOutcomes,
    router_scores: Sequence[float],
    threshold: float,
    *,
    router_usd: float = 0.0,
    seed: int = _SEED,
) -> HeldOut:
    """What a threshold gives on these outcomes, which it must not have been chosen on.

    Args:
        outcomes: The graded answers.
        router_scores: As for `curve`.
        threshold: As in `CurvePoint`; may be infinite.
        router_usd: As for `curve`.
        seed: Of the resampling; the same seed gives the same intervals.

    Raises:
        ValueError: As for `curve`, or the threshold is not a number.
        MissingExtraError: numpy is not installed.
    """
    np = require("numpy", extra="embedding")
    scores = _router_scores(np, outcomes, router_scores)
    if math.isnan(threshold) or not (math.isfinite(router_usd) and router_usd >= 0.0):
        raise ValueError(f"threshold and router_usd must be numbers, got {threshold} and {router_usd}")
    capable = scores < threshold
    usd = np.array([outcomes.cheap_usd, outcomes.capable_usd])
    grades = np.array([outcomes.cheap_scores, outcomes.capable_scores])
    rows = np.stack(
        [
            np.ones(len(outcomes)),
            capable,
            np.where(capable, usd[1], usd[0]) + router_usd,
            np.where(capable, grades[1], grades[0]),
            *grades,
            usd[1],
        ],
        axis=1,
    )
    names, group = np.unique(np.array(outcomes.prompts), return_inverse=True)
    sums = np.zeros((len(names), rows.shape[1]))
    np.add.at(sums, group, rows)
    measured = _ratios(np, rows.sum(axis=0, keepdims=True))
    resampled = _ratios(np, _resampled(np, sums, seed))
    figures = {name: _figure(np, float(value[0]), resampled[name]) for name, value in measured.items()}
    return HeldOut(
        prompts=len(names),
        threshold=threshold,
        cost_share=figures.pop("cost_share", None),
        **figures,
    )


def _router_scores(np: Any, outcomes: PairOutcomes, router_scores: Sequence[float]) -> Any:
    scores = np.array(router_scores, np.float64)
    if scores.shape != (len(outcomes),):
        raise ValueError(f"one router score is needed for each of the {len(outcomes)} rows, got {len(router_scores)}")
    if not np.isfinite(scores).all():
        raise ValueError("router scores must be finite")
    return scores


def _pair(np: Any, outcomes: PairOutcomes) -> Pair:
    """The same answers as the scoreboard has them, one group a row: curves do not ask which rows belong together."""
    count = len(outcomes)
    return Pair(
        cheap="",
        capable="",
        keys=np.arange(count, dtype=np.uint64),
        groups=np.arange(count),
        weights=np.ones(count),
        cheap_scores=np.array(outcomes.cheap_scores),
        capable_scores=np.array(outcomes.capable_scores),
        cheap_usd=np.array(outcomes.cheap_usd),
        capable_usd=np.array(outcomes.capable_usd),
        categories=np.zeros(count, np.int64),
        category_names=(),
        group_keys=np.arange(count, dtype=np.uint64),
        left_out=LeftOut(only_cheap=0, only_capable=0, repeated=0, other_models=0),
    )


def _points(pair: Pair, order: Order) -> list[tuple[float, float, float]]:
    """Share, cost and score before the first change to the capable model, and after each."""
    drawn = curves(pair, order)
    return list(zip(drawn.share[0].tolist(), drawn.usd[0].tolist(), drawn.quality[0].tolist(), strict=True))


def _resampled(np: Any, sums: Any, seed: int) -> Any:
    """The column sums of each resample of the prompts: shape (resamples, columns)."""
    prompts = len(sums)
    rng = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // prompts)
    parts = []
    for start in range(0, _RESAMPLES, at_once):
        size = min(at_once, _RESAMPLES - start)
        parts.append(rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=size) @ sums)
    return np.concatenate(parts)


def _ratios(np: Any, sums: Any) -> dict[str, Any]:
    """The figures of `HeldOut` for each row of column sums; ``cost_share`` only of rows in which it is defined."""
    rows, on_capable, usd, score, all_cheap, all_capable, capable_usd = sums.T
    share = on_capable / rows
    blind = (all_cheap + share * (all_capable - all_cheap)) / rows
    ratios = {
        "share_capable": share,
        "cost_usd": usd / rows,
        "score": score / rows,
        "over_random": score / rows - blind,
        "against_capable": (score - all_capable) / rows,
    }
    if (capable_usd > 0.0).any():
        paid = capable_usd > 0.0
        ratios["cost_share"] = usd[paid] / capable_usd[paid]
    return ratios


def _figure(np: Any, value: float, resampled: Any) -> Figure:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Figure(value, min(float(low), value), max(float(high), value))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
