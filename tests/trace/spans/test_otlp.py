from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.trace.otel import EXPORTER, Receiver, attributes, fresh_tracing, receiving, usage, values
from tests.trace.samples import OUTER, REQUEST, TRACE, call, decision
from turnout.config import ConfigError, load_settings
from turnout.trace.events import Event
from turnout.trace.spans.attributes import AttributeValue
from turnout.trace.spans.context import SpanNote
from turnout.trace.spans.joining import active_spans
from turnout.trace.spans.otlp import ENDPOINTS, Tracing, configure_tracing


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fresh_tracing(monkeypatch):
        yield


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def memory() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def started(made: Tracing | None) -> Tracing:
    assert made is not None
    return made


def test_nothing_is_set_up_where_there_is_nowhere_to_export_to() -> None:
    assert configure_tracing() is None
    assert active_spans() is None
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)


@pytest.mark.parametrize(
    "off", [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none"), ("OTEL_TRACES_EXPORTER", "console")]
)
def test_the_standard_variables_turn_it_off(monkeypatch: pytest.MonkeyPatch, off: tuple[str, str]) -> None:
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setenv(*off)
    assert configure_tracing() is None


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
def test_another_protocol_is_an_error_that_names_the_variable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:9")
    monkeypatch.setenv(name, "grpc")
    with pytest.raises(ConfigError, match=rf"{name}: spans are exported by http/protobuf only"):
        configure_tracing()


def test_a_missing_exporter_is_an_error_that_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINTS[0], "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, EXPORTER, None)
    with pytest.raises(ConfigError, match=r"pip install 'turnout\[otel\]'"):
        configure_tracing()


def test_spans_reach_a_collector(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=support")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    with started(configure_tracing()) as tracing:
        tracing.recorder.record(decision())
        tracing.recorder.record(call())
        assert tracing.flush()
        assert (tracing.exported, tracing.failed, tracing.dropped) == (2, 0, 0)
    (path, headers, _) = receiver.received[0]
    assert (path, headers["x-team"], headers["Content-Type"]) == ("/v1/traces", "support", "application/x-protobuf")
    by_name = {span.name: (resource, scope, span) for resource, scope, span in receiver.spans()}
    resource, scope, chat = by_name["chat cheap"]
    _, _, route = by_name["turnout.route"]
    assert (chat.trace_id.hex(), chat.parent_span_id.hex()) == (TRACE, REQUEST)
    assert (route.span_id.hex(), route.parent_span_id.hex()) == (REQUEST, OUTER)
    assert (chat.start_time_unix_nano, chat.end_time_unix_nano) == (1_040_000_000, 1_290_000_000)
    assert values(chat.attributes)["gen_ai.usage.input_tokens"] == 100
    assert values(chat.attributes)["gen_ai.response.finish_reasons"] == ["end_turn"]
    assert values(route.attributes)["turnout.reason"] == "cheapest_clears_bar"
    assert values(resource.attributes)["service.name"] == "turnout"
    assert (scope.scope.name, scope.schema_url) == ("turnout", "https://opentelemetry.io/schemas/1.41.1")


def test_the_endpoint_of_traces_and_the_services_name_are_standard(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", receiver.url + "/custom")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,deployment.environment=test")
    with started(configure_tracing()) as tracing:
        tracing.recorder.record(call())
    assert [path for path, _, _ in receiver.received] == ["/custom"]
    resource = values(receiver.spans()[0][0].attributes)
    assert (resource["service.name"], resource["deployment.environment"]) == ("shop", "test")


def test_a_collector_that_refuses_is_counted_and_costs_nothing_else(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 400
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    with caplog.at_level(logging.ERROR), started(configure_tracing()) as tracing:
        tracing.recorder.record(call())
        tracing.flush()
        assert (tracing.exported, tracing.failed, tracing.dropped) == (0, 1, 0)


def test_the_end_of_a_process_exports_what_is_left(receiver: Receiver) -> None:
    code = """
        from opentelemetry import trace
        from tests.trace.samples import call, decision
        from turnout.trace.spans.otlp import configure_tracing
        tracing = configure_tracing()
        tracing.recorder.record(decision())
        tracing.recorder.record(call())
        trace.get_tracer("mine").start_span("work").end()
        raise RuntimeError("crash")
    """
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=Path(__file__).parents[3],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert sorted(span.name for _, _, span in receiver.spans()) == ["chat cheap", "turnout.route", "work"]


def test_other_libraries_spans_are_exported_too(memory: InMemorySpanExporter) -> None:
    with started(configure_tracing(exporters=[memory])) as tracing:
        assert active_spans() is tracing.recorder
        trace.get_tracer("mine").start_span("work", attributes={"prompt": "my card is 4111"}).end()
        tracing.recorder.record(call())
    work, chat = sorted(memory.get_finished_spans(), key=lambda span: span.name, reverse=True)
    assert (work.name, attributes(work)) == ("work", {})
    assert chat.resource.attributes["service.name"] == work.resource.attributes["service.name"] == "turnout"
    assert active_spans() is None


def test_without_the_global_provider_only_ours_are_exported(memory: InMemorySpanExporter) -> None:
    with started(configure_tracing(exporters=[memory], set_global=False)) as tracing:
        trace.get_tracer("mine").start_span("work").end()
        tracing.recorder.record(call())
    assert [span.name for span in memory.get_finished_spans()] == ["chat cheap"]


def test_it_can_be_set_up_anew(memory: InMemorySpanExporter) -> None:
    first = started(configure_tracing(exporters=[InMemorySpanExporter()]))
    provider = trace.get_tracer_provider()
    second = started(configure_tracing(exporters=[memory]))
    assert trace.get_tracer_provider() is provider
    assert active_spans() is second.recorder
    first.close()
    assert active_spans() is second.recorder
    trace.get_tracer("mine").start_span("work").end()
    assert second.flush()
    assert [span.name for span in memory.get_finished_spans()] == ["work"]
    second.close()
    trace.get_tracer("mine").start_span("after").end()
    assert len(memory.get_finished_spans()) == 1


@pytest.mark.parametrize("recorded", [False, True])
def test_one_setting_lets_texts_through(
    memory: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    monkeypatch.setenv("TURNOUT_RECORD_TEXT", str(recorded).lower())
    tracing = started(configure_tracing(load_settings(), exporters=[memory], redact=[str.upper]))
    with tracing:
        trace.get_tracer("mine").start_span("work", attributes={"prompt": "hello"}).end()
    assert tracing.recorder.record_text is recorded
    assert attributes(memory.get_finished_spans()[0]) == ({"prompt": "HELLO"} if recorded else {})


def test_decorators_reach_our_spans_and_those_of_other_libraries(memory: InMemorySpanExporter) -> None:
    def session(event: Event) -> Mapping[str, AttributeValue]:
        return {"langfuse.session.id": event.session_id}

    def run(event: Event) -> Mapping[str, AttributeValue]:
        return {"langfuse.trace.name": event.run}

    with started(configure_tracing(exporters=[memory], decorators=[run], trace_decorators=[session])) as tracing:
        with trace.get_tracer("mine").start_as_current_span("work"):
            request = tracing.recorder.open("turnout.route")
            ids = {"trace_id": request.trace_id, "span_id": request.span_id, "parent_span_id": request.parent_span_id}
            tracing.recorder.record(msgspec.structs.replace(call(), **ids))
        trace.get_tracer("mine").start_span("of no request").end()
    by_name = {span.name: attributes(span) for span in memory.get_finished_spans()}
    assert by_name["work"] == {"langfuse.session.id": "s-1"}
    assert by_name["of no request"] == {}
    chat = {name: value for name, value in by_name["chat cheap"].items() if name.startswith("langfuse.")}
    assert chat == {"langfuse.trace.name": "r"}


def test_a_decorator_that_fails_costs_no_span(memory: InMemorySpanExporter, caplog: pytest.LogCaptureFixture) -> None:
    def fails(event: Event) -> Mapping[str, AttributeValue]:
        raise RuntimeError("no")

    with caplog.at_level(logging.ERROR):
        with started(configure_tracing(exporters=[memory], trace_decorators=[fails])) as tracing:
            with trace.get_tracer("mine").start_as_current_span("work"):
                request = tracing.recorder.open("turnout.route")
            ids = {"trace_id": request.trace_id, "span_id": request.span_id}
            tracing.recorder.record(msgspec.structs.replace(call(), **ids))
        assert tracing.exported == 2
    assert caplog.text.count("spans go without its attributes") == 1


def test_flushing_after_the_end_is_no_failure(memory: InMemorySpanExporter) -> None:
    started(configure_tracing(exporters=[memory])).close()
    provider = trace.get_tracer_provider()
    assert isinstance(provider, TracerProvider)
    assert provider.force_flush()


class Stuck(SpanExporter):
    """Delivers nothing until it is let."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        assert self.opened.wait(10)
        return SpanExportResult.SUCCESS


def test_an_exporter_that_is_stuck_drops_its_own_spans_only(
    memory: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    stuck = Stuck()
    with started(configure_tracing(exporters=[stuck, memory])) as tracing:
        until = time.monotonic() + 10
        for sent in (2, 4, 6, 8):
            tracing.recorder.record(call())
            tracing.recorder.record(call())
            while len(memory.get_finished_spans()) < sent and time.monotonic() < until:
                time.sleep(0.01)
        stuck.opened.set()
    assert len(memory.get_finished_spans()) == 8
    assert (tracing.exported, tracing.dropped) == (12, 4)


def test_an_applications_own_set_up_stays(memory: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its exporter goes to that endpoint: ours must not send everything there once more.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    own, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(own))
    trace.set_tracer_provider(provider)
    with started(configure_tracing(exporters=[memory])) as tracing:
        event = call()
        tracing.recorder.note(event.span_id, SpanNote(outer_usage=True))
        tracing.recorder.record(event)
        provider.get_tracer("mine").start_span("work", attributes={"prompt": "hello"}).end()
        assert provider.force_flush()
        by_name = {span.name: attributes(span) for span in own.get_finished_spans()}
        assert by_name["work"] == {"prompt": "hello"}
        assert "gen_ai.usage.input_tokens" not in by_name["chat cheap"]
    assert trace.get_tracer_provider() is provider
    assert usage(memory.get_finished_spans()) == event.usage
    assert sorted(span.name for span in memory.get_finished_spans()) == ["chat cheap", "work"]
    assert tracing.exported == 2
