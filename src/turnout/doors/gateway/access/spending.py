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


_SPENT = """
    SELECT key_id, sum(iif(started_ms >= ?, max(cost_high_pico, cost_pico), 0)), sum(max(cost_high_pico, cost_pico))
    FROM calls WHERE key_id != '' AND started_ms >= ? GROUP BY key_id
"""
