"""Draws the ids of spans when they begin: which trace they join, and whether it is sampled."""

from __future__ import annotations

from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Decision, Sampler
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)

from turnout.trace.spans.context import OpenSpan

SAMPLED = TraceFlags(TraceFlags.SAMPLED)
UNSAMPLED = TraceFlags(TraceFlags.DEFAULT)


class SpanIds:
    """Draws ids.

    Args:
        sampler: Asked for each request, not for its calls; none: by the parent, and always where there is none.
        id_generator: Draws ids; none: random ones.
    """

    def __init__(self, sampler: Sampler | None = None, id_generator: IdGenerator | None = None) -> None:
        self._sampler = sampler or DEFAULT_ON
        self._ids = id_generator or RandomIdGenerator()

    def open(self, name: str, *, parent: OpenSpan | None = None, follows: OpenSpan | None = None) -> OpenSpan:
        """Draw the ids of a span; see `turnout.trace.spans.context.Spans.open`."""
        if parent is not None and parent.span_context is not None:
            return self._drawn(parent.span_context, parent.span_id or parent.parent_span_id)
        outer = get_current_span().get_span_context()
        if outer.is_valid:
            return self._drawn(self._sampled(name, outer.trace_id), f"{outer.span_id:016x}")
        if follows is not None and follows.span_context is not None:
            # A second root of the same trace: what was there before has no span that goes on.
            return self._drawn(follows.span_context, "")
        return self._drawn(self._sampled(name, self._ids.generate_trace_id()), "")

    def _sampled(self, name: str, trace_id: int) -> SpanContext:
        result = self._sampler.should_sample(None, trace_id, name, SpanKind.INTERNAL)
        flags = SAMPLED if result.decision is Decision.RECORD_AND_SAMPLE else UNSAMPLED
        return SpanContext(trace_id, 0, False, flags, result.trace_state)

    def _drawn(self, like: SpanContext, above: str) -> OpenSpan:
        context = SpanContext(like.trace_id, self._ids.generate_span_id(), False, like.trace_flags, like.trace_state)
        return OpenSpan(
            trace_id=f"{context.trace_id:032x}",
            span_id=f"{context.span_id:016x}" if context.trace_flags.sampled else "",
            parent_span_id=above,
            span_context=context,
            context=set_span_in_context(NonRecordingSpan(context)),
        )
