from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.trace.samples import call
from turnout.trace.spans import joining
from turnout.trace.spans.context import activate, surrounding_span
from turnout.trace.spans.joining import active_spans, joined
from turnout.trace.spans.recorder import SpanRecorder

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
INCOMING = {"Traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}

pytestmark = pytest.mark.usefixtures("fresh")


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
    assert len([record for record in caplog.records if record.name == joining.__name__]) == 1


def test_a_process_without_opentelemetry_does_not_import_it() -> None:
    code = (
        "import sys\n"
        "from turnout.trace.spans.context import surrounding_span\n"
        "from turnout.trace.spans.joining import active_spans, joined\n"
        "import turnout.router, turnout.trace.fanout, turnout.trace.spans.otlp\n"
        "assert active_spans() is None and surrounding_span().trace_id == ''\n"
        "with joined({'traceparent': 'x'}): pass\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
