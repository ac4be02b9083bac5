from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence

import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from tests.trace.otel import attributes
from tests.trace.samples import call
from turnout.trace.spans.context import SpanNote
from turnout.trace.spans.pipeline import Exports, Host, Others, is_ours
from turnout.trace.spans.privacy import Privacy
from turnout.trace.spans.recorder import SpanRecorder


class Slow(SpanExporter):
    """Delivers when it is let."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.spans: list[str] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        assert self.opened.wait(10)
        self.spans += [span.name for span in spans]
        return SpanExportResult.SUCCESS


class Down(SpanExporter):
    """Cannot deliver, and says so or raises."""

    def __init__(self, *, raises: bool) -> None:
        self.raises = raises

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.raises:
            raise ConnectionError("no route")
        return SpanExportResult.FAILURE


@pytest.fixture
def memory() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    made = TracerProvider(shutdown_on_exit=False)
    yield made
    made.shutdown()


def test_spans_are_exported_and_counted(provider: TracerProvider, memory: InMemorySpanExporter) -> None:
    exports = Exports(memory, Privacy())
    provider.add_span_processor(exports)
    provider.get_tracer("mine").start_span("work").end()
    assert exports.force_flush()
    assert [span.name for span in memory.get_finished_spans()] == ["work"]
    assert (exports.exported, exports.failed, exports.dropped, exports.waiting) == (1, 0, 0, 0)


def test_ours_pass_as_they_are_and_others_are_cleaned(provider: TracerProvider, memory: InMemorySpanExporter) -> None:
    exports = Exports(memory, Privacy(), lambda span: {"session.id": f"of {span.name}"})
    provider.add_span_processor(exports)
    for scope in ("turnout", "mine"):
        provider.get_tracer(scope).start_span("work", attributes={"prompt": "hello"}).end()
    exports.force_flush()
    ours, other = memory.get_finished_spans()
    assert attributes(ours) == {"prompt": "hello"}
    assert attributes(other) == {"session.id": "of work"}
    assert (is_ours(ours), is_ours(other)) == (True, False)


def test_what_does_not_fit_is_dropped_and_counted(
    provider: TracerProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    slow = Slow()
    exports = Exports(slow, Privacy())
    provider.add_span_processor(exports)
    before = exports.ready
    with caplog.at_level(logging.WARNING):
        for number in range(7):
            provider.get_tracer("mine").start_span(str(number)).end()
    assert (before, exports.ready) == (True, False)
    assert (exports.dropped, exports.waiting) == (3, 4)
    assert caplog.text.count("the exporter is too slow") == 1
    slow.opened.set()
    exports.force_flush()
    provider.shutdown()
    assert sorted(slow.spans) == ["0", "1", "2", "3"]
    assert (exports.exported, exports.waiting) == (4, 0)


@pytest.mark.parametrize("raises", [False, True])
def test_what_cannot_be_delivered_is_counted(provider: TracerProvider, raises: bool) -> None:
    exports = Exports(Down(raises=raises), Privacy())
    provider.add_span_processor(exports)
    provider.get_tracer("mine").start_span("work").end()
    exports.force_flush()
    assert (exports.exported, exports.failed, exports.waiting) == (0, 1, 0)


def test_what_is_not_sampled_is_not_exported(memory: InMemorySpanExporter) -> None:
    exports = Exports(memory, Privacy())
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(exports)
    provider.get_tracer("mine").start_span("work").end()
    exports.on_end(ReadableSpan("without a context"))
    exports.shutdown()
    assert (exports.exported, exports.dropped) == (0, 0)


def test_other_libraries_spans_are_taken_while_somebody_wants_them(
    provider: TracerProvider, memory: InMemorySpanExporter
) -> None:
    def done(timeout_s: float) -> bool:
        return True

    def another(timeout_s: float) -> bool:
        return False

    others, exports = Others(), Exports(memory, Privacy())
    provider.add_span_processor(others)
    provider.get_tracer("mine").start_span("before").end()
    others.serve((exports,), done)
    provider.get_tracer("mine").start_span("while").end()
    provider.get_tracer("turnout").start_span("ours, which came another way").end()
    others.leave(another)  # somebody who is not served
    provider.get_tracer("mine").start_span("still").end()
    others.leave(done)
    provider.get_tracer("mine").start_span("after").end()
    assert others.force_flush()
    exports.shutdown()
    assert [span.name for span in memory.get_finished_spans()] == ["while", "still"]


def test_flushing_a_provider_flushes_what_is_built_of_events(provider: TracerProvider) -> None:
    others = Others()
    provider.add_span_processor(others)
    asked: list[float] = []

    def flush(timeout_s: float) -> bool:
        asked.append(timeout_s)
        return provider.force_flush()  # comes back to this processor

    others.serve((), flush)
    assert provider.force_flush(1_000)
    assert len(asked) == 1
    assert 0 < asked[0] <= 1


@pytest.mark.parametrize("outer_usage", [False, True])
def test_an_applications_own_processors_get_tokens_once(
    provider: TracerProvider, memory: InMemorySpanExporter, outer_usage: bool
) -> None:
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("turnout")
    with SpanRecorder([Host(tracer.span_processor)]) as recorder:  # type: ignore[attr-defined]  # the SDK's tracer
        event = call()
        recorder.note(event.span_id, SpanNote(outer_usage=outer_usage))
        recorder.record(event)
        recorder.record(msgspec.structs.replace(event, event_id="other", span_id="00f067aa0ba902b8"))
        assert recorder.flush()
    first, second = memory.get_finished_spans()
    assert ("gen_ai.usage.input_tokens" in attributes(first)) is not outer_usage
    assert attributes(second)["gen_ai.usage.input_tokens"] == 100
    assert attributes(first)["turnout.cost.usd"] == attributes(second)["turnout.cost.usd"] == 0.00015
