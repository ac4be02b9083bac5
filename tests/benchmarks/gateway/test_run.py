"""The gateway's benchmark runs: every part once, briefly, without the peers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.gateway.__main__ import main
from benchmarks.gateway.reading import PROC
from benchmarks.gateway.run import BARE, OURS, PLAIN, STREAM, TOOLS, missed

needs_proc = pytest.mark.skipif(not (PROC / "self" / "stat").exists(), reason="reads CPU time from /proc")


@needs_proc
def test_figures_of_every_cell_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    status = main(["--rounds", "1", "--seconds", "0.1", "--only", "", "--out", str(out)])
    figures = json.loads(out.read_text())
    assert status == (1 if missed(figures) else 0)
    assert set(figures["servers"]) == {BARE, OURS}
    for server in figures["servers"].values():
        assert server["start_s"] > 0
        assert server["peak_mb"] > 1
        for what in (PLAIN, TOOLS, STREAM):
            assert server[what]["per_s"] > 0
    assert figures["machine"]["python"] in capsys.readouterr().out


def figures(**ours: float) -> dict[str, object]:
    cell = {"cpu_us": ours.get("cpu_us", 100.0), "added_ms": ours.get("added_ms", 0.1), "per_s": 1.0}
    turnout = {PLAIN: cell, TOOLS: cell, STREAM: {**cell, "cpu_us": ours.get("stream_us", 900.0)}}
    bare = {what: {"cpu_us": 40.0, "added_ms": 0.1, "per_s": 1.0} for what in (PLAIN, TOOLS, STREAM)}
    limits = {"peak_mb": ours.get("peak_mb", 90.0), "start_s": ours.get("start_s", 0.5)}
    return {"servers": {OURS: {**turnout, **limits}, BARE: {**bare, **limits}}}


@pytest.mark.parametrize(
    ("wrong", "count"),
    [
        ({}, 0),
        ({"cpu_us": 101.0}, 2),
        ({"added_ms": 0.6}, 2),
        ({"stream_us": 1100.0}, 1),
        ({"peak_mb": 151.0}, 1),
        ({"start_s": 1.6}, 1),
    ],
)
def test_each_missed_target_is_named(wrong: dict[str, float], count: int) -> None:
    assert len(missed(figures(**wrong))) == count


def test_a_peer_that_is_too_near_is_a_missed_target() -> None:
    given = figures()
    given["servers"]["portkey"] = {PLAIN: {"cpu_us": 700.0}}  # type: ignore[index]  # JSON, as it is written
    assert missed(given) == ["7.0 times the throughput per core of portkey, at least 8"]


def test_a_load_too_short_for_the_clock_is_no_error() -> None:
    given = figures()
    given["servers"][BARE][PLAIN]["cpu_us"] = 0.0  # type: ignore[index]  # JSON, as it is written
    assert len(missed(given)) == 0
