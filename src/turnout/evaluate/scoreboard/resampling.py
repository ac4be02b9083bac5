"""Bootstrap over groups of prompts: how figures vary with the choice of prompts, and whether two routers differ.

Groups (prompts of the same text, or what the table calls a group) are drawn with replacement, as many as there are;
every prompt counts as often as its group was drawn. All routers, and all pairs of models, see the same draws, so that a
difference is one of the routers and not of the draw. Intervals are the 2.5 % and 97.5 % quantiles, widened to hold the
figure itself.

Source: B. Efron, Bootstrap methods (1979). Known limitations: the intervals say how figures vary with the choice of
prompts from this set, nothing about other traffic; routers are not trained anew on each draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from turnout.classify.assess import Figure
from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA, Pair

RESAMPLES = 2_000
"""How many draws, where the table is not too large for that."""

FEWEST_RESAMPLES = 200
"""How many draws at the least, however large the table is."""

SEED = 20_261_123

_CELLS = 20_000_000
_CELLS_AT_ONCE = 2_000_000


class Difference(msgspec.Struct, frozen=True):
    """What one router has more than another, with the ends of its 95 % interval, and a two-sided p-value."""

    value: float
    low: float
    high: float
    p: float


class Draws(NamedTuple):
    """Draws that are the same for several pairs of models.

    Attributes:
        members: For each pair, for each of its groups its number among the groups of all pairs.
        groups: How many groups all pairs have.
        resamples: How many draws.
        seed: Of the draws.
    """

    members: tuple[Any, ...]
    groups: int
    resamples: int
    seed: int

    def chunks(self) -> Iterator[tuple[Any, ...]]:
        """For each pair how often a few draws drew each of its prompts: shape (draws, prompts).

        A draw that leaves a pair with no prompt at all is left out for every pair.
        """
        np = require("numpy", extra=EXTRA)
        rng = np.random.default_rng(self.seed)
        at_once = max(1, _CELLS_AT_ONCE // self.groups)
        for start in range(0, self.resamples, at_once):
            size = min(at_once, self.resamples - start)
            drawn = rng.integers(self.groups, size=(size, self.groups))
            drawn += np.arange(size)[:, None] * self.groups
            counts = np.bincount(drawn.ravel(), minlength=size * self.groups).reshape(size, self.groups)
            whole = np.ones(size, bool)
            for members in self.members:
                whole &= counts[:, np.unique(members)].any(axis=1)
            yield tuple(counts[whole][:, members] for members in self.members)


def draws_for(pairs: Sequence[Pair], *, resamples: int | None = None, seed: int = SEED) -> Draws:
    """Draws over the groups of these pairs.

    Args:
        pairs: The pairs; groups of the same hash are the same group in all of them.
        resamples: How many; default `RESAMPLES`, fewer for more than 10,000 groups, down to `FEWEST_RESAMPLES`.
        seed: The same seed gives the same draws.
    """
    np = require("numpy", extra=EXTRA)
    every = np.unique(np.concatenate([pair.group_keys for pair in pairs]))
    members = tuple(np.searchsorted(every, pair.group_keys)[pair.groups] for pair in pairs)
    if resamples is None:
        resamples = int(min(RESAMPLES, max(FEWEST_RESAMPLES, _CELLS // len(every))))
    return Draws(members, len(every), resamples, seed)


def figure(value: float, resampled: Any) -> Figure | None:
    """A figure and its interval; none where the figure, or more than half of its draws, is not defined."""
    np = require("numpy", extra=EXTRA)
    if not np.isfinite(value):
        return None
    defined = resampled[np.isfinite(resampled)]
    if len(defined) * 2 < len(resampled):
        return None
    if not len(defined):
        return Figure(float(value), float(value), float(value))
    low, high = np.quantile(defined, [0.025, 0.975])
    return Figure(float(value), min(float(low), float(value)), max(float(high), float(value)))


def difference(value: float, resampled: Any) -> Difference | None:
    """A difference, its interval, and twice the share of draws on the other side of zero (at least 1 draw's)."""
    np = require("numpy", extra=EXTRA)
    shown = figure(value, resampled)
    if shown is None:
        return None
    defined = resampled[np.isfinite(resampled)]
    side = min((defined <= 0.0).sum(), (defined >= 0.0).sum())
    p = min(1.0, 2.0 * (float(side) + 1.0) / (len(defined) + 1.0))
    return Difference(shown.value, shown.low, shown.high, p)
