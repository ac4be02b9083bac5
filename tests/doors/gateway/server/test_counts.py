from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from tests.trace import samples
from turnout.doors.gateway.server.counts import sharing
from turnout.trace.prometheus import MetricsRecorder
from turnout.trace.prometheus.sharing import Shared

MODEL = samples.call().model


def written(folder: Path) -> float:
    """How many calls stand in the folder's files."""
    parts = Shared(folder, 99).all()
    text = MetricsRecorder([MODEL]).exposition(parts=parts).body.decode()
    lines = [line for line in text.splitlines() if line.startswith("turnout_calls_total{")]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


async def test_what_is_counted_is_written_now_and_then_and_at_the_end(tmp_path: Path) -> None:
    metrics = MetricsRecorder([MODEL])
    async with sharing(metrics, Shared(tmp_path, 0), interval_s=0.01):
        assert written(tmp_path) == 0
        metrics.record(samples.call())
        for _ in range(2_000):
            if written(tmp_path):
                break
            await asyncio.sleep(0.005)
        assert written(tmp_path) == 1
        metrics.record(samples.call())
    assert written(tmp_path) == 2


async def test_a_worker_goes_on_from_the_one_before_in_its_slot(tmp_path: Path) -> None:
    for _ in range(2):
        metrics = MetricsRecorder([MODEL])
        async with sharing(metrics, Shared(tmp_path, 0), interval_s=60):
            metrics.record(samples.call())
    async with sharing(MetricsRecorder([MODEL]), Shared(tmp_path, 1), interval_s=60):
        assert written(tmp_path) == 2


async def test_a_folder_that_is_gone_is_told_and_ends_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "counts"
    folder.mkdir()
    with caplog.at_level(logging.ERROR):
        async with sharing(MetricsRecorder([MODEL]), Shared(folder, 0), interval_s=0.01):
            (folder / "0.counts").unlink()
            folder.rmdir()
            await asyncio.sleep(0.05)
    assert "metrics of this worker cannot be written" in caplog.text
