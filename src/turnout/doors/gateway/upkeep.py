"""What a running server looks at once a second: the file of keys, and what keys have spent in other processes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from turnout.config.errors import ConfigError
from turnout.doors.gateway.access.key_file import LiveKeys
from turnout.doors.gateway.access.keys import KeyRules, check_rules
from turnout.doors.gateway.access.spending import SpendingReader
from turnout.doors.gateway.admission import Admission
from turnout.trace.errors import LedgerError

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often."""


@asynccontextmanager
async def upkeep(
    admission: Admission,
    keys: LiveKeys,
    known: Callable[[], tuple[list[str], list[str]]],
    spending: SpendingReader | None,
    *,
    interval_s: float = LOOK_SECONDS,
) -> AsyncIterator[None]:
    """Look while the block runs; files and the ledger are read in a thread, not in the event loop.

    Args:
        admission: Has the limits of the keys.
        keys: The keys.
        known: The models and the routes that keys may name; a new key that names another is told in the log.
        spending: Reads what keys have spent; none: this process alone serves them.
        interval_s: Seconds between two looks.
    """
    task = asyncio.get_running_loop().create_task(_look(admission, keys, known, spending, interval_s))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _look(
    admission: Admission,
    keys: LiveKeys,
    known: Callable[[], tuple[list[str], list[str]]],
    spending: SpendingReader | None,
    interval_s: float,
) -> None:
    failing = False
    while True:
        await asyncio.sleep(interval_s)
        if await asyncio.to_thread(keys.refresh):
            logger.warning("keys=<%d>, active=<%d> | the keys were read anew", len(keys.ring), keys.ring.active)
            admission.limits.forget({key.id for key in keys.ring.keys})
            try:
                check_rules(keys.ring.keys, *known())
            except ConfigError as error:
                logger.error("problem=<%s> | a key cannot be used as it was meant", error)
        if spending is None or not any(_has_budget(key.rules) for key in keys.ring.keys):
            continue
        now_ms = admission.now_ms()
        try:
            admission.limits.adopt(await asyncio.to_thread(spending.read, now_ms), now_ms)
            failing = False
        except LedgerError as error:
            if not failing:
                logger.error("error=<%s> | what other processes spend is not known", error)
            failing = True


def _has_budget(rules: KeyRules) -> bool:
    return rules.budget_day_usd is not None or rules.budget_month_usd is not None
