from pathlib import Path

from benchmarks.bench_million_events import ask, clean_up, decide_again, write
from turnout.trace.store.ledger import Ledger
from turnout.trace.views.metrics import run_metrics


def test_every_figure_is_of_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    written = dict(write(path, 4, 3))
    assert set(written) >= {"decisions written, a second", "calls written, a second", "file, bytes an event"}
    with Ledger(path, read_only=True) as ledger:
        assert [(run.calls, run.decisions) for run in ledger.runs()] == [(8, 4)] * 3
        assert run_metrics(ledger, "run 2").totals.answered == 4
    asked = dict(ask(path, 4, 3))
    assert "compare(), two runs of 4 turns" in asked
    assert "verify(), 12 decisions made again" in dict(decide_again(path, 4, 3))
    # Half of the twelve turns are older than the middle.
    assert "prune of 18 events" in dict(clean_up(path, 4, 3))
