from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from turnout.core.decision import DecisionInput
from turnout.trace.events import CallEvent, DecisionEvent
from turnout.trace.store.encode import (
    CALL_COLUMNS,
    DECISION_COLUMNS,
    call_of,
    call_row,
    canonical,
    decision_json,
    decision_of,
    decision_row,
    decode_event,
    encode_event,
    own_json,
)
from turnout.trace.store.pack import packed_pair


@given(st.data())
def test_a_call_comes_back_from_its_row(call_events: SearchStrategy[CallEvent], data: st.DataObject) -> None:
    event = data.draw(call_events)
    row = call_row(event)
    assert len(row) == len(CALL_COLUMNS)
    assert call_of(row) == event


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_decision_comes_back_from_its_row_and_its_snapshots(
    decision_events: SearchStrategy[DecisionEvent], data: st.DataObject
) -> None:
    event = data.draw(decision_events)
    pair = decision_json(event, "p-hash", "c-hash")
    row = (*decision_row(event, "p-hash", "c-hash", given=packed_pair(*pair)), None)
    assert own_json(row) == pair
    assert decision_of(row, pair, event.given.policy, event.given.catalog) == event
    columns = dict(zip(DECISION_COLUMNS, row, strict=True))
    given_json, made_json = pair
    assert made_json == canonical(event.decision)
    stored = msgspec.json.decode(given_json)
    assert (stored["policy"], stored["catalog"]) == ("p-hash", "c-hash")
    assert b"context_window" not in given_json
    assert columns["reason"] == str(event.decision.reason)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_an_event_comes_back_from_its_line(
    call_events: SearchStrategy[CallEvent], decision_events: SearchStrategy[DecisionEvent], data: st.DataObject
) -> None:
    event = data.draw(call_events | decision_events)
    line = encode_event(event)
    assert b"\n" not in line
    assert decode_event(line) == event


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_equal_values_have_equal_bytes(decision_events: SearchStrategy[DecisionEvent], data: st.DataObject) -> None:
    inputs = data.draw(decision_events).given
    backwards = msgspec.structs.replace(inputs, caches=dict(reversed(list(inputs.caches.items()))))
    assert canonical(backwards) == canonical(inputs)
    assert canonical(msgspec.json.decode(canonical(inputs), type=DecisionInput)) == canonical(inputs)


def test_a_line_that_is_no_event_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_event(b'{"type": "call", "event_id": 5}')
    with pytest.raises(msgspec.DecodeError):
        decode_event(b"no JSON")
