"""Hypotheses tested one after the other, in an order that was fixed beforehand, until the first that does not pass.

**What holds.** With probability at least 1 - delta, none of those that passed is one whose mean loss is above 0. For
the first such one in the order passes with a probability of at most delta, and without it none behind it is reached. So
nothing is lost to testing many (B. L. Wiens, A fixed sequence Bonferroni procedure, 2003; A. N. Angelopoulos et al.,
Learn then Test, arXiv 2110.01052 v5, section 3).

It takes p-values that hold each by itself (`turnout.evaluate.guarantee.pvalues`), and losses of units that were drawn.
What is tested must not hang on the losses' labels; thresholds are laid out on other prompts, or once and for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from turnout.config.extras import require
from turnout.evaluate.guarantee.pvalues import Test, p_values
from turnout.evaluate.outcomes.pair import EXTRA

SEED = 20_261_123
"""Of the order in which losses are bet on, for the one test that reads them in order."""

_CELLS_AT_ONCE = 500_000


class Units:
    """Prompts by their groups: a unit is what was drawn, the mean of its prompts.

    Args:
        groups: For each prompt the number of its group.
        count: How many groups there are.
        seed: Of the order in which units are read.
    """

    def __init__(self, groups: Any, count: int, *, seed: int = SEED) -> None:
        self._np = np = require("numpy", extra=EXTRA)
        self.count = count
        self._groups = groups
        self._sizes = np.bincount(groups, minlength=count)
        self._order = np.random.default_rng(seed).permutation(count)

    def means(self, rows: Any) -> Any:
        """For each row of one number a prompt the units' means, in the order: shape (rows, units)."""
        np = self._np
        cells = (np.arange(len(rows)) * self.count)[:, None] + self._groups
        sums = np.bincount(cells.ravel(), rows.ravel(), minlength=len(rows) * self.count)
        return (sums.reshape(len(rows), self.count) / self._sizes)[:, self._order]


class Step(NamedTuple):
    """One hypothesis of the sequence.

    Attributes:
        place: Its place in the order.
        mean_loss: The units' mean loss; below 0 is good.
        spread: The standard deviation of the units' losses.
        p: The p-value.
        passed: Whether it passed.
    """

    place: int
    mean_loss: float
    spread: float
    p: float
    passed: bool


def in_order(
    hypotheses: int,
    losses: Callable[[range], Any],
    units: Units,
    *,
    delta: float,
    most: float,
    room: float,
    test: Test = "betting",
) -> Iterator[Step]:
    """Test hypotheses in their order up to the first that does not pass, which is given too.

    Args:
        hypotheses: How many there are.
        losses: For some of them, by their places, the loss of each prompt: shape (some, prompts).
        units: The prompts' groups.
        delta: The probability with which one that passed may be wrong.
        most: The greatest loss that there can be.
        room: How far below 0 the mean loss can be expected at best.
        test: Which p-value.
    """
    at_once = max(1, min(64, _CELLS_AT_ONCE // max(units.count, 1)))
    for start in range(0, hypotheses, at_once):
        places = range(start, min(start + at_once, hypotheses))
        by_unit = units.means(losses(places))
        found = p_values(by_unit, most=most, test=test, room=room, delta=delta)
        for place, row, p in zip(places, by_unit, found.tolist(), strict=True):
            passed = p <= delta
            yield Step(place, float(row.mean()), float(row.std()), p, passed)
            if not passed:
                return
