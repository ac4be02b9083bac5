from __future__ import annotations

import logging

import pytest

from tests.trace.samples import call
from turnout.trace.events import Event
from turnout.trace.fanout import Fanout
from turnout.trace.records import ListRecorder
from turnout.trace.spans.recorder import SpanRecorder


class Fails:
    """A recorder that raises, as none should."""

    def record(self, event: Event) -> None:
        raise RuntimeError("full")


def test_each_event_goes_to_all() -> None:
    one, other = ListRecorder(), ListRecorder()
    event = call()
    Fanout(one, other).record(event)
    assert one.events == other.events == [event]


def test_one_that_fails_does_not_keep_the_event_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    kept = ListRecorder()
    with caplog.at_level(logging.ERROR):
        Fanout(Fails(), kept).record(call())
    assert len(kept.events) == 1
    assert "records=<Fails>" in caplog.text


def test_a_recorder_of_spans_is_found_among_others() -> None:
    with SpanRecorder([]) as spans:
        assert Fanout(ListRecorder(), Fanout(spans)).span_source is spans
    assert Fanout(ListRecorder()).span_source is None
