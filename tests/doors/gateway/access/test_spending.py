from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.trace import decided, samples
from turnout.core.cost import Cost
from turnout.doors.gateway.access.budgets import day_of, month_of
from turnout.doors.gateway.access.spending import SpendingReader, Spent, charge_pico, spent_by_key
from turnout.trace.store.ledger import Ledger

NOON_MS = decided.NOW_MS + 12 * 3_600_000


def call(key_id: str, started_ms: int, least_pico: int, high_pico: int, **more: Any) -> Any:
    cost = Cost(input_pico=least_pico)
    return samples.call(key_id=key_id, started_ms=started_ms, cost=cost, cost_high_pico=high_pico, **more)


def test_what_counts_is_the_most_that_a_call_can_have_cost() -> None:
    assert charge_pico(call("k", NOON_MS, 5, 9)) == 9
    assert charge_pico(call("k", NOON_MS, 5, 0)) == 5


def test_what_each_key_spent_today_and_this_month(tmp_path: Path) -> None:
    day_ms, month_ms = day_of(NOON_MS).start_ms, month_of(NOON_MS).start_ms
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert spent_by_key(ledger, NOON_MS) == {}
        ledger.append(
            [
                call("a", NOON_MS, 1, 2),
                call("a", NOON_MS, 0, 40, role="classifier", status="error"),
                call("a", day_ms, 300, 300),
                call("a", day_ms - 1, 5_000, 5_000),
                call("a", month_ms, 60_000, 60_000),
                call("a", month_ms - 1, 700_000, 700_000),
                call("b", day_ms - 1, 7, 0),
                call("old", month_ms - 1, 9, 9),
                call("", NOON_MS, 9, 9),
                samples.decision(started_ms=NOON_MS),
            ]
        )
        assert spent_by_key(ledger, NOON_MS) == {"a": Spent(342, 65_342), "b": Spent(0, 7)}
        plan = ledger.select("EXPLAIN QUERY PLAN SELECT key_id FROM calls WHERE key_id != '' AND started_ms >= 1")
        assert "calls_by_key" in str(plan)


def test_what_is_new_is_read_alone_until_the_day_ends(tmp_path: Path) -> None:
    day_ms = day_of(NOON_MS).start_ms
    with Ledger(tmp_path / "ledger.db") as ledger:
        reader = SpendingReader(ledger)
        assert reader.read(NOON_MS) == {}
        ledger.append([call("a", day_ms - 1, 5, 5), call("a", NOON_MS, 1, 2), call("b", NOON_MS, 7, 0)])
        assert reader.read(NOON_MS) == {"a": Spent(2, 7), "b": Spent(7, 7)}
        ledger.append([call("a", NOON_MS, 3, 3), call("", NOON_MS, 9, 9)])
        assert reader.read(NOON_MS) == reader.read(NOON_MS) == {"a": Spent(5, 10), "b": Spent(7, 7)}
        assert reader.read(NOON_MS) == spent_by_key(ledger, NOON_MS)
        tomorrow_ms = NOON_MS + 24 * 3_600_000
        assert reader.read(tomorrow_ms) == spent_by_key(ledger, tomorrow_ms)
