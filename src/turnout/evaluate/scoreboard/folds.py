"""Folds of prompts in which no group is split, and scores of several folds on one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def folds_of(group_keys: Any, groups: Any, folds: int, *, seed: int = 0) -> NDArray[np.int64]:
    """For each prompt its fold, 0 to ``folds`` - 1, of about the same number of prompts each.

    Groups are shuffled, by their hashes so that the order of the table does not count, and cut into runs.

    Args:
        group_keys: The hash of each group, by number.
        groups: For each prompt the number of its group.
        folds: How many.
        seed: The same seed gives the same folds.

    Raises:
        ValueError: There are fewer than two folds, or fewer groups than folds.
    """
    numpy = require("numpy", extra=EXTRA)
    if folds < 2:
        raise ValueError(f"two folds are needed at the least, got {folds}")
    if len(group_keys) < folds:
        raise ValueError(f"{len(group_keys)} different prompts cannot make {folds} folds")
    shuffled = numpy.argsort(group_keys, kind="stable")
    numpy.random.default_rng(seed).shuffle(shuffled)
    sizes = numpy.bincount(groups, minlength=len(group_keys))[shuffled]
    before = numpy.cumsum(sizes) - sizes
    fold = numpy.minimum(before * folds // sizes.sum(), folds - 1)
    of_group = numpy.empty(len(group_keys), numpy.int64)
    of_group[shuffled] = fold
    assigned: NDArray[np.int64] = of_group[groups]
    return assigned


def within_folds(scores: Any, folds: Any) -> NDArray[np.float64]:
    """Scores that models of different folds gave, on one scale: each one's place in its fold, 0 to 1.

    A score's place is the share of its fold that is below it, and half of what is level with it. What models of
    different folds say is of different levels, and wrongly so: the fold in which the capable model gained most is
    missing from the training part of just that model, which then says least. Put in one order as they are, scores
    that say little fall below blind routing. By their places, every fold's model is used for the same share of calls.

    Source: B. J. Parker, S. Günter, J. Bedo, Stratification bias in low signal microarray studies (2007).

    Args:
        scores: One a prompt.
        folds: The fold of each prompt.
    """
    numpy = require("numpy", extra=EXTRA)
    places: NDArray[np.float64] = numpy.empty(len(scores), numpy.float64)
    for fold in numpy.unique(folds):
        inside = folds == fold
        values, which, counts = numpy.unique(scores[inside], return_inverse=True, return_counts=True)
        middle = numpy.cumsum(counts) - counts / 2.0
        places[inside] = (middle / counts.sum())[which] if len(values) > 1 else 0.5
    return places
