"""Events as Langfuse reads them from spans: exact tokens and costs by kind, decisions as metadata.

Pure: an event and labels in, span attributes out. Langfuse sums what each span carries by itself, so session, user,
tags, version, environment and the trace's name stand on every span and not only on the first.

No prompt, no answer, no key and no message of a provider is in here, since events hold none.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec

from turnout.core.cost import Cost, pico_to_usd
from turnout.core.decision import Decision
from turnout.core.usage import Usage
from turnout.trace.events import CallEvent, DecisionEvent, Event
from turnout.trace.langfuse import names

Attributes = dict[str, str | tuple[str, ...]]
"""Span attributes; only texts and lists of texts."""


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What the application knows of a trace and events do not.

    Langfuse takes up to 200 ASCII characters for each.

    Attributes:
        trace_name: What the trace is found by: the agent's name. Empty: the name of the event's run.
        user_id: The user, as the application calls him; better a made-up id than a name.
        tags: Further tags.
        version: The version of the agent.
        release: The release of the application.
        environment: The deployment, such as ``staging``.
    """

    trace_name: str = ""
    user_id: str = ""
    tags: tuple[str, ...] = ()
    version: str = ""
    release: str = ""
    environment: str = ""


NO_LABELS = Labels()
"""Nothing is known but what events say."""


def attributes_of(event: Event, *, labels: Labels = NO_LABELS) -> Attributes:
    """The attributes that a span of this event carries for Langfuse.

    Calls become generations, decisions become spans with the decision as metadata.

    Args:
        event: The call or decision.
        labels: What the application knows of the trace.
    """
    own = _call(event) if isinstance(event, CallEvent) else _decision(event)
    return trace_attributes(event, labels=labels) | own


def trace_attributes(event: Event, *, labels: Labels = NO_LABELS) -> Attributes:
    """What every span of an event's trace carries: also those that Turnout did not make, such as an agent's own.

    The run becomes a tag, and the trace's name where the labels give none;
    that simulated models take part becomes a tag too.

    Args:
        event: Any event of the trace.
        labels: What the application knows of the trace.
    """
    tags = [*labels.tags, names.RUN_TAG + event.run]
    if event.simulated:
        tags.append(names.SIMULATED_TAG)
    texts = {
        names.TRACE_NAME: labels.trace_name or event.run,
        names.SESSION: event.session_id,
        names.USER: labels.user_id,
        names.VERSION: labels.version,
        names.RELEASE: labels.release,
        names.ENVIRONMENT: labels.environment,
    }
    return {**{name: text for name, text in texts.items() if text}, names.TAGS: tuple(dict.fromkeys(tags))}


def usage_details(usage: Usage) -> dict[str, int]:
    """Tokens by kind; the kinds do not overlap and add up to ``total``. Cache kinds without tokens are left out."""
    caches = {
        names.CACHE_READ: usage.cache_read_tokens,
        names.CACHE_WRITE_5M: usage.cache_write_5m_tokens,
        names.CACHE_WRITE_1H: usage.cache_write_1h_tokens,
    }
    return {
        names.INPUT: usage.input_tokens,
        **{kind: tokens for kind, tokens in caches.items() if tokens},
        names.OUTPUT: usage.output_tokens,
        names.TOTAL: usage.total_tokens,
    }


def cost_details(cost: Cost) -> str:
    """Costs by kind as a JSON object of plain decimals in USD, exact to 1e-12 USD, which is what Langfuse keeps too.

    Written by hand: `json` would turn decimals into binary fractions first.
    """
    caches = {
        names.CACHE_READ: cost.cache_read_pico,
        names.CACHE_WRITE_5M: cost.cache_write_5m_pico,
        names.CACHE_WRITE_1H: cost.cache_write_1h_pico,
    }
    kinds = {
        names.INPUT: cost.input_pico,
        **{kind: pico for kind, pico in caches.items() if pico},
        names.OUTPUT: cost.output_pico,
        names.TOTAL: cost.total_pico,
    }
    return "{" + ", ".join(f'"{kind}": {usd_text(pico)}' for kind, pico in kinds.items()) + "}"


def usd_text(pico: int) -> str:
    """An amount of pico-USD as a plain decimal in USD without zeros at its end: ``0.0045``."""
    text = f"{pico_to_usd(pico):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _call(event: CallEvent) -> Attributes:
    facts = {
        "event": "call",
        **_shared(event),
        "role": event.role,
        "classifier": event.classifier,
        "attempt": str(event.attempt),
        "status": event.status,
        "finish_reason": event.finish_reason,
        "streamed": _flag(event.streamed),
        "usage_source": event.usage_source,
        "highest_usd": usd_text(max(event.cost_high_pico, event.cost.total_pico)),
        "reasoning_tokens": str(event.usage.reasoning_tokens) if event.usage.reasoning_tokens else "",
    }
    attributes = {
        names.TYPE: "generation",
        names.MODEL: event.model,
        names.LEVEL: {"ok": "DEFAULT", "error": "ERROR", "cancelled": "WARNING"}[event.status],
        names.USAGE_DETAILS: json.dumps(usage_details(event.usage)),
        names.COST_DETAILS: cost_details(event.cost),
    }
    if event.status != "ok":
        attributes[names.STATUS_MESSAGE] = event.error or event.status
    if event.first_content_ms is not None:
        attributes[names.FIRST_CONTENT] = _time(event.started_ms, event.first_content_ms)
    return attributes | _metadata(facts)


def _decision(event: DecisionEvent) -> Attributes:
    decision, verdict = event.decision, event.given.verdict
    expected = None if decision.model is None else decision.estimate(decision.model).expected
    failure = None if verdict is None or verdict.failure is None else verdict.failure.kind
    facts = {
        "event": "decision",
        **_shared(event),
        "reason": decision.reason.value,
        "model": decision.model or "",
        "runner_up": decision.runner_up or "",
        "bar": _number(decision.bar),
        "expected_usd": "" if expected is None else usd_text(expected.cost_pico),
        "estimates": _estimates(decision),
        "edits": ", ".join(decision.edits),
        "decision_ms": _number(event.latency_ms),
        "classifier_ms": _number(event.classifier_ms),
    }
    if verdict is not None:
        facts |= {
            "classifier": verdict.classifier,
            "label": verdict.label or "",
            "basis": verdict.basis,
            "p_simple": _number(verdict.p_simple),
            "failure": failure or "",
        }
    worrying = decision.refused or failure is not None
    attributes = {names.TYPE: "span", names.LEVEL: "WARNING" if worrying else "DEFAULT"}
    if worrying:
        attributes[names.STATUS_MESSAGE] = decision.reason.value
    return attributes | _metadata(facts)


def _shared(event: Event) -> dict[str, str]:
    return {
        "event_id": event.event_id,
        "run": event.run,
        "turn_id": event.turn_id,
        "query_id": event.query_id,
        "simulated": _flag(event.simulated),
    }


def _metadata(facts: dict[str, str]) -> Attributes:
    return {f"{names.METADATA}{names.OWN}{key}": text for key, text in facts.items() if text}


def _estimates(decision: Decision) -> str:
    return json.dumps(
        [
            {
                "model": estimate.model,
                "expected_usd": None if estimate.expected is None else usd_text(estimate.expected.cost_pico),
                "clears_bar": estimate.clears_bar,
                "p": estimate.p,
                "ineligible": estimate.ineligible,
            }
            for estimate in decision.estimates
        ]
    )


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _number(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def _time(started_ms: int, later_ms: float) -> str:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=started_ms) + timedelta(milliseconds=later_ms)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
