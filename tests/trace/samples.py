"""Events of one request, made by hand for tests of spans."""

from __future__ import annotations

from typing import Any

from turnout.core.catalog import Catalog, Model
from turnout.core.cost import cost_of
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput, FailedAttempt
from turnout.core.policy import Candidate, Policy
from turnout.core.price import flat_price
from turnout.core.request import Request, Segment
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.trace.events import CallEvent, DecisionEvent, new_id

TRACE = "0af7651916cd43dd8448eb211c80319c"
REQUEST = "b7ad6b7169203331"
OUTER = "00f067aa0ba902b7"
CHEAP = Model(
    id="bedrock/cheap",
    provider="bedrock",
    model_id="cheap",
    name="cheap",
    price=flat_price("1", "5"),
    context_window=9_000,
)
CAPABLE = Model(
    id="bedrock/capable",
    provider="bedrock",
    model_id="capable",
    name="capable",
    price=flat_price("3", "15", cache_read="0.3", cache_write_5m="3.75", cache_write_1h="6"),
    context_window=9_000,
)
POLICY = Policy(candidates=(Candidate(CHEAP.id, 1), Candidate(CAPABLE.id, 2)))
SIMPLE = Verdict(classifier="rule", label="simple", p_simple=0.9)


def decision(*, failed: tuple[str, ...] = (), verdict: Verdict | None = SIMPLE, **more: Any) -> DecisionEvent:
    """A decision of the request, after these models failed."""
    options: dict[str, Any] = {key: more.pop(key) for key in ("pin", "hard_stay") if key in more}
    given = DecisionInput(
        request=Request(session_id="s-1", segments=(Segment(kind="message", tokens=100, prefix_hash="aa"),), **options),
        policy=more.pop("policy", POLICY),
        catalog=Catalog.of([CHEAP, CAPABLE]),
        now_ms=1_000,
        verdict=verdict,
        failed=tuple(FailedAttempt(model, "ThrottlingException") for model in failed),
    )
    fields: dict[str, Any] = {
        "event_id": new_id(),
        "run": "r",
        "session_id": "s-1",
        "turn_id": "t-1",
        "trace_id": TRACE,
        "span_id": REQUEST,
        "parent_span_id": OUTER,
        "started_ms": 1_000,
        "latency_ms": 2.0,
        "classifier_ms": 30.0 if verdict is not None and not failed else 0.0,
    }
    return DecisionEvent(**(fields | more), given=given, decision=decide(given))


def call(model: Model = CHEAP, **more: Any) -> CallEvent:
    """A call of the request to a chosen model."""
    usage = more.pop("usage", Usage(input_tokens=100, output_tokens=10))
    fields: dict[str, Any] = {
        "event_id": new_id(),
        "run": "r",
        "session_id": "s-1",
        "turn_id": "t-1",
        "trace_id": TRACE,
        "span_id": new_id()[-16:],
        "parent_span_id": REQUEST,
        "model": model.id,
        "started_ms": 1_040,
        "latency_ms": 250.0,
        "usage": usage,
        "usage_source": "reported",
        "cost": cost_of(usage, model.price),
        "cost_high_pico": cost_of(usage, model.price).total_pico,
        "finish_reason": "end_turn",
    }
    return CallEvent(**(fields | more))


def failed_call(model: Model = CHEAP, **more: Any) -> CallEvent:
    """One that failed before its first content."""
    fields: dict[str, Any] = {"status": "error", "error": "ThrottlingException", "finish_reason": ""}
    return call(model, usage=Usage(), usage_source="none", **(fields | more))


def classifier_call(**more: Any) -> CallEvent:
    """One of the classifier's."""
    return call(role="classifier", classifier="rule", started_ms=1_001, latency_ms=29.0, **more)
