from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.trace.otel import current_id
from turnout.trace.records import ListRecorder
from turnout.trace.spans.context import OpenSpan, SpanNote, spans_of, surrounding_span
from turnout.trace.spans.recorder import SpanRecorder

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
INCOMING = {"Traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}

pytestmark = pytest.mark.usefixtures("fresh")


def test_an_open_span_is_current_inside_its_block(spans: SpanRecorder) -> None:
    span = spans.open("turnout.route")
    before = current_id()
    with span.current():
        assert current_id() == span.span_id
        assert not trace.get_current_span().is_recording()
    assert current_id() == before


def test_a_span_that_is_not_traced_leaves_the_context_alone() -> None:
    before = trace.get_current_span()
    with OpenSpan(trace_id=TRACE, parent_span_id=SPAN).current():
        assert trace.get_current_span() is before


def test_spans_of_other_libraries_hang_under_it(spans: SpanRecorder) -> None:
    span = spans.open("turnout.route")
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    with span.current(), provider.get_tracer("http").start_as_current_span("POST"):
        pass
    (post,) = memory.get_finished_spans()
    assert post.parent is not None
    assert f"{post.parent.trace_id:032x}-{post.parent.span_id:016x}" == f"{span.trace_id}-{span.span_id}"


def test_the_surrounding_span_is_the_parent_of_what_is_not_traced() -> None:
    assert (surrounding_span().trace_id, surrounding_span().parent_span_id) == ("", "")
    with SpanRecorder([]) as recorder, recorder.open("outer").current():
        around = surrounding_span()
    assert (len(around.trace_id), len(around.parent_span_id), around.span_id) == (32, 16, "")


def test_records_that_derive_spans_are_found(spans: SpanRecorder) -> None:
    assert spans_of(spans) is spans
    assert spans_of(ListRecorder()) is None
    assert spans_of(None) is None


def test_notes_are_values() -> None:
    assert SpanNote() == SpanNote(outer_usage=False, transcript=None)
