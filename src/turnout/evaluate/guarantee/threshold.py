"""A threshold that keeps a share of the capable model's quality, by learn then test with a fixed sequence.

**Statement.** With probability at least 1 - delta over the drawing of the calibration prompts, the mean score of what
is served on prompts exchangeable with them is at least ``keep`` of the capable model's, as measured by this scorer.

**How.** The loss of a prompt is ``keep x score_capable - score_served``. Thresholds are tested from "always capable"
downwards; each gets a p-value for "the mean loss is above 0", and the first that is above delta ends it. The last one
that passed is taken. "Always capable" needs no test: its loss is never above 0.

**Why that holds.** If a threshold whose mean loss is above 0 is taken, then the first such threshold of the sequence
passed its test, which a valid p-value lets happen with a probability of at most delta. The order is fixed beforehand,
so nothing is lost to testing many (B. L. Wiens, 2003; learn then test: arXiv 2110.01052, section 3 and algorithm 1).

**Assumptions.** Calibration prompts are drawn independently from the traffic (or without replacement from a larger
population), one unit a group: the same prompt twice is one. The router was trained, and the thresholds were laid out,
on other groups. Answers that were sampled count by one over their propensity, which is bounded. The statement ends when
traffic drifts, or a model, its parameters or the scorer change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from turnout.config.extras import require
from turnout.evaluate.guarantee.pvalues import BOLDEST, Test, p_values
from turnout.evaluate.outcomes.pair import EXTRA, Pair

STEPS = 100
"""Thresholds of a sequence, if nothing else is asked for."""

_SEED = 20_261_123
_CELLS_AT_ONCE = 4_000_000


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
        return (
            f"With probability at least {1.0 - self.delta:g} over the drawing of the calibration set, the mean score "
            f"on requests exchangeable with it is at least {self.keep:g} of the capable model's, as measured by this "
            "scorer."
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
    seed: int = _SEED,
) -> Guarantee:
    """Find the threshold that sends the most to the cheap model of those that pass.

    Args:
        pair: The calibration prompts' graded answers, none of which the router was trained on.
        scores: The router's score of each; higher for more need of the capable model.
        thresholds: Those to test, ascending; laid out without the calibration prompts, see `sequence_from`.
        keep: Which share of the capable model's mean score is to be kept.
        delta: The probability with which the statement may be wrong. For several targets at once, give each its part.
        test: Which p-value.
        seed: Of the order in which prompts are bet on.

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
    units = len(pair.group_keys)
    order = numpy.random.default_rng(seed).permutation(units)
    # weights at most 1, so that losses stay in their range
    weights = pair.weights / pair.weights.max()
    sizes = numpy.bincount(pair.groups, minlength=units)
    at_once = max(1, _CELLS_AT_ONCE // max(units, 1))
    tested: list[Tested] = []
    passed: Tested | None = None
    for start in range(0, len(laid), at_once):
        some = laid[start : start + at_once]
        capable = scores[None, :] > some[:, None]
        served = numpy.where(capable, pair.capable_scores, pair.cheap_scores)
        losses = weights * (keep * pair.capable_scores - served)
        by_unit = numpy.stack([numpy.bincount(pair.groups, row, minlength=units) / sizes for row in losses])[:, order]
        found = p_values(by_unit, most=keep, test=test)
        for row, p in enumerate(found.tolist()):
            share = float((capable[row] * pair.weights).sum() / pair.weights.sum())
            one = Tested(threshold=float(some[row]), share_capable=share, mean_loss=float(by_unit[row].mean()), p=p)
            tested.append(one)
            if p > delta:
                return _guarantee(pair, keep, delta, units, passed, tested)
            passed = one
    return _guarantee(pair, keep, delta, units, passed, tested)


def least_units(mean_score: float, *, keep: float = 0.98, delta: float = 0.05) -> int | None:
    """How many graded groups betting needs at the least, for a router that loses nothing on anything it sends away.

    Then every loss is ``-(1 - keep) x score``, and the boldest bets win at most so much on each. None where no number
    is enough: nothing is to be lost (``keep`` of 1) or nothing to be kept (a score of 0).
    """
    gain = math.log1p(BOLDEST / keep * (1.0 - keep) * mean_score)
    return math.ceil(math.log(1.0 / delta) / gain) if gain > 0.0 else None


def usual_units(mean_score: float, unlike: float, *, keep: float = 0.98, delta: float = 0.05) -> int | None:
    """About how many graded groups betting needs for a router whose losses and gains on some prompts cancel.

    A bettor's wealth grows by about ``room^2 / (2 (variance + room^2))`` a prompt; room is ``(1 - keep) x score``.

    Args:
        mean_score: The capable model's mean score.
        unlike: The mean square of how far served and capable scores are apart, over all prompts.
        keep: Which share of quality is to be kept.
        delta: The probability with which the statement may be wrong.
    """
    room = (1.0 - keep) * mean_score
    if room <= 0.0:
        return None
    usual = math.ceil(2.0 * (unlike + room * room) * math.log(1.0 / delta) / (room * room))
    return max(usual, least_units(mean_score, keep=keep, delta=delta) or 0)


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
