import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.cli.conftest import Run
from turnout.core.cost import Cost
from turnout.core.usage import Usage
from turnout.testing.langfuse import LangfuseDouble
from turnout.trace.events import CallEvent, new_id
from turnout.trace.store.ledger import Ledger

HAIKU = "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0"


def write(path: Path, run: str, *, started_ms: int, pico: int, **changes: Any) -> None:
    event = CallEvent(
        event_id=new_id(),
        run=run,
        session_id="s",
        turn_id=new_id(),
        query_id="greeting",
        model=HAIKU,
        started_ms=started_ms,
        latency_ms=1500.0,
        usage=Usage(input_tokens=100, output_tokens=10),
        usage_source="reported",
        cost=Cost(input_pico=pico),
        cost_high_pico=pico,
    )
    with Ledger(path) as ledger:
        ledger.append([msgspec.structs.replace(event, **changes)])


def test_without_a_ledger_it_says_what_to_do(turnout: Run) -> None:
    code, _, err = turnout("metrics")
    assert (code, err.count("\n")) == (2, 1)
    assert "there is no ledger" in err


def test_an_empty_ledger_says_how_to_fill_it(turnout: Run, tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger.sqlite3").close()
    code, _, err = turnout("metrics")
    assert (code, "turnout demo" in err) == (2, True)


def test_the_newest_run_is_shown(turnout: Run, tmp_path: Path) -> None:
    write(tmp_path / "ledger.sqlite3", "old", started_ms=1000, pico=1)
    write(tmp_path / "ledger.sqlite3", "new", started_ms=2000, pico=2_500_000)
    _, out, _ = turnout("metrics", "--json")
    document = json.loads(out)
    assert (document["run"], document["simulated"]) == ("new", False)
    assert document["totals"]["cost"]["pico_usd"] == 2_500_000
    _, table, _ = turnout("metrics", "old")
    assert "greeting" in table
    assert "Claude Haiku 4.5" in table


def test_an_empty_name_is_no_run(turnout: Run, tmp_path: Path) -> None:
    write(tmp_path / "ledger.sqlite3", "monday", started_ms=1000, pico=1)
    code, out, err = turnout("metrics", "")
    assert (code, out, "unknown run ''" in err) == (2, "", True)


def test_totals_say_what_is_exact(turnout: Run, tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    write(path, "mine", started_ms=1000, pico=2_500_000)
    table = turnout("metrics", "mine")[1]
    assert table.count("exact: the call reported its usage, priced by the catalog") == 1
    assert "bounded" not in table
    write(
        path, "mine", started_ms=2000, pico=10**9, cost_high_pico=10**10, usage_source="estimated", status="cancelled"
    )
    table = turnout("metrics", "mine")[1]
    assert "0.001002 to 0.010002" in table
    assert "0.001000 to 0.010000 $, 1 call (usage estimated 1)" in table
    totals = json.loads(turnout("metrics", "mine", "--json")[1])["totals"]
    assert totals["exactness"]["exact"] is False
    assert totals["exactness"]["exact_cost"]["pico_usd"] == 2_500_000
    assert totals["exactness"]["bounded_cost"]["high"]["pico_usd"] == 10**10


def test_an_unknown_run_names_the_nearest(turnout: Run, tmp_path: Path) -> None:
    write(tmp_path / "ledger.sqlite3", "monday", started_ms=1000, pico=1)
    code, _, err = turnout("metrics", "munday")
    assert code == 2
    assert "monday" in err


def test_runs_are_listed(turnout: Run, tmp_path: Path) -> None:
    write(tmp_path / "ledger.sqlite3", "monday", started_ms=1_795_392_000_000, pico=1)
    assert [run["name"] for run in json.loads(turnout("metrics", "--list", "--json")[1])] == ["monday"]
    out = turnout("metrics", "--list")[1]
    assert "monday" in out
    assert "2026-11-23 00:00:00 UTC" in out


def test_langfuse_needs_its_variables_and_a_run(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, message in (((), "name the run"), (("monday",), "set LANGFUSE_PUBLIC_KEY")):
        code, _, err = turnout("metrics", *arguments, "--source", "langfuse")
        assert (code, err.count("\n")) == (2, 1)
        assert message in err


def test_a_run_that_langfuse_does_not_show_is_one_line(turnout: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with LangfuseDouble() as double:
        for name, value in double.environment.items():
            monkeypatch.setenv(name, value)
        code, _, err = turnout("metrics", "monday", "--source", "langfuse")
    assert (code, err.count("\n")) == (2, 1)
    assert "monday" in err
