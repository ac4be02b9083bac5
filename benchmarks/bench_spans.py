"""What spans cost: on the caller's path, and off it in the thread that builds and exports them.

Run it with ``python benchmarks/bench_spans.py``. Each figure is a median over several repetitions. Off the path it is
CPU time of the building thread, which competes with requests for Python's lock.
"""

from __future__ import annotations

import asyncio
import importlib
import statistics
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from turnout.core.catalog import Catalog, Model
from turnout.core.cost import cost_of
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput
from turnout.core.policy import Candidate, Policy
from turnout.core.price import Price, PriceTier
from turnout.core.request import Request, Segment
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.messages.conversation import Conversation, conversation_of
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import request_of
from turnout.router import Router
from turnout.trace.events import CallEvent, DecisionEvent, Event, new_id
from turnout.trace.spans.builder import SpanBuilder
from turnout.trace.spans.emitter import SpanEmitter
from turnout.trace.spans.otlp import configure_tracing
from turnout.trace.spans.privacy import Privacy, cleaned
from turnout.trace.spans.recorder import SpanRecorder

SPANS = 2_000
RATE = 1_500
LOAD_S = 5
REPEATS = 5


class Keeps(SpanProcessor):
    """Keeps finished spans."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep one."""
        self.spans.append(span)


def main() -> None:
    """Print all figures."""
    print("on the caller's path")
    _bench_path()
    print(f"off it, CPU time a span (medians of {REPEATS} x {SPANS:,} spans)")
    _bench_building()
    print(f"a request routed and recorded, {RATE:,} a second for {LOAD_S} s")
    for traced in (False, True):
        asyncio.run(_bench_load(traced))


def _bench_path() -> None:
    with SpanRecorder([], interval_s=60.0, capacity=10_000_000) as recorder:
        request = recorder.open("turnout.route")
        events = _events(SPANS)

        def attach() -> None:
            request.detach(request.attach())

        pending = iter(events * (REPEATS + 1) * 10)
        _line("record() an event", _wall_us(lambda: recorder.record(next(pending))))
        _line("draw the ids of a request", _wall_us(lambda: recorder.open("turnout.route")))
        _line("draw the ids of a call", _wall_us(lambda: recorder.open("chat", parent=request)))
        _line("make a call's span current for one chunk", _wall_us(attach))


def _bench_building() -> None:
    kept = Keeps()
    emitter = SpanEmitter([kept])

    def build() -> None:
        kept.spans.clear()
        builder = SpanBuilder(emitter.emit)
        for event in events:
            builder.add(event, 0.0)

    events = _events(SPANS)
    _line("build and end it", _cpu_us(build, SPANS))
    others = _others(SPANS)
    _line("clean another library's span", _cpu_us(lambda: [cleaned(span, Privacy()) for span in others], SPANS))
    try:
        encoder = importlib.import_module("opentelemetry.exporter.otlp.proto.common.trace_encoder")
    except ImportError:
        print("  encode it for OTLP                          (the extra otel is not installed)")
        return
    _line("encode it for OTLP", _cpu_us(lambda: encoder.encode_spans(kept.spans).SerializePartialToString(), SPANS))


