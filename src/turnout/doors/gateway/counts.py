"""The metrics of several workers as one: each writes what it has counted once a second, and when it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from turnout.trace.prometheus import MetricsRecorder
from turnout.trace.prometheus.sharing import Shared

logger = logging.getLogger(__name__)

WRITE_SECONDS = 1.0
"""How often."""


@asynccontextmanager
async def sharing(
    metrics: MetricsRecorder, shared: Shared, *, interval_s: float = WRITE_SECONDS
) -> AsyncIterator[None]:
    """Write while the block runs, and once more at its end.

    Args:
        metrics: What this worker counts; it goes on from what the worker before in its slot had counted.
        shared: Where all workers write.
        interval_s: Seconds between two times.
    """
    before = shared.before()
    if before is not None:
        metrics.go_on_from(before)
    _write(metrics, shared)
    task = asyncio.get_running_loop().create_task(_write_often(metrics, shared, interval_s))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        _write(metrics, shared)


async def _write_often(metrics: MetricsRecorder, shared: Shared, interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        _write(metrics, shared)


def _write(metrics: MetricsRecorder, shared: Shared) -> None:
    """Less than a millisecond, and from the event loop: nothing is counted meanwhile."""
    try:
        shared.write(metrics.counted())
    except OSError:
        logger.exception("the metrics of this worker cannot be written")
