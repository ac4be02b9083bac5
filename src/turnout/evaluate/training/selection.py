"""Which head: the simplest whose error on prompts that it had not seen is within one standard error of the least.

Heads are judged by the squared error of what they are for, the gain of each candidate over the next cheaper one. The
standard error is that of the paired difference to the best head, over groups: heads are wrong on the same prompts, so
their difference is known far better than either error.

Source of the rule: L. Breiman et al., Classification and regression trees (1984), here on paired differences.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from turnout.classify.learned.features import rounded
from turnout.classify.learned.model import Calibration, Head
from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA

SIMPLEST_FIRST: tuple[Head, ...] = ("linear", "linear+forest", "linear+boosted")
"""All heads, the simplest first: trees that are averaged are surer than trees that mend one another's errors."""

FAST: tuple[Head, ...] = ("linear",)
"""The heads of the mode ``ngrams``, whose point is that it takes no time."""

_STEPS = 50


class Selected(NamedTuple):
    """What was selected.

    Attributes:
        head: The head.
        errors: The mean squared error of the gains, by head.
        beyond: For each head by how many standard errors it is worse than the best.
    """

    head: Head
    errors: dict[str, float]
    beyond: dict[str, float]


def select(unseen: dict[Head, Any], scores: Any, weights: Any, groups: Any) -> Selected:
    """Select a head.

    Args:
        unseen: For each head its predictions of the scores, by fits that had not seen the prompt's group.
        scores: The scores: shape (prompts, candidates).
        weights: Of the prompts.
        groups: The number of each prompt's group.
    """
    np = require("numpy", extra=EXTRA)
    gains = np.diff(scores, axis=1)
    loss = {
        head: np.bincount(groups, weights=weights * ((np.diff(said, axis=1) - gains) ** 2).mean(axis=1))
        for head, said in unseen.items()
    }
    best = min(loss, key=lambda head: float(loss[head].sum()))
    count = len(loss[best])
    beyond: dict[str, float] = {}
    for head, values in loss.items():
        worse = values - loss[best]
        error = float(worse.std()) * count**0.5
        beyond[head] = float(worse.sum()) / error if error > 0.0 else 0.0
    chosen = next(head for head in SIMPLEST_FIRST if head in loss and beyond[head] <= 1.0)
    total = float(weights.sum())
    return Selected(chosen, {head: float(values.sum()) / total for head, values in loss.items()}, beyond)


def calibrated(said: Any, came: Any, weights: Any) -> Calibration:
    """The logistic curve that makes predictions probabilities, by maximum likelihood on unseen predictions.

    Few answers say little of a slope, and predictions are made to be taken at face value. So the slope is drawn to the
    one at which, near the mean, P rises as fast as the prediction (a normal prior, its deviation half of that slope).

    Args:
        said: A prediction for each prompt.
        came: What came, 0 to 1.
        weights: Of the prompts.
    """
    np = require("numpy", extra=EXTRA)
    mean = float((weights @ came) / weights.sum())
    # A model that is always right, or never, has no curve: its share of right answers, off the ends, is all there is.
    share = (mean * len(came) + 0.5) / (len(came) + 1.0)
    start = float(rounded(np.log(share / (1.0 - share))))
    if np.ptp(said) < 1e-9 or not 0.0 < mean < 1.0:
        return Calibration(0.0, start)
    table = np.column_stack([said - said.mean(), np.ones(len(said))])
    face_value = np.array([1.0 / (share * (1.0 - share)), 0.0])
    penalty = np.array([4.0 / face_value[0] ** 2, 1e-9])
    beta = np.array([0.0, start])

    def loss(beta: Any) -> float:
        z = table @ beta
        return float(weights @ (np.logaddexp(0.0, z) - came * z) + (penalty * (beta - face_value) ** 2).sum() / 2.0)

    least = loss(beta)
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(table @ beta, -30.0, 30.0)))
        gradient = table.T @ (weights * (p - came)) + penalty * (beta - face_value)
        hessian = (table * (weights * p * (1.0 - p))[:, None]).T @ table + np.diag(penalty)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (tried := loss(beta - size * step)) > least and size > 1e-8:
            size /= 2.0
        beta, before, least = beta - size * step, least, tried
        if before - least < 1e-12 * max(1.0, abs(before)):
            break
    # A curve that falls would turn the order of prompts round: predictions that bad say nothing.
    if beta[0] <= 0.0:
        return Calibration(0.0, start)
    slope, intercept = rounded([beta[0], beta[1] - beta[0] * said.mean()]).tolist()
    return Calibration(slope, intercept)
