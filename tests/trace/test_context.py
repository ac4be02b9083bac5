from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.trace.otel import fresh_tracing
from tests.trace.samples import call
from turnout.trace import context
from turnout.trace.context import OpenSpan, SpanNote, activate, active_spans, joined, spans_of, surrounding_span
from turnout.trace.records import ListRecorder
from turnout.trace.spans import SpanRecorder

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
INCOMING = {"Traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fresh_tracing(monkeypatch):
        yield


@pytest.fixture
def spans() -> Iterator[SpanRecorder]:
    with SpanRecorder([]) as recorder:
        activate(recorder)
        yield recorder


def current_id() -> str:
    return f"{trace.get_current_span().get_span_context().span_id:016x}"


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


def test_a_request_joins_the_trace_that_its_headers_name(spans: SpanRecorder) -> None:
    with joined(INCOMING):
        span = spans.open("turnout.route")
    assert (span.trace_id, span.parent_span_id) == (TRACE, SPAN)
    assert span.span_context is not None
    assert span.span_context.trace_state == {"vendor": "1"}
    assert spans.open("turnout.route").trace_id != TRACE


def test_a_caller_that_does_not_sample_is_followed(spans: SpanRecorder) -> None:
    with joined({"traceparent": f"00-{TRACE}-{SPAN}-00"}):
        assert spans.open("turnout.route").span_id == ""


@pytest.mark.parametrize("headers", [{}, {"traceparent": "nonsense"}])
def test_headers_without_a_trace_begin_one(spans: SpanRecorder, headers: dict[str, str]) -> None:
    with joined(headers):
        span = spans.open("turnout.route")
    assert span.span_id
    assert span.parent_span_id == ""


def test_an_instrumented_servers_span_goes_before_the_headers(spans: SpanRecorder) -> None:
    server = spans.open("server")
    with server.current(), joined(INCOMING):
        assert spans.open("turnout.route").trace_id == server.trace_id


def test_without_tracing_headers_are_not_read() -> None:
    with joined(INCOMING):
        assert surrounding_span().trace_id == ""


def test_records_that_derive_spans_are_found(spans: SpanRecorder) -> None:
    assert spans_of(spans) is spans
    assert spans_of(ListRecorder()) is None
    assert spans_of(None) is None


def test_an_applications_own_provider_is_joined_at_the_first_request() -> None:
    assert active_spans() is None
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)
    found = active_spans()
    assert found is not None
    assert active_spans() is found
    found.record(call())
    assert provider.force_flush()
    assert [span.name for span in memory.get_finished_spans()] == ["chat cheap"]


def test_what_was_turned_off_stays_off() -> None:
    activate(None)
    trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
    assert active_spans() is None


def test_a_provider_that_cannot_be_joined_costs_nobody_a_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
    with caplog.at_level(logging.INFO):
        assert active_spans() is None
    assert active_spans() is None
    assert len([record for record in caplog.records if record.name == context.__name__]) == 1


def test_notes_are_values() -> None:
    assert SpanNote() == SpanNote(outer_usage=False, transcript=None)


def test_a_process_without_opentelemetry_does_not_import_it() -> None:
    code = (
        "import sys\n"
        "from turnout.trace.context import active_spans, joined, surrounding_span\n"
        "import turnout.router, turnout.trace.fanout, turnout.trace.otlp\n"
        "assert active_spans() is None and surrounding_span().trace_id == ''\n"
        "with joined({'traceparent': 'x'}): pass\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
