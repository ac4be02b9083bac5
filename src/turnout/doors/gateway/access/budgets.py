"""What a key has spent in a day and in a month, and what calls that are under way may still cost.

Days and months are those of UTC. Money is integers of pico-USD.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple


class Period(NamedTuple):
    """From when to when, in milliseconds since the epoch; the end is not in it."""

    start_ms: int
    end_ms: int


PeriodOf = Callable[[int], Period]
"""The period that a time lies in."""


def day_of(at_ms: int) -> Period:
    """The day that a time lies in."""
    start_ms = at_ms // _DAY_MS * _DAY_MS
    return Period(start_ms, start_ms + _DAY_MS)


def month_of(at_ms: int) -> Period:
    """The calendar month that a time lies in."""
    first = (_EPOCH + timedelta(milliseconds=at_ms)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (first + timedelta(days=32)).replace(day=1)
    return Period(_ms(first), _ms(following))


class Account:
    """Money of one period, spent and reserved; when the next one begins, nothing is.

    Args:
        period_of: Days or months.
        now_ms: The time.
        spent_pico: What was spent in this period already.

    Attributes:
        period: The period.
        spent_pico: What was spent in it.
        reserved_pico: What calls that began in it may still cost.
    """

    __slots__ = ("_period_of", "period", "reserved_pico", "spent_pico")

    def __init__(self, period_of: PeriodOf, now_ms: int, spent_pico: int = 0) -> None:
        self._period_of = period_of
        self.period = period_of(now_ms)
        self.spent_pico = spent_pico
        self.reserved_pico = 0

    def move(self, now_ms: int) -> None:
        """Go on to the period that a time lies in, unless that is an earlier one."""
        if now_ms >= self.period.end_ms:
            self.period = self._period_of(now_ms)
            self.spent_pico = self.reserved_pico = 0

    def spend(self, pico: int, at_ms: int) -> None:
        """Book what was spent at a time; what was spent in an earlier period is no longer counted."""
        self.move(at_ms)
        if at_ms >= self.period.start_ms:
            self.spent_pico += pico

    def reserve(self, pico: int) -> int:
        """Set aside what a call may cost; what is returned is to be given to `release`."""
        self.reserved_pico += pico
        return self.period.start_ms

    def release(self, pico: int, reserved_in: int) -> None:
        """Let go what was set aside in a period; of an earlier one nothing is set aside any more."""
        if reserved_in == self.period.start_ms:
            self.reserved_pico -= pico


_DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _ms(time: datetime) -> int:
    return (time - _EPOCH) // timedelta(milliseconds=1)
