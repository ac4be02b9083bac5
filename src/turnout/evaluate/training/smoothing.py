"""Scores made less of a lottery by what other models answered to the same prompts.

Whether a model's one answer is right is a noisy label of how likely it is to be. How other models fared on the prompt
says more, as in item response theory, where a prompt's difficulty is what all answers share. So the target that a head
learns is a mixture of the score and of its expectation given the other models' scores (a ridge, fitted on other
groups). The heads never see other models' scores: those are there in training only. That is distillation of privileged
information (D. Lopez-Paz et al., Unifying distillation and privileged information, 2016).

How much of the expectation is good differs: where a gain is what the two candidates do not share with other models,
their expectations say nothing of it. The candidates' own answers, to prompts that the fit had not seen, say which share
and which penalty are good, but of a few hundred prompts they do not say it well. So none is chosen: all are averaged,
each weighted by how clearly it is worse than the best. A ridge is linear in its targets, so that the average of all
fits is one set of weights again. That is model averaging (K. Burnham and D. Anderson, Model selection and multimodel
inference, 2002), with standard errors of paired differences in place of an information criterion.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from turnout.classify.learned.features import rounded
from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.training.ridge import PENALTIES, choose

FEWEST_OTHERS = 3
"""With fewer other models scores are left as they are."""

SHARES: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
"""The shares of the expectation that are averaged over."""

_LEAST_ANSWERED = 0.05


class Mixture(NamedTuple):
    """An average over penalties and shares of the expectation.

    Attributes:
        parts: For each of `PENALTIES` the weights of the fit on the scores, and of that on their expectations: shape
            (penalties, 2), in all 1.
        unseen: The average's predictions for each prompt, by fits that had not seen its group: shape (prompts,
            candidates).
    """

    parts: Any
    unseen: Any

    @property
    def share(self) -> float:
        """How much of the targets is expectation."""
        return float(self.parts[:, 1].sum())

    @property
    def penalty(self) -> float:
        """The penalty in the middle: their geometric mean."""
        np = require("numpy", extra=EXTRA)
        return float(np.exp(self.parts.sum(axis=1) @ np.log(PENALTIES)))


def mixed(scores: Any, expected: Any, share: float) -> Any:
    """Scores with a share of their expectations."""
    return scores if share == 0.0 else (1.0 - share) * scores + share * expected


def averaged(scores: Any, unseen: Any, unseen_expected: Any, weights: Any) -> Mixture:
    """Average over penalties and shares by how near their gains are to those of the answers.

    What is worse than the best by so many standard errors (of the paired difference, over prompts) has e to the power
    of minus that as its weight.

    Args:
        scores: Of the candidates: shape (prompts, candidates).
        unseen: For each of `PENALTIES` the predictions of fits on the scores: shape (penalties, prompts, candidates).
        unseen_expected: The same of fits on the expectations; none: there are none.
        weights: Of the prompts.
    """
    np = require("numpy", extra=EXTRA)
    shares = SHARES if unseen_expected is not None else (0.0,)
    gains = np.diff(scores, axis=1)
    errors = np.empty((len(PENALTIES), len(shares), len(scores)))
    for place in range(len(PENALTIES)):
        for column, share in enumerate(shares):
            said = unseen[place] if share == 0.0 else mixed(unseen[place], unseen_expected[place], share)
            errors[place, column] = weights * ((np.diff(said, axis=1) - gains) ** 2).mean(axis=1)
    totals = errors.sum(axis=2)
    worse = errors - errors[np.unravel_index(np.argmin(totals), totals.shape)]
    deviation = worse.std(axis=2) * len(scores) ** 0.5
    beyond = np.divide(worse.sum(axis=2), deviation, out=np.zeros_like(totals), where=deviation > 0.0)
    # Rounded as all that is learned: these go into the weights.
    each = rounded(np.exp(-beyond))
    each /= each.sum()
    parts = np.column_stack([each @ (1.0 - np.array(shares)), each @ np.array(shares)])
    mean = np.tensordot(parts[:, 0], unseen, 1)
    if unseen_expected is not None:
        mean = mean + np.tensordot(parts[:, 1], unseen_expected, 1)
    return Mixture(parts, mean)


def expectations(scores: Any, other_scores: Any, weights: Any, folds: Any) -> Any:
    """What each candidate's scores are expected to be, given the other models': shape (prompts, candidates).

    None where there are too few other models.

    Args:
        scores: Of the candidates: shape (prompts, candidates).
        other_scores: Of other models: shape (prompts, others); NaN where there is no answer.
        weights: Of the prompts.
        folds: The fold of each prompt.
    """
    np = require("numpy", extra=EXTRA)
    answered = np.isfinite(other_scores).mean(axis=0)
    used = other_scores[:, answered >= _LEAST_ANSWERED].astype(np.float64)
    if used.shape[1] < FEWEST_OTHERS:
        return None
    known = np.isfinite(used)
    means = np.where(known, used, 0.0).sum(axis=0) / known.sum(axis=0)
    # A missing answer says nothing: it stands at the mean of its model.
    centred = np.where(known, used - means, 0.0)
    found = np.empty_like(scores)
    for candidate in range(scores.shape[1]):
        own = np.delete(scores, candidate, axis=1)
        table = np.hstack([centred, own - own.mean(axis=0)])
        (expected,) = choose(table / np.sqrt(table.shape[1]), [scores[:, [candidate]]], weights, folds)
        found[:, candidate] = expected.unseen[:, 0]
    return found
