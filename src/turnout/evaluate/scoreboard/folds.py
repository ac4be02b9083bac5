"""Folds of prompts in which no group is split."""

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
