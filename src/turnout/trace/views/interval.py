"""How far the mean change of cost by query may be off, seen as a sample of queries."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from turnout.core.cost import pico_to_usd

FEWEST_QUERIES = 10
"""Below that many queries no interval is given: resampling so few shows less spread than there is."""

_RESAMPLES = 2_000
_MOST_RESAMPLED = 1_000
_LEVEL = Decimal("0.95")
_NORMAL_QUANTILE = statistics.NormalDist().inv_cdf(float(1 + _LEVEL) / 2)


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """An interval of the mean change of cost by query, in USD.

    Where costs have bounds, ``mean`` is that of the lowest costs, ``low`` belongs to the least and ``high`` to the
    greatest changes that the bounds allow.

    ``method`` is ``bootstrap`` (percentiles of 2,000 seeded resamples of the queries) or, above 1,000 queries, where it
    comes to the same, ``normal``. Repetitions of a query are added up and count as one.
    """

    low: Decimal
    mean: Decimal
    high: Decimal
    level: Decimal
    queries: int
    method: Literal["bootstrap", "normal"]


def interval_of(
    changes: Sequence[int], least: Sequence[int] | None = None, greatest: Sequence[int] | None = None, *, seed: int
) -> Interval | None:
    """The interval of the mean of some changes; none for fewer than `FEWEST_QUERIES`.

    Args:
        changes: The change of cost of each query, in pico-USD.
        least: The least that each can be; none: the change itself.
        greatest: The greatest that each can be; none: the change itself.
        seed: Of the resampling: the same seed gives the same interval.
    """
    count = len(changes)
    if count < FEWEST_QUERIES:
        return None
    method: Literal["bootstrap", "normal"] = "bootstrap" if count <= _MOST_RESAMPLED else "normal"
    ends = _resampled if method == "bootstrap" else _approximated
    low, high = ends(changes, seed)
    if least is not None:
        low = ends(least, seed)[0]
    if greatest is not None:
        high = ends(greatest, seed)[1]
    mean = pico_to_usd(sum(changes)) / count
    return Interval(low=low, mean=mean, high=high, level=_LEVEL, queries=count, method=method)


def _resampled(changes: Sequence[int], seed: int) -> tuple[Decimal, Decimal]:
    """Percentiles of the means of resamples."""
    count = len(changes)
    generator = random.Random(seed)
    sums = sorted(sum(generator.choices(changes, k=count)) for _ in range(_RESAMPLES))
    outside = int(_RESAMPLES * (1 - _LEVEL) / 2)
    return pico_to_usd(sums[outside]) / count, pico_to_usd(sums[_RESAMPLES - 1 - outside]) / count


def _approximated(changes: Sequence[int], seed: int) -> tuple[Decimal, Decimal]:
    """The normal approximation, which draws nothing."""
    count = len(changes)
    mean = pico_to_usd(sum(changes)) / count
    half = Decimal(_NORMAL_QUANTILE * statistics.stdev(changes) / count**0.5).scaleb(-12)
    return mean - half, mean + half
