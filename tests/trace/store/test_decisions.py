from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest

from tests.trace import decided, samples
from turnout.core.request import Request, Segment
from turnout.trace.errors import LedgerError
from turnout.trace.events import DecisionEvent
from turnout.trace.store import decisions as module
from turnout.trace.store import selection
from turnout.trace.store.decisions import MOST_IN_A_PACK, packings
from turnout.trace.store.encode import DECISION_COLUMNS
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.pack import packed_pair, unpacked, unpacked_pair, unpacked_pairs


def many(count: int) -> list[DecisionEvent]:
    """Decisions of which no two are alike."""
    return [
        decided.decided(
            decided.given(
                request=Request(
                    session_id=f"s{number}", segments=(Segment(kind="message", tokens=number + 1, prefix_hash="h"),)
                )
            ),
            event_id=f"d{number:03}",
            started_ms=number,
        )
        for number in range(count)
    ]


def test_decisions_that_are_written_together_share_packs(tmp_path: Path) -> None:
    events = many(2 * MOST_IN_A_PACK + 1)
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert ledger.append(events) == len(events)
        assert ledger.select("SELECT count(*) FROM packs") == [(2,)]
        alone = ledger.select("SELECT event_id FROM decisions WHERE pack IS NULL")
        assert alone == [(events[-1].event_id,)]
        assert ledger.decisions() == events
        assert [ledger.decision(event.event_id) for event in events] == events
        assert [one for batch in selection.decisions(ledger, selection.Filter()) for one in batch] == events


def test_a_pack_is_a_third_of_what_each_takes_by_itself() -> None:
    events = many(MOST_IN_A_PACK)
    [together] = packings(events)
    assert together.pack is not None
    alone = [packing.rows[0][DECISION_COLUMNS.index("given")] for event in events for packing in packings([event])]
    assert len(together.pack) < sum(map(len, alone)) / 3
    assert unpacked_pairs(together.pack) == [unpacked_pair(one) for one in alone]


def test_long_decisions_stand_in_smaller_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_PACK_BYTES", 5_000)
    sizes = [len(packing.rows) for packing in packings(many(9))]
    assert sum(sizes) == 9
    assert max(sizes) < 5


def test_what_the_ledger_has_already_is_kept_once(tmp_path: Path) -> None:
    events = many(5)
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert ledger.append(events[:3]) == 3
        assert ledger.append(events) == 2
        assert ledger.decisions() == events


def test_more_packs_than_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_PACKS", 2)
    events = many(12)
    with Ledger(tmp_path / "ledger.db") as ledger:
        for start in range(4):
            ledger.append(events[start::4])
        assert ledger.decisions() == events  # each from another pack than the one before


def test_decisions_are_read_within_a_block_that_reads(tmp_path: Path) -> None:
    events = many(3)
    with Ledger(tmp_path / "ledger.db") as ledger, Ledger(tmp_path / "ledger.db") as writer:
        writer.append(events)
        with ledger.reading() as select:
            assert select("SELECT count(*) FROM decisions") == [(3,)]
            writer.append(decided_later := [decided.decided(event_id="later", started_ms=99)])
            assert ledger.decisions() == events
        assert ledger.decisions() == [*events, *decided_later]


def test_a_decision_that_cannot_be_kept_leaves_no_pack(tmp_path: Path) -> None:
    bad = msgspec.structs.replace(decided.decided(event_id="bad"), started_ms=2**70)
    with Ledger(tmp_path / "ledger.db") as ledger:
        with pytest.raises(LedgerError):
            ledger.append([*many(3), bad, samples.call()])
        assert ledger.select("SELECT count(*) FROM packs") == ledger.select("SELECT count(*) FROM decisions") == [(0,)]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        pytest.param("DELETE FROM packs", "pack 1 is missing", id="no pack"),
        pytest.param("UPDATE packs SET json = x'00'", "cannot be read", id="no zlib"),
        pytest.param("UPDATE decisions SET place = 7", "lacks a decision", id="not in it"),
    ],
)
def test_a_damaged_pack_is_named(tmp_path: Path, damage: str, said: str) -> None:
    path = tmp_path / "ledger.db"
    with Ledger(path) as ledger:
        ledger.append(many(2))
    connection = sqlite3.connect(path)
    connection.execute(damage)
    connection.commit()
    connection.close()
    with Ledger(path) as ledger, pytest.raises(LedgerError, match=said):
        ledger.decisions()


def test_one_text_too_few_is_no_pack() -> None:
    [packing] = packings(many(2))
    assert packing.pack is not None
    assert len(unpacked(packing.pack).split(b"\n")) == 4
    with pytest.raises(msgspec.DecodeError, match="belongs to it"):
        unpacked_pairs(packed_pair(b"{}", b"{}\n{}"))
