"""From finished spans to an exporter: a bounded queue with counters, and other libraries' spans cleaned on the way.

The queue and its thread are the SDK's `BatchSpanProcessor`, which drops in silence when it is full. So what is handed
to it and what has come out of it is counted here, and what would not fit is dropped and counted before.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry.context import Context, get_value
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from turnout.trace.spans import semconv
from turnout.trace.spans.emitter import OUTER_USAGE
from turnout.trace.spans.privacy import Privacy, cleaned, without_usage
from turnout.trace.spans.yielding import Yielding

logger = logging.getLogger(__name__)

More = Callable[[ReadableSpan], Mapping[str, Any]]
"""Gives attributes to add to another library's span."""

CAPACITY = 8_192
"""How many spans may wait for an exporter, unless ``OTEL_BSP_MAX_QUEUE_SIZE`` says otherwise."""


def is_ours(span: ReadableSpan) -> bool:
    """Whether the span was derived from an event."""
    return span.instrumentation_scope is not None and span.instrumentation_scope.name == semconv.SCOPE


class Exports(SpanProcessor):
    """Sends spans to one exporter, off the caller's path.

    Args:
        exporter: Where they go.
        privacy: What of other libraries' spans may leave the process.
        more: Gives attributes to add to them.

    Attributes:
        dropped: How many spans were dropped because too many waited.
        exported: How many the exporter took.
        failed: How many it could not deliver; it says why in the log.
    """

    def __init__(self, exporter: SpanExporter, privacy: Privacy, more: More = lambda span: {}) -> None:
        self.dropped = self.exported = self.failed = 0
        self._capacity = int(os.environ.get("OTEL_BSP_MAX_QUEUE_SIZE") or CAPACITY)
        self._handed = 0
        self._lock = threading.Lock()
        cleaning = _Cleaning(exporter, privacy, more, self._done)
        self._batches: SpanProcessor = BatchSpanProcessor(cleaning, max_queue_size=self._capacity)

    @property
    def waiting(self) -> int:
        """How many spans are on their way."""
        return self._handed - self.exported - self.failed

    @property
    def ready(self) -> bool:
        """Whether half of the queue is free: the rest is for spans that cannot wait elsewhere."""
        return self.waiting < self._capacity // 2

    def on_end(self, span: ReadableSpan) -> None:
        """Take a finished span, if it is sampled."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        with self._lock:
            full = self.waiting >= self._capacity
            if full:
                self.dropped += 1
                first = self.dropped == 1
            else:
                self._handed += 1
        if not full:
            self._batches.on_end(span)
        elif first:
            logger.warning("capacity=<%d> | spans are dropped: the exporter is too slow", self._capacity)

    def shutdown(self) -> None:
        """Export what waits, and end."""
        self._batches.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what waits; the time that this takes is the exporter's."""
        return self._batches.force_flush(timeout_millis)

    def _done(self, count: int, delivered: bool) -> None:
        with self._lock:
            if delivered:
                self.exported += count
            else:
                self.failed += count


class _Cleaning(SpanExporter):
    """Hands spans on to an exporter: ours as they are, others' cleaned."""

    def __init__(self, exporter: SpanExporter, privacy: Privacy, more: More, done: Callable[[int, bool], None]) -> None:
        self._exporter = exporter
        self._privacy = privacy
        self._more = more
        self._done = done

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            sent = Yielding(self._sent(span) for span in Yielding(spans))
            result = self._exporter.export(sent)
        finally:
            self._done(len(spans), result is SpanExportResult.SUCCESS)
        return result

    def _sent(self, span: ReadableSpan) -> ReadableSpan:
        return span if is_ours(span) else cleaned(span, self._privacy, more=self._more(span))

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class Others(SpanProcessor):
    """Stands in a provider and hands the spans of other libraries to what is exported by us now, if anything is."""

    def __init__(self) -> None:
        self._exports: tuple[Exports, ...] = ()
        self._flush: Callable[[float], bool] | None = None
        self._flushing = False

    def serve(self, exports: tuple[Exports, ...], flush: Callable[[float], bool]) -> None:
        """Hand spans to these exports from now on.

        Args:
            exports: Where they go.
            flush: Has the spans of events built and handed on, within so many seconds.
        """
        self._exports, self._flush = exports, flush

    def leave(self, flush: Callable[[float], bool]) -> None:
        """Hand spans to nobody any more, unless another ``flush`` is served by now."""
        if self._flush == flush:
            self._exports, self._flush = (), None

    def on_end(self, span: ReadableSpan) -> None:
        """Hand a finished span on; ours came another way."""
        if is_ours(span):
            return
        for exports in self._exports:
            exports.on_end(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have the spans of events built and handed on too."""
        # What flushes may come back here: ours go to the processors of the very provider that is flushed.
        if self._flushing or self._flush is None:
            return True
        self._flushing = True
        try:
            return self._flush(timeout_millis / 1000)
        finally:
            self._flushing = False


class Host(SpanProcessor):
    """Hands our spans to the processors of a provider that the application set up by itself.

    Other libraries' spans go there untouched, so tokens stay on the framework's own span where it reports them.
    """

    def __init__(self, processors: SpanProcessor) -> None:
        self._processors = processors
        self._outer_usage: set[int] = set()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Let the processors see it begin."""
        if get_value(OUTER_USAGE, parent_context):
            self._outer_usage.add(span.get_span_context().span_id)
        self._processors.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Hand it on."""
        if span.context is not None and span.context.span_id in self._outer_usage:
            self._outer_usage.discard(span.context.span_id)
            span = without_usage(span)
        self._processors.on_end(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the application's processors."""
        return self._processors.force_flush(timeout_millis)
