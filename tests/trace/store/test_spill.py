from __future__ import annotations

import stat
from pathlib import Path

import pytest

from turnout.trace.errors import LedgerError
from turnout.trace.events import CallEvent
from turnout.trace.store.spill import read_spill, spill, spilled

EVENTS = [
    CallEvent(event_id=str(number), run="run", session_id="s", turn_id="t", model="bedrock/small", started_ms=number)
    for number in range(3)
]


def test_events_are_kept_beside_the_ledger_and_found_again(tmp_path: Path) -> None:
    ledger = tmp_path / "a[b]*.db"
    first, second = spill(ledger, EVENTS[:2]), spill(ledger, EVENTS[2:])
    assert first.parent == tmp_path
    assert spilled(ledger) == sorted([first, second])
    assert read_spill(first) + read_spill(second) == EVENTS
    assert spilled(tmp_path / "ab.db") == []


def test_only_the_owner_may_read_them(tmp_path: Path) -> None:
    assert stat.S_IMODE(spill(tmp_path / "ledger.db", EVENTS).stat().st_mode) == 0o600


def test_a_missing_directory_falls_back_to_the_temporary_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = spill(tmp_path / "gone" / "ledger.db", EVENTS)
    assert path.parent == tmp_path
    assert read_spill(path) == EVENTS


def test_where_nothing_can_be_written_each_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "also gone"))
    with pytest.raises(LedgerError, match=r"3 events could not be kept anywhere .*gone.*also gone"):
        spill(tmp_path / "gone" / "ledger.db", EVENTS)


def test_a_line_that_is_no_event_is_named(tmp_path: Path) -> None:
    path = spill(tmp_path / "ledger.db", EVENTS)
    path.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(LedgerError, match="line 4 of"):
        read_spill(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="No such file"):
        read_spill(tmp_path / "missing.jsonl")
