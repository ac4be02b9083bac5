"""What the door writes into spans: the decision, the classifier's usage, and which model served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace

from turnout.core.cost import pico_to_usd
from turnout.core.usage import NO_USAGE
from turnout.router import Routed

_tracer = trace.get_tracer("turnout")


@contextmanager
def routing_span() -> Iterator[trace.Span]:
    """A span over classifying and deciding, below the span that is current."""
    with _tracer.start_as_current_span("turnout.route") as span:
        yield span


def describe_decision(span: trace.Span, routed: Routed) -> None:
    """Write a decision into its span: model, reason, expected cost of each candidate, the classifier's tokens."""
    decision = routed.decision
    span.set_attribute("turnout.model", routed.model.id)
    span.set_attribute("turnout.reason", str(decision.reason))
    for estimate in decision.estimates:
        if estimate.expected is not None:
            key = f"turnout.expected_cost_usd.{estimate.model}"
            span.set_attribute(key, float(pico_to_usd(estimate.expected.cost_pico)))
    verdict = routed.given.verdict
    if verdict is not None:
        span.set_attribute("turnout.classifier", verdict.classifier)
        if verdict.label is not None:
            span.set_attribute("turnout.complexity", verdict.label)
        usage = sum((call.usage for call in verdict.calls), NO_USAGE)
        for name, tokens in usage.to_opentelemetry().items():
            span.set_attribute(name.replace("gen_ai.", "turnout.classifier."), tokens)


def name_served_model(routed: Routed) -> None:
    """Name the model that serves in the current span, which is Strands' span of the call."""
    span = trace.get_current_span()
    span.set_attribute("gen_ai.response.model", routed.model.model_id)
    span.set_attribute("turnout.model", routed.model.id)
    span.set_attribute("turnout.reason", str(routed.decision.reason))
