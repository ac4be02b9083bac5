"""Times in fixed buckets."""

from __future__ import annotations

from bisect import bisect_left

CALL_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""The upper ends of the buckets of a whole call: answers take from a part of a second to minutes."""

CONTENT_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
"""Those of the time to the first content."""

CLASSIFIER_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Those of the wait for a verdict: from a word list's to a model's."""

DECISION_SECONDS = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
"""Those of deciding, which is arithmetic."""


class Histogram:
    """How many times fell into each bucket, and their sum.

    Args:
        bounds: The buckets' upper ends in seconds, ascending; a time that equals one is within it.

    Attributes:
        counts: For each bucket how many fell into it and no lower one; the last one has no upper end.
        sum_s: The sum of all times in seconds.
    """

    __slots__ = ("bounds", "counts", "sum_s")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum_s = 0.0

    def add(self, milliseconds: float) -> None:
        """Count one time."""
        seconds = milliseconds / 1000
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_s += seconds

    def merge(self, other: Histogram) -> None:
        """Count what another one of the same bounds has counted too."""
        self.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        self.sum_s += other.sum_s

    def buckets(self) -> list[tuple[str, float]]:
        """For each upper end, as Prometheus writes it, how many times were not above it."""
        rows, below = [], 0
        for bound, count in zip([*self.bounds, float("inf")], self.counts, strict=True):
            below += count
            rows.append(("+Inf" if bound == float("inf") else repr(bound), float(below)))
        return rows
