import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.trace import decided
from turnout.core.cost import Cost
from turnout.trace.events import Event
from turnout.trace.store.encode import decode_event
from turnout.trace.store.ledger import Ledger

DAY_MS = 86_400_000


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A run of 2026-11-23 with a decision and a call, and one of 1970 with a failed call."""
    events: list[Event] = [
        decided.decided(event_id="d-1"),
        decided.called(event_id="c-1", cost=Cost(input_pico=2_020_000_000)),
        decided.called(
            decided.CAPABLE.id,
            event_id="c-2",
            run="old",
            turn_id="old",
            started_ms=DAY_MS,
            status="error",
            error="Throttled",
        ),
    ]
    path = tmp_path / "ledger.sqlite3"
    with Ledger(path) as opened:
        opened.append(events)
    return path


def events(turnout: Run, *filters: str) -> list[str]:
    code, out, err = turnout("ledger", "list", *filters, "--json")
    assert (code, err) == (0, "")
    return [line["event_id"] for line in json.loads(out)]


@pytest.mark.usefixtures("ledger")
def test_runs_are_listed_with_the_newest_last(turnout: Run) -> None:
    assert [run["name"] for run in json.loads(turnout("ledger", "list", "--json")[1])] == ["old", "run"]
    assert [run["name"] for run in json.loads(turnout("ledger", "list", "--since", "2026-01-01", "--json")[1])] == [
        "run"
    ]
    out = turnout("ledger", "list")[1]
    assert "1970-01-02 00:00:00 UTC" in out


def test_the_cost_of_a_call_says_how_well_it_is_known(turnout: Run, ledger: Path) -> None:
    assert (
        "0.002020000000 $ (exact: the call reported its usage, priced by the catalog)"
        in turnout("ledger", "show", "c-1")[1]
    )
    cut = decided.called(event_id="c-3", cost=Cost(input_pico=1), cost_high_pico=10**9, usage_source="estimated")
    with Ledger(ledger) as opened:
        opened.append([cut])
    assert "0.000000000001 to 0.001000000000 $ (usage estimated)" in turnout("ledger", "show", "c-3")[1]
    unknown = decided.called(event_id="c-4", cost=Cost(), usage_source="none")
    with Ledger(ledger) as opened:
        opened.append([unknown])
    listed = turnout("ledger", "list", "--events")[1]
    assert "0.000000 to 0.001000" in listed
    assert "at least 0.000000" in listed


@pytest.mark.usefixtures("ledger")
def test_events_are_listed_by_run_model_status_and_age(turnout: Run) -> None:
    assert events(turnout, "--events") == ["c-2", "d-1", "c-1"]
    assert events(turnout, "--events", "--limit", "1") == ["c-1"]
    assert events(turnout, "--run", "old") == ["c-2"]
    assert events(turnout, "--status", "error") == ["c-2"]
    assert events(turnout, "--events", "--since", "2026-11-22") == ["d-1", "c-1"]
    # The models of these events are in no catalog: their ids are taken as they are.
    table = turnout("ledger", "list", "--events")[1]
    assert "error: Throttled" in table
    assert "0.002020" in table


@pytest.mark.usefixtures("ledger")
def test_events_are_listed_by_a_model_of_the_catalog(turnout: Run) -> None:
    assert events(turnout, "--model", "global.sonnet-4.6") == ["c-2"]


@pytest.mark.usefixtures("ledger")
def test_one_event_or_a_turn_is_shown(turnout: Run) -> None:
    out = turnout("ledger", "show", "c-1")[1]
    assert "2,020,000,000" in out
    assert "0.002020000000 $" in out
    out = turnout("ledger", "show", "turn")[1]
    assert out.index("decision d-1") < out.index("call c-1")
    assert "turnout explain d-1" in out
    [shown] = json.loads(turnout("ledger", "show", "last", "--json")[1])
    assert (shown["type"], shown["event_id"]) == ("call", "c-1")


@pytest.mark.usefixtures("ledger")
def test_events_go_to_standard_output_or_a_file(turnout: Run, tmp_path: Path) -> None:
    code, out, err = turnout("ledger", "export")
    assert (code, err) == (0, "")
    assert [decode_event(line.encode()).event_id for line in out.splitlines()] == ["c-1", "c-2", "d-1"]
    code, out, err = turnout("ledger", "export", "out.jsonl", "--run", "run")
    assert (code, out, err) == (0, "", "2 events written to out.jsonl\n")
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == 2
    assert turnout("ledger", "export", "out.jsonl")[0] == 2
    assert turnout("ledger", "export", "out.jsonl", "--force")[0] == 0


@pytest.mark.usefixtures("ledger")
def test_calls_go_to_parquet(turnout: Run, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow (extra parquet), which is large")
    code, _, err = turnout("ledger", "export", "calls.parquet", "--format", "parquet")
    assert (code, err) == (0, "2 calls written to calls.parquet\n")
    assert (tmp_path / "calls.parquet").read_bytes()[:4] == b"PAR1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "--status", "okay"], "the nearest known one is 'ok'"),
        (["list", "--run", "runn"], "the nearest known one is 'run'"),
        (["list", "--since", "soon"], "'soon' is no age"),
        (["list", "--model", "global.sonnet-9"], "nearest"),
        (["list", "--limit", "0"], "--limit"),
        (["show", "x"], "begins with 'x'"),
        (["export", "--format", "csv"], "one of jsonl, parquet"),
        (["export", "missing/out.jsonl"], "missing/out.jsonl cannot be written"),
        (["prune", "--older-than", "thirty days"], "'thirty days' is no age"),
        (["prune"], "--older-than"),
        (["prune", "--older-than", "30d"], "say --yes"),
        (["pack"], "No such command"),
    ],
)
@pytest.mark.usefixtures("ledger")
def test_mistakes_are_one_line(
    turnout: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    code, out, err = turnout("ledger", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_parquet_needs_a_file(turnout: Run, ledger: Path) -> None:
    code, _, err = turnout("ledger", "export", "--format", "parquet")
    assert code == 2
    assert "name one" in err or "pip install 'turnout[parquet]'" in err


def test_without_a_command_it_helps_and_fails(turnout: Run) -> None:
    code, out, _ = turnout("ledger")
    assert (code, "prune" in out) == (2, True)


def test_pruning_tells_then_deletes(turnout: Run, ledger: Path) -> None:
    code, out, _ = turnout("ledger", "prune", "--older-than", "100w", "--dry-run")
    assert code == 0
    assert "1 calls (0.000000 $), 0 decisions" in out
    assert "would be deleted" in out
    code, out, _ = turnout("ledger", "prune", "--older-than", "100w", "--yes", "--vacuum", "--json")
    pruned = json.loads(out)
    assert (code, pruned["calls"], pruned["runs"], pruned["dry_run"]) == (0, 1, ["old"], False)
    with Ledger(ledger, read_only=True) as opened:
        assert [run.name for run in opened.runs()] == ["run"]
    assert "nothing in" in turnout("ledger", "prune", "--older-than", "100w", "--yes")[1]


@pytest.mark.parametrize(("answer", "left"), [("n\n", 2), ("y\n", 1)])
def test_pruning_asks_first(
    turnout: Run, ledger: Path, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    stdin = io.StringIO(answer)
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    code, _, err = turnout("ledger", "prune", "--older-than", "100w")
    assert "Delete them for good?" in err
    assert code == (0 if left == 1 else 130)
    with Ledger(ledger, read_only=True) as opened:
        assert len(opened.calls()) == left
