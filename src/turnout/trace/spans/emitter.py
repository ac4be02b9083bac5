"""Spans of the SDK from spans that are over: ids that were drawn before, times that were recorded.

They are made through the SDK's public interface: a `TracerProvider` of our own whose `IdGenerator` gives the drawn ids,
``start_span(start_time=...)`` and ``end(end_time=...)``. `ReadableSpan` could be constructed too, but the SDK says that
users should not; and so limits, ``on_start`` and ``on_end`` work as for any other span. The provider's sampler takes
everything, since what is not sampled has no span id and never comes here.

Known limitation: trace state, and whether the parent was remote, are handed on to other libraries but not exported.
"""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.context import Context, create_key, set_value
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, set_span_in_context

import turnout
from turnout.trace.spans import semconv
from turnout.trace.spans.builder import BuiltSpan
from turnout.trace.spans.ids import SAMPLED

OUTER_USAGE = create_key("turnout-outer-usage")
"""Set in the context that processors see at a span's start: the framework's own span reports the same tokens."""


class _DrawnIds(IdGenerator):
    """Gives the ids that were drawn before."""

    def __init__(self) -> None:
        self.trace_id = 0
        self.span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class SpanEmitter:
    """Hands spans to processors. Only one thread at a time may use it.

    Args:
        processors: Take the spans.
        resource: What the spans come from; none: the SDK's default.

    Attributes:
        emitted: How many spans were handed on.
    """

    def __init__(self, processors: Sequence[SpanProcessor], resource: Resource | None = None) -> None:
        self.emitted = 0
        self._ids = _DrawnIds()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False, id_generator=self._ids
        )
        for processor in processors:
            self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer(semconv.SCOPE, turnout.__version__, semconv.SCHEMA_URL)

    def emit(self, built: BuiltSpan) -> None:
        """Hand one span on."""
        self._ids.trace_id, self._ids.span_id = int(built.trace_id, 16), int(built.span_id, 16)
        context = Context()
        if built.parent_span_id:
            parent = SpanContext(self._ids.trace_id, int(built.parent_span_id, 16), False, SAMPLED)
            context = set_span_in_context(NonRecordingSpan(parent), context)
        if built.outer_usage:
            context = set_value(OUTER_USAGE, True, context)
        span = self._tracer.start_span(
            built.name,
            context=context,
            kind=SpanKind.CLIENT if built.client else SpanKind.INTERNAL,
            attributes=built.attributes,
            start_time=built.start_ns,
        )
        if built.error:
            span.set_status(Status(StatusCode.ERROR, built.error))
        span.end(built.end_ns)
        self.emitted += 1

    def flush(self, timeout_s: float) -> bool:
        """Flush the processors; whether they were done in time."""
        return self._provider.force_flush(max(1, int(timeout_s * 1000)))

    def shutdown(self) -> None:
        """Shut the processors down."""
        self._provider.shutdown()
