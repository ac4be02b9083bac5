"""Scores made less of a lottery by what other models answered to the same prompts.

Whether a model's one answer is right is a noisy label of how likely it is to be. How other models fared on the prompt
says more, as in item response theory, where a prompt's difficulty is what all answers share. So the target that a head
learns is the mean of the score and of its expectation given the other models' scores (a ridge, fitted on other groups).
The heads never see other models' scores: those are there in training only. That is distillation of privileged
information (D. Lopez-Paz et al., Unifying distillation and privileged information, 2016).
"""

from __future__ import annotations

from typing import Any

from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.training.ridge import choose

FEWEST_OTHERS = 3
"""With fewer other models scores are left as they are."""

_LEAST_ANSWERED = 0.05


def smoothed(scores: Any, other_scores: Any, weights: Any, folds: Any) -> Any:
    """The targets: shape (prompts, candidates).

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
        return scores
    known = np.isfinite(used)
    means = np.where(known, used, 0.0).sum(axis=0) / known.sum(axis=0)
    # A missing answer says nothing: it stands at the mean of its model.
    centred = np.where(known, used - means, 0.0)
    targets = np.empty_like(scores)
    for candidate in range(scores.shape[1]):
        own = np.delete(scores, candidate, axis=1)
        table = np.hstack([centred, own - own.mean(axis=0)])
        (expected,) = choose(table / np.sqrt(table.shape[1]), [scores[:, [candidate]]], weights, folds)
        targets[:, candidate] = (scores[:, candidate] + expected.unseen[:, 0]) / 2.0
    return targets
