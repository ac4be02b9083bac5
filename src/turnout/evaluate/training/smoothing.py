"""Scores made less of a lottery by what other models answered to the same prompts.

Whether a model's one answer is right is a noisy label of how likely it is to be. How other models fared on the prompt
says more, as in item response theory, where a prompt's difficulty is what all answers share. So the target that a head
learns is a mixture of the score and of its expectation given the other models' scores (a ridge, fitted on other
groups). The heads never see other models' scores: those are there in training only. That is distillation of privileged
information (D. Lopez-Paz et al., Unifying distillation and privileged information, 2016).

How much of the expectation is good differs: where a gain is what the two candidates do not share with other models,
their expectations say nothing of it. So the share is a half unless the candidates' own answers, to prompts that the fit
had not seen, say clearly that another one is better.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.training.ridge import PENALTIES, choose

FEWEST_OTHERS = 3
"""With fewer other models scores are left as they are."""

SHARES: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
"""The shares of the expectation that are tried."""

_LEAST_ANSWERED = 0.05


class Mixture(NamedTuple):
    """What was chosen of penalties and shares.

    Attributes:
        penalty: Of the ridge on the features.
        share: Of the expectation in the target.
        unseen: The predictions for each prompt, by a fit that had not seen its group: shape (prompts, candidates).
    """

    penalty: float
    share: float
    unseen: Any


def mixed(scores: Any, expected: Any, share: float) -> Any:
    """The targets: scores with a share of their expectations."""
    return scores if share == 0.0 else (1.0 - share) * scores + share * expected


def choose_mixture(scores: Any, unseen: Any, unseen_expected: Any, weights: Any) -> Mixture:
    """Choose the penalty and the share whose gains are near to those of the answers.

    A ridge is linear in its targets: a fit on a mixture is the mixture of two fits. Of the mixtures that are within one
    standard error of the best (of the paired difference, over prompts) it is the one whose share is nearest to a half,
    and of these the best: on few prompts the least error is mostly luck.

    Args:
        scores: Of the candidates: shape (prompts, candidates).
        unseen: For each of `PENALTIES` the predictions of fits on the scores: shape (penalties, prompts, candidates).
        unseen_expected: The same of fits on the expectations; none: there are none.
        weights: Of the prompts.
    """
    np = require("numpy", extra=EXTRA)
    gains = np.diff(scores, axis=1)
    tried: list[tuple[Any, Mixture]] = []
    for place, penalty in enumerate(PENALTIES):
        for share in SHARES if unseen_expected is not None else (0.0,):
            said = unseen[place] if share == 0.0 else mixed(unseen[place], unseen_expected[place], share)
            errors = weights * ((np.diff(said, axis=1) - gains) ** 2).mean(axis=1)
            tried.append((errors, Mixture(penalty, share, said)))
    least, best = min(tried, key=lambda one: float(one[0].sum()))
    if unseen_expected is None:
        return best

    def good(errors: Any) -> bool:
        worse = errors - least
        return bool(worse.sum() <= worse.std() * len(worse) ** 0.5)

    near = [(errors, mixture) for errors, mixture in tried if good(errors)]
    return min(near, key=lambda one: (abs(one[1].share - 0.5), float(one[0].sum())))[1]


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
