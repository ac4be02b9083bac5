from __future__ import annotations

from opentelemetry.context import Context, get_value
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import turnout
from tests.trace.otel import parent_id, span_id, trace_id
from turnout.trace.spans.builder import BuiltSpan
from turnout.trace.spans.emitter import OUTER_USAGE, SpanEmitter

TRACE, PARENT, CHILD = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"
CHAT = BuiltSpan(
    name="chat cheap",
    trace_id=TRACE,
    span_id=CHILD,
    parent_span_id=PARENT,
    start_ns=1_700_000_000_123_000_000,
    end_ns=1_700_000_000_456_250_001,
    attributes={"turnout.model": "bedrock/cheap", "gen_ai.response.finish_reasons": ("end_turn",)},
    client=True,
)


def test_spans_have_the_ids_and_times_that_were_recorded() -> None:
    memory = InMemorySpanExporter()
    emitter = SpanEmitter([SimpleSpanProcessor(memory)], Resource({"service.name": "shop"}))
    emitter.emit(CHAT)
    emitter.emit(
        BuiltSpan(
            name="turnout.route",
            trace_id=TRACE,
            span_id=PARENT,
            parent_span_id="",
            start_ns=1,
            end_ns=2,
            attributes={},
            error="refused",
        )
    )
    call, request = memory.get_finished_spans()
    assert (trace_id(call), span_id(call), parent_id(call)) == (TRACE, CHILD, PARENT)
    assert (trace_id(request), span_id(request), parent_id(request)) == (TRACE, PARENT, "")
    assert (call.start_time, call.end_time) == (CHAT.start_ns, CHAT.end_ns)
    assert (call.kind, request.kind) == (SpanKind.CLIENT, SpanKind.INTERNAL)
    assert call.status.status_code is StatusCode.UNSET
    assert (request.status.status_code, request.status.description) == (StatusCode.ERROR, "refused")
    assert dict(call.attributes or {}) == CHAT.attributes
    assert call.resource.attributes["service.name"] == "shop"
    assert call.instrumentation_scope is not None
    assert (call.instrumentation_scope.name, call.instrumentation_scope.version) == ("turnout", turnout.__version__)
    assert emitter.emitted == 2


class Seen(SpanProcessor):
    """Notes what it is told at the start of spans."""

    def __init__(self) -> None:
        self.outer: list[object] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.outer.append(get_value(OUTER_USAGE, parent_context))


def test_processors_are_told_of_tokens_that_stand_on_another_span_too() -> None:
    import msgspec

    seen = Seen()
    emitter = SpanEmitter([seen])
    emitter.emit(CHAT)
    emitter.emit(msgspec.structs.replace(CHAT, outer_usage=True))
    assert seen.outer == [None, True]
