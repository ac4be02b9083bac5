from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, DEFAULT_OFF, ParentBasedTraceIdRatio, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from turnout.trace.spans.ids import SpanIds

TRACE_ID, SPAN_ID = 0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7


def around(*, sampled: bool, remote: bool = True) -> NonRecordingSpan:
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    state = TraceState([("vendor", "1")])
    return NonRecordingSpan(SpanContext(TRACE_ID, SPAN_ID, remote, flags, state))


def test_without_a_parent_a_trace_begins() -> None:
    ids = SpanIds()
    one, other = ids.open("turnout.route"), ids.open("turnout.route")
    assert (len(one.trace_id), len(one.span_id), one.parent_span_id) == (32, 16, "")
    assert one.trace_id != other.trace_id


@pytest.mark.parametrize("remote", [True, False])
def test_the_current_span_is_the_parent(remote: bool) -> None:
    with trace.use_span(around(sampled=True, remote=remote)):
        span = SpanIds().open("turnout.route")
    assert (span.trace_id, span.parent_span_id) == (f"{TRACE_ID:032x}", f"{SPAN_ID:016x}")
    assert span.span_id not in {"", span.parent_span_id}
    assert span.span_context is not None
    assert span.span_context.trace_state == {"vendor": "1"}


def test_what_is_not_sampled_gets_no_span_id_and_hands_that_on() -> None:
    with trace.use_span(around(sampled=False)):
        span = SpanIds().open("turnout.route")
    call = SpanIds().open("chat", parent=span)
    for one in (span, call):
        assert (one.trace_id, one.span_id, one.parent_span_id) == (f"{TRACE_ID:032x}", "", f"{SPAN_ID:016x}")
        assert one.span_context is not None
        assert not one.span_context.trace_flags.sampled
        assert one.span_context.span_id not in {0, SPAN_ID}


def test_a_call_is_a_child_of_its_request_and_not_of_what_is_current() -> None:
    ids = SpanIds()
    request = ids.open("turnout.route")
    with trace.use_span(around(sampled=False)):
        call = ids.open("chat", parent=request)
    assert (call.trace_id, call.parent_span_id) == (request.trace_id, request.span_id)
    assert call.span_id


def test_a_turns_next_request_joins_its_trace_where_nothing_is_around_it() -> None:
    ids = SpanIds()
    first = ids.open("turnout.route")
    second = ids.open("turnout.route", follows=first)
    assert (second.trace_id, second.parent_span_id) == (first.trace_id, "")
    with trace.use_span(around(sampled=True)):
        third = ids.open("turnout.route", follows=first)
    assert third.trace_id == f"{TRACE_ID:032x}"


def test_a_trace_that_is_not_sampled_stays_so_for_the_turn() -> None:
    first = SpanIds(ALWAYS_OFF).open("turnout.route")
    assert SpanIds().open("turnout.route", follows=first).span_id == ""


def test_the_sampler_is_asked() -> None:
    assert SpanIds(DEFAULT_OFF).open("turnout.route").span_id == ""
    assert SpanIds(TraceIdRatioBased(0.0)).open("turnout.route").span_id == ""
    assert SpanIds(TraceIdRatioBased(1.0)).open("turnout.route").span_id
    with trace.use_span(around(sampled=True)):
        assert SpanIds(ParentBasedTraceIdRatio(0.0)).open("turnout.route").span_id


def test_a_parent_from_before_tracing_was_set_up_is_left_out() -> None:
    from turnout.trace.spans.context import OpenSpan

    ids = SpanIds()
    assert ids.open("chat", parent=OpenSpan(trace_id="ab" * 16, parent_span_id="cd" * 8)).trace_id != "ab" * 16
    assert ids.open("turnout.route", follows=OpenSpan()).span_id
