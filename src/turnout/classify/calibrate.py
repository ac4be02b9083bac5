"""From a classifier's score to P(label is simple): Platt scaling, then the correction to the expected share.

Every verdict with basis ``label`` goes through this module, so that the figures of different classifiers mean the same.

Sources: J. Platt, Probabilistic outputs for support vector machines (1999), fitted by the method of H.-T. Lin,
C.-J. Lin and R. Weng, A note on Platt's probabilistic outputs (2007); the correction for a changed share of classes of
M. Saerens, P. Latinne and C. Decaestecker, Adjusting the outputs of a classifier to new a priori probabilities (2002).

Known limitations: the result is P(label is simple), never the probability that a model's answer suffices. It holds
where queries look like those of the calibration set but for their share of simple ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from turnout.core.verdict import ClassifierCall, Complexity, Failure, FailureKind, Verdict

DEFAULT_SIMPLE_SHARE = 0.65
"""The share of simple queries that is expected where the user states none; the default of `Policy.simple_share`."""

_MOST_STEPS = 100
_RIDGE = 1e-12


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a score becomes a probability: logistic(slope * score + intercept), in a set with a known share of simple.

    Attributes:
        slope: Never negative: a higher score must not make ``simple`` less likely. 0: the score tells nothing.
        intercept: The log-odds at score 0.
        set_share: The share of simple queries in the set that slope and intercept were fitted on.

    Raises:
        ValueError: A value is out of its range.
    """

    slope: float = 1.0
    intercept: float = 0.0
    set_share: float = 0.5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and self.slope >= 0.0):
            raise ValueError(f"slope must be a number that is not negative, got {self.slope}")
        if not math.isfinite(self.intercept):
            raise ValueError(f"intercept must be finite, got {self.intercept}")
        _check_share("set_share", self.set_share)

    def p_simple(self, score: float, simple_share: float) -> float:
        """P(label is simple) for a score, where ``simple_share`` of the queries are expected to be simple."""
        return with_share(
            logistic(self.slope * score + self.intercept), set_share=self.set_share, simple_share=simple_share
        )


def logistic(x: float) -> float:
    """1 / (1 + exp(-x)), without overflow."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


def with_share(p: float, *, set_share: float, simple_share: float) -> float:
    """P(simple) where a share ``simple_share`` is simple, from P(simple) where ``set_share`` is.

    The odds are multiplied by the ratio of the two prior odds. Monotone in ``p``; 0, 1 and equal shares change nothing.

    Args:
        p: P(simple) under ``set_share``, 0 to 1.
        set_share: The share of simple queries that ``p`` holds for, above 0 and below 1.
        simple_share: The share to correct to, above 0 and below 1.

    Raises:
        ValueError: A value is out of its range.
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p must be between 0 and 1, got {p}")
    _check_share("set_share", set_share)
    _check_share("simple_share", simple_share)
    if set_share == simple_share:
        return p
    simple = p * (simple_share / set_share)
    complex_ = (1.0 - p) * ((1.0 - simple_share) / (1.0 - set_share))
    return simple / (simple + complex_)


def fit_calibration(scores: Sequence[float], labels: Sequence[Complexity]) -> Calibration:
    """Platt scaling of scores, by Newton's method with backtracking; deterministic.

    Targets are smoothed, (n + 1) / (n + 2) and 1 / (n + 2), so that a perfectly ranked set gives no certainty. Where
    the best slope is negative (the scores rank the wrong way round), it is 0: the score is then taken to tell nothing.

    Args:
        scores: One a query; higher means simpler.
        labels: As many labels.

    Raises:
        ValueError: The two differ in length, a label is missing, or a score is not finite.
    """
    if len(scores) != len(labels):
        raise ValueError(f"there are {len(scores)} scores but {len(labels)} labels")
    simple = sum(label == "simple" for label in labels)
    others = len(labels) - simple
    if not simple or not others:
        raise ValueError(f"calibration needs both labels, got {simple} simple and {others} complex")
    if not all(math.isfinite(score) for score in scores):
        raise ValueError("calibration needs finite scores")
    high, low = (simple + 1) / (simple + 2), 1 / (others + 2)
    targets = [high if label == "simple" else low for label in labels]
    slope, intercept = _newton(scores, targets)
    set_share = simple / len(labels)
    if slope < 0.0:
        return Calibration(slope=0.0, intercept=math.log(set_share / (1.0 - set_share)), set_share=set_share)
    return Calibration(slope=slope, intercept=intercept, set_share=set_share)


def label_verdict(
    classifier: str,
    p_simple: float,
    *,
    calls: tuple[ClassifierCall, ...] = (),
    latency_ms: float = 0.0,
) -> Verdict:
    """A verdict on labels. The label is what ``p_simple`` makes more likely, so that both always agree."""
    return Verdict(
        classifier=classifier,
        label="simple" if p_simple >= 0.5 else "complex",
        p_simple=p_simple,
        calls=calls,
        latency_ms=latency_ms,
    )


def failed_verdict(
    classifier: str,
    kind: FailureKind,
    detail: str,
    *,
    calls: tuple[ClassifierCall, ...] = (),
    latency_ms: float = 0.0,
) -> Verdict:
    """A verdict that says why there is no label. ``detail`` must hold neither prompt text nor keys."""
    return Verdict(classifier=classifier, failure=Failure(kind, detail), calls=calls, latency_ms=latency_ms)


NO_QUERY = "the conversation has no user text to classify"
"""The detail of the failure that every classifier gives on a conversation without user text."""


def _newton(scores: Sequence[float], targets: Sequence[float]) -> tuple[float, float]:
    mean = sum(targets) / len(targets)
    slope, intercept = 0.0, math.log(mean / (1.0 - mean))
    loss = _loss(scores, targets, slope, intercept)
    for _ in range(_MOST_STEPS):
        g_slope = g_intercept = h_ss = h_si = 0.0
        h_ii = 0.0
        for score, target in zip(scores, targets, strict=True):
            p = logistic(slope * score + intercept)
            g_slope += (p - target) * score
            g_intercept += p - target
            weight = p * (1.0 - p)
            h_ss += weight * score * score
            h_si += weight * score
            h_ii += weight
        if abs(g_slope) < 1e-9 and abs(g_intercept) < 1e-9:
            break
        h_ss, h_ii = h_ss + _RIDGE, h_ii + _RIDGE
        determinant = h_ss * h_ii - h_si * h_si
        if determinant <= 0.0:  # all scores alike: only the intercept can be fitted
            break
        step_slope = -(h_ii * g_slope - h_si * g_intercept) / determinant
        step_intercept = -(h_ss * g_intercept - h_si * g_slope) / determinant
        size = 1.0
        while size > 1e-10:
            tried = slope + size * step_slope, intercept + size * step_intercept
            tried_loss = _loss(scores, targets, *tried)
            if tried_loss < loss:
                break
            size /= 2.0
        else:
            break
        (slope, intercept), loss = tried, tried_loss
    return slope, intercept


def _loss(scores: Sequence[float], targets: Sequence[float], slope: float, intercept: float) -> float:
    total = 0.0
    for score, target in zip(scores, targets, strict=True):
        z = slope * score + intercept
        # ln(1 + e^z) - target * z, without overflow
        total += max(z, 0.0) + math.log1p(math.exp(-abs(z))) - target * z
    return total


def _check_share(name: str, share: float) -> None:
    if not 0.0 < share < 1.0:
        raise ValueError(f"{name} must be above 0 and below 1, got {share}")