class Encodes(SpanExporter):
    """Encodes spans as for OTLP and sends them nowhere."""

    def __init__(self) -> None:
        self.encoder = importlib.import_module("opentelemetry.exporter.otlp.proto.common.trace_encoder")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Encode them."""
        self.encoder.encode_spans(spans).SerializePartialToString()
        return SpanExportResult.SUCCESS


class Simple:
    """A classifier that takes no time."""

    name = "simple"

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        """Say that it is simple."""
        return Verdict(classifier=self.name, label="simple", p_simple=0.9)


async def _bench_load(traced: bool) -> None:
    """Routing at a steady rate, with spans built and encoded meanwhile in the same process."""
    models = [_model("cheap", "1"), _model("capable", "3")]
    policy = Policy(candidates=(Candidate(models[0].id, 1), Candidate(models[1].id, 2)))
    router = Router(policy, Catalog.of(models), classifier=Simple())
    conversation, hasher = conversation_of("What are your store hours?"), PrefixHasher(b"bench")
    taken = []
    tracing = configure_tracing(exporters=[Encodes()], set_global=False) if traced else None
    began = time.perf_counter()
    for number in range(RATE * LOAD_S):
        if (wait := began + number / RATE - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        start = time.perf_counter()
        request = request_of(conversation, hasher, session_id="s")
        call = router.begin_call(await router.route(conversation, request, router.begin_turn("s")))
        call.usage(Usage(input_tokens=20, output_tokens=10))
        call.end()
        taken.append((time.perf_counter() - start) * 1e6)
    dropped = 0
    if tracing is not None:
        tracing.close()
        dropped = tracing.dropped
    taken.sort()
    what = f"{'with' if traced else 'without'} tracing: median, 99th percentile"
    print(f"  {what:44}{statistics.median(taken):10.0f} us {taken[len(taken) * 99 // 100]:8.0f} us, {dropped} dropped")


def _line(what: str, microseconds: float) -> None:
    print(f"  {what:44}{microseconds:10.2f} us")


def _wall_us(call: Callable[[], object], count: int = SPANS) -> float:
    medians = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        for _ in range(count):
            call()
        medians.append((time.perf_counter() - began) / count * 1e6)
    return statistics.median(medians)


def _cpu_us(call: Callable[[], object], spans: int) -> float:
    taken = []
    for _ in range(REPEATS):
        began = time.thread_time()
        call()
        taken.append((time.thread_time() - began) / spans * 1e6)
    return statistics.median(taken)


def _events(spans: int) -> list[Event]:
    """Events of requests: one decision and one call each, as most requests have them."""
    models = [_model("cheap", "1"), _model("capable", "3")]
    given = DecisionInput(
        request=Request(session_id="s", segments=(Segment(kind="message", tokens=2_000, prefix_hash="a"),)),
        policy=Policy(candidates=(Candidate(models[0].id, 1), Candidate(models[1].id, 2))),
        catalog=Catalog.of(models),
        now_ms=1_000,
        verdict=Verdict(classifier="keyword", label="simple", p_simple=0.9),
    )
    decided = decide(given)
    usage = Usage(input_tokens=2_000, cache_read_tokens=1_500, output_tokens=300)
    events: list[Event] = []
    for number in range(spans // 2):
        turn_id, trace_id, request = new_id(), f"{number + 1:032x}", f"{2 * number + 1:016x}"
        decision = DecisionEvent(
            event_id=new_id(),
            run="bench",
            session_id="s",
            turn_id=turn_id,
            trace_id=trace_id,
            span_id=request,
            started_ms=1_000,
            latency_ms=0.2,
            given=given,
            decision=decided,
        )
        call = CallEvent(
            event_id=new_id(),
            run="bench",
            session_id="s",
            turn_id=turn_id,
            trace_id=trace_id,
            span_id=f"{2 * number + 2:016x}",
            parent_span_id=request,
            model=models[0].id,
            started_ms=1_001,
            latency_ms=800.0,
            first_content_ms=300.0,
            usage=usage,
            usage_source="reported",
            cost=cost_of(usage, models[0].price),
            finish_reason="end_turn",
            streamed=True,
        )
        events += [decision, call]
    return events


def _model(name: str, price: str) -> Model:
    tier = PriceTier(input=Decimal(price), output=5 * Decimal(price))
    return Model(
        id=f"bedrock/{name}", provider="bedrock", model_id=name, name=name, price=Price((tier,)), context_window=200_000
    )


def _others(count: int) -> list[ReadableSpan]:
    """Spans as Strands makes them of a call."""
    kept = Keeps()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(kept)
    tracer = provider.get_tracer("strands.telemetry.tracer")
    for _ in range(count):
        span = tracer.start_span(
            "chat",
            attributes={
                "gen_ai.event.start_time": "2026-11-23T03:11:44.086087+00:00",
                "gen_ai.operation.name": "chat",
                "gen_ai.system": "strands-agents",
                "gen_ai.request.model": "turnout",
                "gen_ai.usage.input_tokens": 2_000,
                "gen_ai.usage.output_tokens": 300,
                "turnout.call.span_id": "00f067aa0ba902b7",
            },
        )
        for name in ("gen_ai.system.message", "gen_ai.user.message", "gen_ai.choice"):
            span.add_event(name, {"content": "a text of some length " * 20})
        span.end()
    return kept.spans


if __name__ == "__main__":
    main()
