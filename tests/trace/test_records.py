from __future__ import annotations

from pathlib import Path

from tests.trace.decided import decided
from turnout.trace.events import CallEvent, Records
from turnout.trace.records import ListRecorder, NullRecorder
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder

EVENT = CallEvent(event_id="1", run="run", session_id="s", turn_id="t", model="bedrock/small", started_ms=1)


def test_a_list_keeps_events_in_their_order() -> None:
    recorder = ListRecorder()
    recorder.record(EVENT)
    recorder.record(EVENT)
    assert recorder.events == [EVENT, EVENT]


def test_a_list_tells_calls_and_decisions_apart() -> None:
    recorder, decision = ListRecorder(), decided()
    for event in (EVENT, decision, EVENT):
        recorder.record(event)
    assert (recorder.calls, recorder.decisions) == ([EVENT, EVENT], [decision])


def test_all_three_are_places_for_events(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger, Recorder(ledger) as recorder:
        places: list[Records] = [NullRecorder(), ListRecorder(), recorder]
        for place in places:
            place.record(EVENT)
        recorder.flush()
        assert ledger.calls() == [EVENT]
