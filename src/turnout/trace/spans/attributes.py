"""What a span says of its event: pure functions from events to span attributes.

Money stands in full: ``turnout.cost.usd_exact`` is the text of an exact decimal, ``turnout.cost.usd`` the nearest
binary fraction for backends that add up. Tokens and costs stand on the spans of calls alone, so that a sum over all
spans of a trace is what the trace cost.
"""

from __future__ import annotations

from collections.abc import Sequence

from turnout.core.cost import pico_to_usd
from turnout.core.decision import DecisionInput
from turnout.core.verdict import Verdict
from turnout.trace.events import CallEvent, DecisionEvent, Event
from turnout.trace.spans import semconv

AttributeValue = str | bool | int | float | Sequence[str]
"""What a span attribute may hold here."""

Attributes = dict[str, AttributeValue]
"""Attributes of one span."""


def call_attributes(event: CallEvent) -> Attributes:
    """The attributes of a call's span, usage and cost included."""
    provider, model = semconv.provider_and_model(event.model)
    attributes = _shared(event) | {
        semconv.OPERATION: semconv.CHAT,
        semconv.PROVIDER: provider,
        semconv.REQUEST_MODEL: model,
        semconv.REQUEST_STREAM: event.streamed,
        semconv.MODEL: event.model,
        semconv.ROLE: event.role,
        semconv.ATTEMPT: event.attempt,
        semconv.STATUS: event.status,
        semconv.USAGE_SOURCE: event.usage_source,
        semconv.COST_USD: _usd(event.cost.total_pico),
        semconv.COST_USD_EXACT: f"{pico_to_usd(event.cost.total_pico):f}",
        semconv.COST_LOW_USD: _usd(event.cost.total_pico),
        semconv.COST_HIGH_USD: _usd(max(event.cost_high_pico, event.cost.total_pico)),
    }
    if event.usage_source != "none":
        attributes |= event.usage.to_opentelemetry()
        attributes[semconv.CACHE_WRITE_5M] = event.usage.cache_write_5m_tokens
        attributes[semconv.CACHE_WRITE_1H] = event.usage.cache_write_1h_tokens
    if event.status == "ok":
        attributes[semconv.RESPONSE_MODEL] = model
    if event.classifier:
        attributes[semconv.CLASSIFIER] = event.classifier
    if event.finish_reason:
        attributes[semconv.FINISH_REASONS] = (event.finish_reason,)
    if event.first_content_ms is not None:
        attributes[semconv.TIME_TO_FIRST_CHUNK] = event.first_content_ms / 1000
    if event.status == "error":
        attributes[semconv.ERROR_TYPE] = event.error or "unknown"
    return attributes


def request_attributes(decisions: Sequence[DecisionEvent], calls: Sequence[CallEvent]) -> Attributes:
    """The attributes of a request's span.

    The candidates, what they were expected to cost and the verdict are those of the first decision, which saw them all;
    model and reason are those of the last, which served.

    Args:
        decisions: The request's decisions in order: the first, and one for each failover.
        calls: Its calls to the chosen models, in order.
    """
    first, last = decisions[0], decisions[-1]
    attributes = _shared(last) | {
        semconv.REASON: last.decision.reason.value,
        semconv.REASONS: tuple(event.decision.reason.value for event in decisions),
        semconv.FAILOVER: len(decisions) > 1,
        semconv.ATTEMPTS: len(calls),
        semconv.CACHE_PLAN: last.decision.cache_plan.origin,
        semconv.DECISION_MS: sum(event.latency_ms for event in decisions),
    }
    if last.decision.model is not None:
        attributes[semconv.MODEL] = last.decision.model
    if last.decision.edits:
        attributes[semconv.EDITS] = last.decision.edits
    if len(last.given.failed) > 0:
        attributes[semconv.FAILED_MODELS] = tuple(failed.model for failed in last.given.failed)
    attributes |= _found(first) | _asked(first.given)
    if first.given.verdict is not None:
        attributes |= _verdict(first.given.verdict)
        if first.classifier_ms:
            # A turn's later requests know the verdict of its first.
            attributes[semconv.CLASSIFIER_MS] = first.classifier_ms
    if calls:
        attributes[semconv.STATUS] = calls[-1].status
        if calls[-1].status == "error":
            attributes[semconv.ERROR_TYPE] = calls[-1].error or "unknown"
    elif last.decision.refused:
        attributes[semconv.STATUS] = "refused"
        attributes[semconv.ERROR_TYPE] = last.decision.reason.value
    return attributes


def _shared(event: Event) -> Attributes:
    texts = {
        semconv.CONVERSATION: event.session_id,
        semconv.RUN: event.run,
        semconv.TURN: event.turn_id,
        semconv.QUERY: event.query_id,
        semconv.EVENT: event.event_id,
    }
    return {**{name: text for name, text in texts.items() if text}, semconv.SIMULATED: event.simulated}


def _found(event: DecisionEvent) -> Attributes:
    decision = event.decision
    attributes: Attributes = {semconv.CANDIDATES: tuple(estimate.model for estimate in decision.estimates)}
    ineligible = []
    for estimate in decision.estimates:
        if estimate.expected is not None:
            attributes[semconv.EXPECTED_COST + estimate.model] = _usd(estimate.expected.cost_pico)
        if estimate.p is not None:
            attributes[semconv.P + estimate.model] = estimate.p
        ineligible += [f"{estimate.model}: {why}" for why in estimate.ineligible]
    if ineligible:
        attributes[semconv.INELIGIBLE] = tuple(ineligible)
    if decision.runner_up is not None:
        attributes[semconv.RUNNER_UP] = decision.runner_up
    if decision.bar is not None:
        attributes[semconv.BAR] = decision.bar
    return attributes


def _asked(given: DecisionInput) -> Attributes:
    attributes: Attributes = {}
    if given.request.pin is not None:
        attributes[semconv.PIN] = given.request.pin
    if given.request.hard_stay is not None:
        attributes[semconv.HARD_STAY] = given.request.hard_stay.cause
    return attributes


def _verdict(verdict: Verdict) -> Attributes:
    attributes: Attributes = {semconv.CLASSIFIER: verdict.classifier, semconv.VERDICT_BASIS: verdict.basis}
    if verdict.label is not None:
        attributes[semconv.VERDICT_LABEL] = verdict.label
    if verdict.p_simple is not None:
        attributes[semconv.VERDICT_P_SIMPLE] = verdict.p_simple
    if verdict.unlikeness is not None:
        attributes[semconv.VERDICT_UNLIKENESS] = verdict.unlikeness
    if verdict.failure is not None:
        attributes[semconv.VERDICT_FAILURE] = verdict.failure.kind
    return attributes


def _usd(pico: int) -> float:
    return float(pico_to_usd(pico))
