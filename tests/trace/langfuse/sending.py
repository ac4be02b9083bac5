"""Events sent to Langfuse as spans, by the real OTLP exporter, with the attributes that Turnout gives them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import Any

import msgspec
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from turnout.trace.events import Event
from turnout.trace.langfuse import Labels, LangfuseSettings, attributes_of, langfuse_exporter
from turnout.trace.langfuse.attributes import NO_LABELS


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """One span to send. Times are milliseconds; ids hexadecimal."""

    trace_id: str
    span_id: str
    parent: str = ""
    name: str = "step"
    started_ms: float
    ended_ms: float
    attributes: dict[str, Any] = {}


def new_trace_id() -> str:
    return secrets.token_hex(16)


def new_span_id() -> str:
    return secrets.token_hex(8)


def sent_for(event: Event, trace_id: str, *, labels: Labels = NO_LABELS, parent: str = "", span_id: str = "") -> Sent:
    """The span of an event."""
    return Sent(
        trace_id=trace_id,
        span_id=span_id or new_span_id(),
        parent=parent,
        name="turnout",
        started_ms=event.started_ms,
        ended_ms=event.started_ms + event.latency_ms,
        attributes=dict(attributes_of(event, labels=labels)),
    )


def export(settings: LangfuseSettings, spans: Iterable[Sent]) -> None:
    """Send spans as an application's exporter does."""
    exporter = langfuse_exporter(settings)
    try:
        assert exporter.export([_readable(span) for span in spans]) is SpanExportResult.SUCCESS
    finally:
        exporter.shutdown()


def _readable(span: Sent) -> ReadableSpan:
    parent = SpanContext(int(span.trace_id, 16), int(span.parent, 16), is_remote=False) if span.parent else None
    return ReadableSpan(
        name=span.name,
        context=SpanContext(int(span.trace_id, 16), int(span.span_id, 16), is_remote=False),
        parent=parent,
        resource=Resource({}),
        attributes=span.attributes,
        start_time=round(span.started_ms * 1_000_000),
        end_time=round(span.ended_ms * 1_000_000),
        instrumentation_scope=InstrumentationScope("turnout"),
    )
