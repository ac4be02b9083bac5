from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.trace import decided
from turnout.core.cost import Cost
from turnout.trace.errors import LedgerError
from turnout.trace.events import CallEvent, Event
from turnout.trace.store import export
from turnout.trace.store.encode import decode_event
from turnout.trace.store.export import PARQUET_COLUMNS, require_arrow, whole_file, write_jsonl, write_parquet
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.selection import Filter

MOST_PICO = 2**62


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    events: list[Event] = [
        decided.decided(event_id="d0"),
        decided.called(event_id="c0", cost=Cost(input_pico=1, output_pico=MOST_PICO)),
        decided.called(event_id="c1", run="other", first_content_ms=12.5, streamed=True),
    ]
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.append(events)
        yield ledger


def test_json_lines_are_taken_in_by_another_ledger(ledger: Ledger, tmp_path: Path) -> None:
    told: list[int] = []
    path = tmp_path / "events.jsonl"
    with path.open("wb") as out:
        assert write_jsonl(ledger, Filter(), out, told.append) == sum(told) == 3
    with Ledger(tmp_path / "second.db") as second:
        assert second.take_in(path) == 3
        assert second.calls() == ledger.calls()
        assert second.decisions() == ledger.decisions()


def test_only_what_is_meant_is_written(ledger: Ledger) -> None:
    out = io.BytesIO()
    write_jsonl(ledger, Filter(run="other"), out, lambda events: None)
    assert [decode_event(line).event_id for line in out.getvalue().splitlines()] == ["c1"]


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"

    def stopped_half_way() -> None:
        with whole_file(path) as partial:
            partial.write_text("half a")
            raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        stopped_half_way()
    assert list(tmp_path.iterdir()) == []
    with whole_file(path) as partial:
        partial.write_text("whole")
    assert path.read_text() == "whole"
    with pytest.raises(LedgerError, match="is there already"), whole_file(path):
        raise AssertionError
    with whole_file(path, overwrite=True) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"


@pytest.mark.parametrize(("name", "message"), [("missing/out", "cannot be written"), (".", "is a directory")])
def test_a_file_that_cannot_be_written(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(LedgerError, match=message), whole_file(tmp_path / name) as partial:
        partial.write_text("x")


def test_without_pyarrow_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("turnout.trace.store.export.importlib.import_module", missing)
    with pytest.raises(LedgerError, match=r"pip install 'turnout\[parquet\]', or export as jsonl"):
        require_arrow()


class TestParquet:
    """Needs pyarrow, which the extra ``parquet`` brings."""

    @pytest.fixture(autouse=True)
    def _arrow(self) -> None:
        pytest.importorskip("pyarrow", reason="needs pyarrow (extra parquet), which is large")

    def read(self, path: Path) -> list[dict[str, Any]]:
        _, parquet = require_arrow()
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return rows

    def test_one_row_a_call_with_exact_money(self, ledger: Ledger, tmp_path: Path) -> None:
        path = tmp_path / "calls.parquet"
        assert write_parquet(ledger, Filter(), path, lambda events: None) == 2
        rows = self.read(path)
        assert [row["event_id"] for row in rows] == ["c0", "c1"]
        assert tuple(rows[0]) == PARQUET_COLUMNS
        # More than a float could hold: 2**62 + 1.
        assert (rows[0]["input_pico"], rows[0]["cost_pico"]) == (1, MOST_PICO + 1)
        assert (rows[0]["first_content_ms"], rows[1]["first_content_ms"], rows[1]["streamed"]) == (None, 12.5, True)

    def test_no_call_is_a_file_without_rows(self, ledger: Ledger, tmp_path: Path) -> None:
        path = tmp_path / "calls.parquet"
        assert write_parquet(ledger, Filter(run="nobody"), path, lambda events: None) == 0
        assert self.read(path) == []

    def test_several_row_groups(self, ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(export, "_ROW_GROUP", 1)
        path = tmp_path / "calls.parquet"
        assert write_parquet(ledger, Filter(), path, lambda events: None) == 2
        assert len(self.read(path)) == 2

    @settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def test_every_call_is_written_as_it_is(
        self, tmp_path: Path, call_events: SearchStrategy[CallEvent], data: st.DataObject
    ) -> None:
        event = data.draw(call_events)
        with Ledger(tmp_path / "random.db") as ledger:
            ledger.append([event])
            event = next(call for call in ledger.calls() if call.event_id == event.event_id)
            write_parquet(ledger, Filter(), tmp_path / "random.parquet", lambda events: None)
        row = next(row for row in self.read(tmp_path / "random.parquet") if row["event_id"] == event.event_id)
        assert row["output_pico"] == event.cost.output_pico
        assert row["input_tokens"] == event.usage.input_tokens
        assert (row["latency_ms"], row["error"]) == (event.latency_ms, event.error)
