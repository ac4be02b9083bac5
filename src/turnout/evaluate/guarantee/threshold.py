"""A threshold that keeps a share of the capable model's quality, by learn then test with a fixed sequence.

**Statement.** With probability at least 1 - delta over the drawing of the calibration prompts, the mean score of what
is served on prompts exchangeable with them is at least ``keep`` of the capable model's, as measured by this scorer.

**How.** The loss of a prompt is ``keep x score_capable - score_served``. Thresholds are tested from "always capable"
downwards; each gets a p-value for "the mean loss is above 0", and the first that is above delta ends it. The last one
that passed is taken. "Always capable" needs no test: its loss is never above 0.

**Why that holds.** See `turnout.evaluate.guarantee.sequence`: the order is fixed beforehand, so nothing is lost to
testing many.

**Assumptions.** Calibration prompts are drawn independently from the traffic (or without replacement from a larger
population), one unit a group: the same prompt twice is one. The router was trained, and the thresholds were laid out,
on other groups. Answers that were sampled count by one over their propensity, which is bounded. The statement ends when
traffic drifts, or a model, its parameters or the scorer change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from turnout.config.extras import require
from turnout.evaluate.guarantee.pvalues import Test, bets
from turnout.evaluate.guarantee.sequence import SEED, Units, in_order
from turnout.evaluate.outcomes.pair import EXTRA, Pair

STEPS = 100
"""Thresholds of a sequence, if nothing else is asked for."""


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold of the sequence.

    Attributes:
        threshold: Prompts with a score above it go to the capable model.
        share_capable: The share of calibration prompts that do.
        mean_loss: Their mean loss; below 0 is good.
        p: The p-value; below delta it passes.
    """

    threshold: float
    share_capable: float
    mean_loss: float
    p: float


class Guarantee(msgspec.Struct, frozen=True, kw_only=True):
    """What came out.

    Attributes:
        keep: Which share of the capable model's quality is kept.
        delta: The probability with which the statement may be wrong.
        units: How many different groups were tested on.
        threshold: Prompts with a score above it go to the capable model; minus infinity: all do.
        share_capable: The share of calibration prompts that go to the capable model.
        tested: The thresholds that were tested, in order; the last one failed, if any did.
        least_units: With fewer units than this no threshold at all can pass, whatever the router.
    """

    keep: float
    delta: float
    units: int
    threshold: float
    share_capable: float
    tested: list[Tested]
    least_units: int | None

    @property
    def always_capable(self) -> bool:
        """Whether nothing but "always capable" passed."""
        return self.threshold == -math.inf

    @property
    def statement(self) -> str:
        """The statement in words."""
        return statement(self.keep, self.delta)


def statement(keep: float, delta: float) -> str:
    """What a bar or threshold that passed guarantees, in words."""
    return (
        f"With probability at least {1.0 - delta:g} over the drawing of the calibration set, the mean score on "
        f"requests exchangeable with it is at least {keep:g} of the capable model's, as measured by this scorer."
    )


def sequence_from(training_scores: Any, *, steps: int = STEPS) -> list[float]:
    """Thresholds to test, from the fewest prompts on the cheap model to all of them.

    They are quantiles of scores of prompts that are not those of the calibration, such as the training prompts'.

    Args:
        training_scores: The router's scores of those prompts.
        steps: How many thresholds at most.

    Raises:
        ValueError: There is no score, or one is not finite.
    """
    numpy = require("numpy", extra=EXTRA)
    scores = numpy.asarray(training_scores, numpy.float64)
    if not len(scores) or not numpy.isfinite(scores).all():
        raise ValueError("finite scores of other prompts are needed to lay out thresholds")
    laid: list[float] = numpy.unique(
        numpy.quantile(scores, numpy.arange(1, steps + 1) / steps, method="lower")
    ).tolist()
    return laid


