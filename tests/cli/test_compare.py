import json
from pathlib import Path

import pytest

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


def test_totals_are_typed_in_for_the_run_before(turnout: Run, tmp_path: Path) -> None:
    write(tmp_path / "ledger.sqlite3", "v4", started_ms=2000, pico=3_000_000)
    typed = "cost=0.000004,latency=2,input=50,output=20"
    document = json.loads(turnout("compare", "v4", "--before-totals", typed, "--json")[1])
    assert (document["before"], document["basis"]) == ("typed in", "typed")
    assert document["cost_usd"]["change_percent"] == "-25.0000"
    assert document["mean_latency_s"]["change_percent"] == "-25.0000"
    assert document["tokens"]["input"]["change"] == "50"
    assert document["tokens"]["cache_read"] == {"before": None, "after": "0", "change": None, "change_percent": None}
    table = turnout("compare", "v4", "--before-totals", typed, "--classifier-as", "global.haiku-4.5")[1]
    assert "typed in -> v4" in table
    assert "-25.0 %" in table
    assert "nothing here can check them" in " ".join(table.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["v4"], "compare takes two runs, got 1: v4"),
        (["a", "b", "c"], "compare takes two runs, got 3"),
        (["a", "b", "--before-totals", "cost=1"], "one run beside --before-totals, got 2"),
        (["v4", "--before-totals", "cots=1"], "the nearest known one is 'cost'"),
        (["v9", "--before-totals", "cost=1"], "unknown run 'v9'"),
    ],
)
def test_mistakes_with_typed_totals(turnout: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
    write(tmp_path / "ledger.sqlite3", "v4", started_ms=1000, pico=1)
    code, out, err = turnout("compare", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
