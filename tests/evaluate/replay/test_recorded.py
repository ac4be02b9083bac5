from pathlib import Path

import msgspec
import pytest

from tests.trace.decided import CAPABLE, NOW_MS, REQUEST, SIMPLE, called, decided, given
from turnout.core.decision import FailedAttempt
from turnout.core.request import HardStay
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.recorded import load_ledger
from turnout.trace.store.ledger import Ledger


def test_decisions_become_calls(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite3") as ledger:
        stay = msgspec.structs.replace(REQUEST, hard_stay=HardStay(CAPABLE.id, "tool_loop"))
        ledger.append(
            [
                decided(turn_id="one", session_id="s1"),
                called(turn_id="one", started_ms=NOW_MS),
                decided(given(request=stay, now_ms=NOW_MS + 5), turn_id="one", session_id="s1"),
                called(turn_id="one", started_ms=NOW_MS + 5),
                decided(turn_id="never answered"),
            ]
        )
        loaded = load_ledger(ledger)
    first, second = loaded.requests
    assert (first.session, first.turn, first.at_ms) == ("s1", "one", NOW_MS)
    assert first.segments == REQUEST.segments
    assert first.verdict == SIMPLE
    assert (first.in_tool_loop, second.in_tool_loop) == (False, True)
    assert loaded.grain == "entries"
    assert "1 requests without an answer are left out" in loaded.notes


def test_a_failover_is_one_call(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite3") as ledger:
        again = given(failed=(FailedAttempt(CAPABLE.id, "throttled"),))
        ledger.append([decided(turn_id="one"), decided(again, turn_id="one"), called(turn_id="one")])
        assert len(load_ledger(ledger).requests) == 1


def test_one_run_or_the_first_calls(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite3") as ledger:
        for turn in ("a", "b", "c"):
            ledger.append([decided(turn_id=turn, run=turn), called(turn_id=turn, run=turn)])
        assert [request.turn for request in load_ledger(ledger, run="b").requests] == ["b"]
        assert len(load_ledger(ledger, limit=2).requests) == 2
        with pytest.raises(TraceError, match="no answered decision in the run 'd'"):
            load_ledger(ledger, run="d")
