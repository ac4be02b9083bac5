"""What the door writes into Strands' own span of a call: which model served, and which span of ours has its tokens."""

from __future__ import annotations

from opentelemetry import trace

from turnout.router import OpenCall, Routed
from turnout.trace.spans import semconv


def name_served_model(routed: Routed, call: OpenCall) -> None:
    """Name the model that serves in the current span, which is Strands' span of the call.

    Strands writes the call's tokens into that span too. So it is told which span of ours carries them, and the call is
    told that they are there: whoever exports counts them once.
    """
    span = trace.get_current_span()
    if not span.is_recording():
        return
    span.set_attribute(semconv.RESPONSE_MODEL, routed.model.model_id)
    span.set_attribute(semconv.MODEL, routed.model.id)
    span.set_attribute(semconv.REASON, routed.decision.reason.value)
    attributes = getattr(span, "attributes", None) or {}
    if attributes.get(semconv.OPERATION) == semconv.CHAT and call.span.span_id:
        span.set_attribute(semconv.CALL_SPAN, call.span.span_id)
        call.outer_usage = True
