from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.trace.otel import attributes, cost_pico
from tests.trace.samples import REQUEST, call, decision, failed_call
from turnout.messages.conversation import conversation_of
from turnout.trace.spans.content import Transcript
from turnout.trace.spans.context import SpanNote
from turnout.trace.spans.recorder import SpanRecorder


@pytest.fixture
def memory() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def recorder(memory: InMemorySpanExporter) -> Iterator[SpanRecorder]:
    with SpanRecorder([SimpleSpanProcessor(memory)]) as made:
        yield made


class Gate(SpanProcessor):
    """Lets spans through when it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.ended: list[str] = []

    def on_end(self, span: ReadableSpan) -> None:
        assert self.opened.wait(10)
        self.ended.append(span.name)


class Breaks(SpanProcessor):
    """A processor that fails."""

    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError("disk full")


def test_events_become_spans(recorder: SpanRecorder, memory: InMemorySpanExporter) -> None:
    recorder.record(decision())
    recorder.record(call())
    assert recorder.flush()
    assert [span.name for span in memory.get_finished_spans()] == ["chat cheap", "turnout.route"]
    assert cost_pico(memory.get_finished_spans()) == 150_000_000
    assert (recorder.built, recorder.waiting, recorder.dropped) == (2, 0, 0)


def test_the_thread_works_without_being_asked(memory: InMemorySpanExporter) -> None:
    with SpanRecorder([SimpleSpanProcessor(memory)], interval_s=0.01) as recorder:
        recorder.record(call())
        until = time.monotonic() + 10
        while not memory.get_finished_spans() and time.monotonic() < until:
            time.sleep(0.01)
        assert len(memory.get_finished_spans()) == 1


def test_a_flush_leaves_requests_open_whose_call_runs(recorder: SpanRecorder, memory: InMemorySpanExporter) -> None:
    recorder.record(decision())
    recorder.flush()
    assert memory.get_finished_spans() == ()
    recorder.close()
    assert [span.name for span in memory.get_finished_spans()] == ["turnout.route"]


def test_a_flush_gives_out_requests_that_failed(recorder: SpanRecorder, memory: InMemorySpanExporter) -> None:
    recorder.record(decision())
    recorder.record(failed_call())
    recorder.flush()
    assert [span.name for span in memory.get_finished_spans()] == ["chat cheap", "turnout.route"]


def test_a_full_queue_drops_the_newest_and_counts(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    with SpanRecorder([gate], capacity=5, interval_s=0.01) as recorder:
        recorder.record(call())
        until = time.monotonic() + 10
        while recorder.waiting and time.monotonic() < until:
            time.sleep(0.01)  # the thread holds the first one and waits at the gate
        with caplog.at_level(logging.WARNING):
            for _ in range(8):
                recorder.record(call())
        assert (recorder.waiting, recorder.dropped) == (5, 3)
        gate.opened.set()
        assert recorder.flush()
    assert len(gate.ended) == 6
    assert caplog.text.count("events get no spans") == 1


def test_many_threads_lose_nothing(memory: InMemorySpanExporter) -> None:
    with SpanRecorder([SimpleSpanProcessor(memory)]) as recorder:

        def record() -> None:
            for _ in range(200):
                recorder.record(call())

        threads = [threading.Thread(target=record) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert recorder.flush()
    assert len({span.context.span_id for span in memory.get_finished_spans() if span.context}) == 800


def test_events_wait_while_the_processors_are_not_ready(memory: InMemorySpanExporter) -> None:
    ready = threading.Event()
    with SpanRecorder([SimpleSpanProcessor(memory)], ready=ready.is_set) as recorder:
        recorder.record(call())
        assert not recorder.flush(timeout_s=0.1)
        assert (recorder.waiting, recorder.built) == (1, 0)
        ready.set()
        assert recorder.flush()
        assert recorder.built == 1


def test_a_processor_that_fails_does_not_end_the_thread(
    memory: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    with SpanRecorder([SimpleSpanProcessor(memory), Breaks()]) as recorder, caplog.at_level(logging.ERROR):
        recorder.record(call())
        assert not recorder.flush()
        recorder.record(call())
        recorder.flush()
    assert len(memory.get_finished_spans()) == 2
    assert "handing spans on failed" in caplog.text


def test_closing_twice_does_nothing_and_what_comes_later_is_dropped(memory: InMemorySpanExporter) -> None:
    recorder = SpanRecorder([SimpleSpanProcessor(memory)])
    recorder.record(call())
    assert recorder.close()
    assert recorder.close()
    recorder.note("b" * 16, SpanNote())
    recorder.record(call())
    assert (len(memory.get_finished_spans()), recorder.dropped) == (1, 1)
    assert not recorder.flush()


def test_events_without_a_span_cost_nothing(recorder: SpanRecorder) -> None:
    recorder.record(call(span_id=""))
    assert recorder.waiting == 0


def test_a_note_finds_its_span_and_redaction_its_text(memory: InMemorySpanExporter) -> None:
    with SpanRecorder(
        [SimpleSpanProcessor(memory)], record_text=True, redact=[lambda text: text.replace("Ada", "A.")]
    ) as recorder:
        event, other = call(), call()
        recorder.note(event.span_id, SpanNote(transcript=Transcript(conversation_of("I am Ada"))))
        recorder.record(event)
        recorder.record(other)
        recorder.flush()
    first, second = memory.get_finished_spans()
    assert "I am A." in attributes(first)["gen_ai.input.messages"]
    assert "gen_ai.input.messages" not in attributes(second)


def test_a_call_is_known_by_its_trace(recorder: SpanRecorder) -> None:
    event = call()
    recorder.record(event)
    recorder.flush()
    assert recorder.call_of_trace(int(event.trace_id, 16)) == event
    assert recorder.call_of_trace(1) is None


@pytest.mark.parametrize("options", [{"interval_s": 0.0}, {"capacity": 0}])
def test_limits_must_be_positive(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="interval_s must be above 0 and capacity at least 1"):
        SpanRecorder([], **options)  # type: ignore[arg-type]  # a float that is no count


def test_a_processor_may_flush_what_flushes_it(memory: InMemorySpanExporter) -> None:
    class Circle(SpanProcessor):
        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return made.flush(timeout_millis / 1000)

    with SpanRecorder([SimpleSpanProcessor(memory), Circle()]) as made:
        made.record(call())
        assert made.flush(timeout_s=5)


ENDING = """
    import os, signal, sys, time
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from tests.trace.samples import call, decision
    from turnout.trace.spans import recorder as module
    from turnout.trace.spans.recorder import SpanRecorder
    from turnout.trace.store.signals import install_signal_flush

    class File(SpanExporter):
        def export(self, spans):
            with open(sys.argv[1], "a") as out:
                out.writelines(span.name + "\\n" for span in spans)
            if sys.argv[2] == "stuck":
                time.sleep(600)
            return SpanExportResult.SUCCESS

    recorder = SpanRecorder([BatchSpanProcessor(File())], interval_s=60.0)
    recorder.record(decision())
    recorder.record(call())
    match sys.argv[2]:
        case "exception":
            raise RuntimeError("crash")
        case "exit":
            sys.exit(3)
        case "stuck":
            module.AT_EXIT_S = 0.1
        case "signal":
            install_signal_flush(recorder)
            os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.parametrize(("how", "code"), [("end", 0), ("exit", 3), ("exception", 1), ("signal", -15)])
def test_the_end_of_a_process_loses_no_span(tmp_path: Path, how: str, code: int) -> None:
    out = tmp_path / "spans.txt"
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ENDING), str(out), how], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    assert out.read_text().splitlines() == ["chat cheap", "turnout.route"]


def test_an_exporter_that_is_stuck_does_not_keep_a_process_from_ending(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(ENDING), str(tmp_path / "spans.txt"), "stuck"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert "spans may be lost" in done.stderr


def test_a_request_and_its_calls_share_ids_with_the_events(
    recorder: SpanRecorder, memory: InMemorySpanExporter
) -> None:
    request = recorder.open("turnout.route")
    answer = recorder.open("chat", parent=request)
    ids = {"trace_id": request.trace_id, "span_id": request.span_id, "parent_span_id": request.parent_span_id}
    recorder.record(msgspec.structs.replace(decision(), **ids))
    recorder.record(call(trace_id=answer.trace_id, span_id=answer.span_id, parent_span_id=answer.parent_span_id))
    recorder.flush()
    chat, route = memory.get_finished_spans()
    assert chat.parent is not None
    assert route.context is not None
    assert chat.parent.span_id == route.context.span_id == int(request.span_id, 16) != int(REQUEST, 16)