def calibrate(
    pair: Pair,
    scores: Any,
    thresholds: Sequence[float],
    *,
    keep: float = 0.98,
    delta: float = 0.05,
    test: Test = "betting",
    seed: int = SEED,
) -> Guarantee:
    """Find the threshold that sends the most to the cheap model of those that pass.

    Args:
        pair: The calibration prompts' graded answers, none of which the router was trained on.
        scores: The router's score of each; higher for more need of the capable model.
        thresholds: Those to test, ascending; laid out without the calibration prompts, see `sequence_from`.
        keep: Which share of the capable model's mean score is to be kept.
        delta: The probability with which the statement may be wrong. For several targets at once, give each its part.
        test: Which p-value.
        seed: Of the order in which prompts are bet on, for the one test that reads them in order.

    Raises:
        ValueError: ``keep`` or ``delta`` is out of range, or thresholds do not ascend.
    """
    numpy = require("numpy", extra=EXTRA)
    if not (0.0 < keep <= 1.0 and 0.0 < delta < 1.0):
        raise ValueError(f"keep and delta must be between 0 and 1, got {keep} and {delta}")
    laid = numpy.asarray(thresholds, numpy.float64)
    if (numpy.diff(laid) <= 0.0).any():
        raise ValueError("thresholds must ascend")
    scores = numpy.asarray(scores, numpy.float64)
    units = Units(pair.groups, len(pair.group_keys), seed=seed)
    # weights at most 1, so that losses stay in their range
    weights = pair.weights / pair.weights.max()

    def losses(places: range) -> Any:
        served = numpy.where(scores > laid[places.start : places.stop, None], pair.capable_scores, pair.cheap_scores)
        return weights * (keep * pair.capable_scores - served)

    tested: list[Tested] = []
    passed: Tested | None = None
    for step in in_order(len(laid), losses, units, delta=delta, most=keep, room=room_of(keep), test=test):
        threshold = float(laid[step.place])
        share = float(((scores > threshold) * pair.weights).sum() / pair.weights.sum())
        one = Tested(threshold=threshold, share_capable=share, mean_loss=step.mean_loss, p=step.p)
        tested.append(one)
        passed = one if step.passed else passed
    return _guarantee(pair, keep, delta, units.count, passed, tested)


def room_of(keep: float) -> float:
    """How far below 0 the mean loss can be expected, for laying out bets: the share of quality that may be lost."""
    return max(1.0 - keep, 0.005)


def least_units(mean_score: float, *, keep: float = 0.98, delta: float = 0.05) -> int | None:
    """How many graded groups betting needs at the least, for a router that loses nothing on anything it sends away.

    Then every loss is ``-(1 - keep) x score``. None where no number is enough: nothing is to be lost (``keep`` of 1) or
    nothing to be kept (a score of 0).
    """
    room = (1.0 - keep) * mean_score
    return _fewest(lambda share: math.log1p(share * room), keep, delta) if room > 0.0 else None


def usual_units(mean_score: float, unlike: float, *, keep: float = 0.98, delta: float = 0.05) -> int | None:
    """About how many graded groups betting needs for a router whose losses and gains on some prompts cancel.

    Args:
        mean_score: The capable model's mean score.
        unlike: The mean square of how far served and capable scores are apart, over all prompts.
        keep: Which share of quality is to be kept.
        delta: The probability with which the statement may be wrong.
    """
    room = (1.0 - keep) * mean_score
    needed = units_for(-room, math.sqrt(unlike), keep=keep, delta=delta)
    return None if needed is None else max(needed, least_units(mean_score, keep=keep, delta=delta) or 0)


def units_for(mean_loss: float, spread: float, *, keep: float = 0.98, delta: float = 0.05) -> int | None:
    """About how many groups betting needs where losses have this mean and standard deviation; none: no number does.

    The logarithm of wealth grows by about ``share x -mean - share^2 (variance + mean^2) / 2`` a group.
    """
    if mean_loss >= 0.0:
        return None
    square = spread * spread + mean_loss * mean_loss
    return _fewest(lambda share: -share * mean_loss - 0.5 * share * share * square, keep, delta)


def _fewest(growth: Callable[[float], float], keep: float, delta: float) -> int:
    """With how few groups the mean wealth of all bets reaches 1 / delta, each growing by so much a group."""

    def enough(count: int) -> bool:
        gains = [growth(float(share)) for share in bets(count, most=keep, room=room_of(keep), delta=delta)]
        best = max(gains)
        wealth = best * count + math.log(sum(math.exp((gain - best) * count) for gain in gains) / len(gains))
        return wealth >= math.log(1.0 / delta)

    most = 1
    while not enough(most):
        most *= 2
    low, high = most // 2, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _guarantee(
    pair: Pair, keep: float, delta: float, units: int, passed: Tested | None, tested: list[Tested]
) -> Guarantee:
    mean = float((pair.capable_scores * pair.weights).sum() / pair.weights.sum())
    return Guarantee(
        keep=keep,
        delta=delta,
        units=units,
        threshold=-math.inf if passed is None else passed.threshold,
        share_capable=1.0 if passed is None else passed.share_capable,
        tested=tested,
        least_units=least_units(mean, keep=keep, delta=delta),
    )
