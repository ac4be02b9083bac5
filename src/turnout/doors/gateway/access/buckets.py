"""A token bucket in whole numbers: how much of something may be had a minute.

A bucket holds as much as the limit and fills evenly, the limit a minute. Chosen over a sliding window because it needs
two numbers and no list of past requests, tells exactly when there is enough again, and is what providers use
themselves. What follows: within any t seconds at most ``limit * (1 + t / 60)`` is given out, that is, after a rest
twice the limit within one minute.
"""

from __future__ import annotations

MINUTE_MS = 60_000


class Bucket:
    """A bucket for so much a minute; full at the beginning.

    Args:
        limit: How much a minute; above 0.
        now_ms: The time. If it is set back, that adds nothing, and filling goes on from there.
    """

    __slots__ = ("_last_ms", "_level", "limit")

    def __init__(self, limit: int, now_ms: int) -> None:
        self.limit = limit
        # In units of 1/60,000, so that what a millisecond adds is a whole number.
        self._level = limit * MINUTE_MS
        self._last_ms = now_ms

    def wait_ms(self, amount: int, now_ms: int) -> int:
        """In how many milliseconds there is enough; 0: now. More than the limit is had from a full bucket."""
        self._fill(now_ms)
        missing = min(amount, self.limit) * MINUTE_MS - self._level
        return max(0, -(-missing // self.limit))

    def take(self, amount: int, now_ms: int) -> None:
        """Take so much, even if it is not there: then what is missing is filled up first."""
        self._fill(now_ms)
        self._level -= amount * MINUTE_MS

    def give(self, amount: int, now_ms: int) -> None:
        """Give back what was taken and not needed."""
        self._fill(now_ms)
        self._level += amount * MINUTE_MS  # what is too much runs over at the next look

    def resize(self, limit: int, now_ms: int) -> None:
        """Let another limit hold from now on."""
        self._fill(now_ms)
        self.limit = limit

    def _fill(self, now_ms: int) -> None:
        passed = max(0, now_ms - self._last_ms)
        self._last_ms = now_ms
        self._level = min(self.limit * MINUTE_MS, self._level + passed * self.limit)
