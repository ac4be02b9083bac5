"""Keys and spending, followed while a server runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.doors.gateway.access.support import key
from tests.doors.gateway.support import admission_of
from tests.trace import samples
from turnout.core.cost import Cost
from turnout.doors.gateway.access.key_file import KeyFile, LiveKeys
from turnout.doors.gateway.access.keys import KeyRules, new_key
from turnout.doors.gateway.access.spending import SpendingReader, Spent
from turnout.doors.gateway.upkeep import upkeep
from turnout.trace.store.ledger import Ledger


async def come_true(done: Callable[[], bool]) -> None:
    for _ in range(500):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to hold in time")


async def test_what_other_processes_spend_counts(tmp_path: Path) -> None:
    made = key("a", budget_day_usd=Decimal(1))
    file = KeyFile(tmp_path / "keys.json")
    file.change(lambda ring: (made.stored,))
    admission = admission_of(made)
    now_ms = admission.now_ms()
    limits = admission.limits
    with Ledger(tmp_path / "l.sqlite3") as ledger:
        async with upkeep(admission, LiveKeys(file), lambda: ([], []), SpendingReader(ledger), interval_s=0.01):
            call = samples.call(key_id=made.stored.id, started_ms=now_ms, cost=Cost(input_pico=7), cost_high_pico=9)
            ledger.append([call])
            await come_true(lambda: limits.spent(made.stored.id, now_ms) == Spent(9, 9))


async def test_a_key_that_names_what_is_not_there_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = KeyFile(tmp_path / "keys.json")
    file.change(lambda ring: (key("a").stored,))
    keys = LiveKeys(file)
    with caplog.at_level(logging.WARNING):
        async with upkeep(admission_of(), keys, lambda: (["openai/gpt-5"], ["economy"]), None, interval_s=0.01):
            made = new_key("b", datetime.fromtimestamp(time.time(), UTC), KeyRules(models=("openai/gpt-6",)))
            file.change(lambda ring: (*ring.stored, made.stored))
            await come_true(lambda: "cannot be used as it was meant" in caplog.text)
    assert len(keys.ring) == 2
    assert "'openai/gpt-5'" in caplog.text
