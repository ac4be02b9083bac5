from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import bench_plan_ledger
from benchmarks.bench_plan_ledger import work
from turnout.trace.store.ledger import Ledger


def test_every_plan_goes_over_all_that_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_plan_ledger, "TURNS", 20)
    path = tmp_path / "some.db"
    assert work("write", path, 100)[0] == 50
    with Ledger(path, read_only=True) as ledger:
        assert [(run.calls, run.decisions) for run in ledger.runs()] == [(50, 50)]
    for name in ("same", "bar", "models"):
        decisions, peak_mb = work(name, path, 100)
        assert decisions == 50
        assert peak_mb > 1
