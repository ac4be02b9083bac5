from __future__ import annotations

import logging
from collections.abc import Mapping

import pytest

from tests.trace.samples import CAPABLE, CHEAP, OUTER, REQUEST, TRACE, call, classifier_call, decision, failed_call
from turnout.messages.conversation import conversation_of
from turnout.trace.events import CallEvent, Event
from turnout.trace.spans.attributes import AttributeValue
from turnout.trace.spans.builder import SETTLED_S, BuiltSpan, SpanBuilder
from turnout.trace.spans.content import Transcript
from turnout.trace.spans.context import SpanNote

MS = 1_000_000


class Built:
    """A builder and what it gave out."""

    def __init__(self, *decorators: object) -> None:
        self.spans: list[BuiltSpan] = []
        self.builder = SpanBuilder(self.spans.append, decorators=decorators)  # type: ignore[arg-type]  # tests bad ones

    def add(self, *events: Event, now_s: float = 0.0, note: SpanNote | None = None) -> Built:
        for event in events:
            self.builder.add(event, now_s, note)
        return self

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]


def test_a_request_is_one_span_around_the_classifiers_call_and_the_answers() -> None:
    classified, answered = classifier_call(), call()
    built = Built().add(classified, decision(), answered)
    assert built.names == ["chat cheap", "chat cheap", "turnout.route"]
    first, second, request = built.spans
    assert (first.span_id, second.span_id) == (classified.span_id, answered.span_id)
    assert {first.parent_span_id, second.parent_span_id} == {request.span_id} == {REQUEST}
    assert request.parent_span_id == OUTER
    assert {span.trace_id for span in built.spans} == {TRACE}
    assert [span.client for span in built.spans] == [True, True, False]
    assert (second.start_ns, second.end_ns) == (1_040 * MS, 1_290 * MS)
    assert (request.start_ns, request.end_ns) == (1_000 * MS, 1_290 * MS)


def test_a_request_that_was_refused_ends_with_its_decision() -> None:
    (span,) = Built().add(decision(pin="bedrock/other")).spans
    assert (span.name, span.error) == ("turnout.route", "pin_ineligible")
    assert span.end_ns == (1_000 + 30 + 2) * MS


def test_a_failed_call_waits_for_a_failover() -> None:
    built = Built().add(decision(), failed_call())
    built.builder.settle(SETTLED_S / 2)
    assert built.names == ["chat cheap"]
    built.add(decision(failed=(CHEAP.id,)), call(CAPABLE, started_ms=2_000))
    assert built.names == ["chat cheap", "chat capable", "turnout.route"]
    request = built.spans[-1]
    assert (request.start_ns, request.end_ns, request.error) == (1_000 * MS, 2_250 * MS, "")
    assert request.attributes["turnout.reasons"] == ("cheapest_clears_bar", "failover")
    built.builder.settle(100.0)
    built.builder.finish()
    assert len(built.spans) == 3


@pytest.mark.parametrize(("now_s", "at_once"), [(SETTLED_S, False), (0.0, True)])
def test_a_call_that_failed_for_good_ends_the_request_after_a_while(now_s: float, at_once: bool) -> None:
    built = Built().add(decision(), failed_call())
    built.builder.settle(now_s, at_once=at_once)
    assert built.names == ["chat cheap", "turnout.route"]
    assert built.spans[-1].error == "ThrottlingException"


def test_a_failover_that_comes_too_late_makes_no_second_span_of_the_same_id() -> None:
    built = Built().add(decision(), failed_call())
    built.builder.settle(0.0, at_once=True)
    built.add(decision(failed=(CHEAP.id,)), call(CAPABLE))
    built.builder.finish()
    assert built.names == ["chat cheap", "turnout.route", "chat capable"]


def test_a_request_whose_call_runs_is_given_out_at_the_end_only() -> None:
    built = Built().add(decision())
    built.builder.settle(1_000.0, at_once=True)
    assert built.spans == []
    built.builder.finish()
    assert built.names == ["turnout.route"]
    assert "turnout.status" not in built.spans[0].attributes


def test_a_cancelled_call_ends_its_request() -> None:
    built = Built().add(decision(), call(status="cancelled"))
    assert built.spans[-1].name == "turnout.route"
    assert (built.spans[-1].error, built.spans[-1].attributes["turnout.status"]) == ("", "cancelled")


def test_an_event_that_comes_twice_makes_one_span() -> None:
    event = call()
    assert Built().add(event, event).names == ["chat cheap"]


def test_events_without_a_span_id_are_left_out() -> None:
    built = Built().add(call(span_id=""), decision(span_id=""))
    built.builder.finish()
    assert built.spans == []


def test_open_requests_are_bounded() -> None:
    built = Built()
    for number in range(10_003):
        built.add(decision(span_id=f"{number:016x}"))
    assert [span.span_id for span in built.spans] == [f"{number:016x}" for number in range(3)]


def test_decorators_add_attributes_to_every_span() -> None:
    def names(event: Event) -> Mapping[str, AttributeValue]:
        return {"langfuse.session.id": event.session_id, "turnout.run": "other"}

    for span in Built(names).add(decision(), call()).spans:
        assert span.attributes["langfuse.session.id"] == "s-1"
        assert span.attributes["turnout.run"] == "other"


def test_a_decorator_that_fails_costs_its_attributes_only(caplog: pytest.LogCaptureFixture) -> None:
    def fails(event: Event) -> Mapping[str, AttributeValue]:
        raise RuntimeError("no")

    with caplog.at_level(logging.ERROR):
        built = Built(fails).add(decision(), call(), call())
    assert built.names == ["chat cheap", "turnout.route", "chat cheap"]
    assert caplog.text.count("spans go without its attributes") == 1


@pytest.mark.parametrize(
    ("event", "also"),
    [
        (call(), True),
        (call(status="cancelled"), False),
        (failed_call(), False),
        (call(usage_source="estimated"), False),
    ],
)
def test_the_frameworks_span_has_the_tokens_of_an_answer_that_ended(event: CallEvent, also: bool) -> None:
    assert Built().add(event, note=SpanNote(outer_usage=True)).spans[0].outer_usage is also
    assert Built().add(event).spans[0].outer_usage is False


def test_a_transcript_stands_in_the_calls_span() -> None:
    note = SpanNote(transcript=Transcript(conversation_of("What are your hours?")))
    (span,) = Built().add(call(), note=note).spans
    assert "What are your hours?" in str(span.attributes["gen_ai.input.messages"])


def test_a_traces_newest_call_is_remembered() -> None:
    older, newer = call(), call()
    built = Built().add(older, newer)
    assert built.builder.call_of_trace(TRACE) == newer
    assert built.builder.call_of_trace("0" * 32) is None
