import json
from pathlib import Path

from tests.cli.conftest import Run
from tests.cli.test_metrics import write


def test_two_runs_are_compared(turnout: Run, tmp_path: Path) -> None:
    write(tmp_path / "ledger.sqlite3", "v3", started_ms=1000, pico=4_000_000)
    write(tmp_path / "ledger.sqlite3", "v4", started_ms=2000, pico=3_000_000)
    code, out, _ = turnout("compare", "v3", "v4", "--json")
    assert code == 0
    assert json.loads(out)["cost_usd"]["change_percent"] == "-25.0000"
    table = turnout("compare", "v3", "v4", "--classifier-as", "global.haiku-4.5")[1]
    assert "-25.0 %" in table
    assert "classifier repriced" in table


def test_mistakes_are_named(turnout: Run, tmp_path: Path) -> None:
    write(tmp_path / "ledger.sqlite3", "v3", started_ms=1000, pico=1)
    code, _, err = turnout("compare", "v3", "v5")
    assert (code, "v5" in err) == (2, True)
    code, _, err = turnout("compare", "v3", "v3", "--classifier-as", "global.haiku-9")
    assert (code, "haiku-9" in err) == (2, True)
