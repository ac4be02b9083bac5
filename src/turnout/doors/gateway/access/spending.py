"""What keys have spent, read from the ledger: how budgets survive a restart.

What counts is the most that a call can have cost, as while the server runs. Known limitation: calls that were pruned
from the ledger no longer count, so prune nothing of the current month where keys have monthly budgets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from turnout.doors.gateway.access.budgets import day_of, month_of
from turnout.trace.events import CallEvent
from turnout.trace.store.ledger import Ledger


class Spent(NamedTuple):
    """What a key has spent today and this month, in pico-USD."""

    day_pico: int
    month_pico: int


def charge_pico(event: CallEvent) -> int:
    """What a call counts for in a budget: the most that it can have cost."""
    return max(event.cost_high_pico, event.cost.total_pico)


def spent_by_key(ledger: Ledger, now_ms: int) -> Mapping[str, Spent]:
    """What each key has spent in the current day and month, by its id; a key that spent nothing is not there.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    rows = ledger.select(_SPENT, (day_of(now_ms).start_ms, month_of(now_ms).start_ms))
    return {key_id: Spent(day_pico, month_pico) for key_id, day_pico, month_pico in rows}


class SpendingReader:
    """Follows what keys spend in a ledger that several processes write: each look reads only what is new.

    Args:
        ledger: Where the calls are.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._periods = (0, 0)
        self._last = 0
        self._sums: dict[str, Spent] = {}

    def read(self, now_ms: int) -> Mapping[str, Spent]:
        """What each key has spent in the current day and month, by its id; by one thread at a time.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        periods = day_of(now_ms).start_ms, month_of(now_ms).start_ms
        if periods != self._periods:
            self._periods, self._last, self._sums = periods, 0, {}
        rows = self._ledger.select(_SPENT_SINCE, (*periods, self._last, periods[1]))
        for key_id, day_pico, month_pico, last in rows:
            before = self._sums.get(key_id, Spent(0, 0))
            self._sums[key_id] = Spent(before.day_pico + day_pico, before.month_pico + month_pico)
            self._last = max(self._last, last)
        return dict(self._sums)


_SPENT_SINCE = """
    SELECT key_id, sum(iif(started_ms >= ?, max(cost_high_pico, cost_pico), 0)),
        sum(iif(started_ms >= ?, max(cost_high_pico, cost_pico), 0)), max(sequence)
    FROM calls WHERE key_id != '' AND sequence > ? AND started_ms >= ? GROUP BY key_id
"""

_SPENT = """
    SELECT key_id, sum(iif(started_ms >= ?, max(cost_high_pico, cost_pico), 0)), sum(max(cost_high_pico, cost_pico))
    FROM calls WHERE key_id != '' AND started_ms >= ? GROUP BY key_id
"""
