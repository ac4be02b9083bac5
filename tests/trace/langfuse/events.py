"""A routed turn as events, small enough to price by hand."""

from __future__ import annotations

from typing import Any

from turnout.core.catalog import Catalog, Model
from turnout.core.cost import cost_of
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput
from turnout.core.policy import Candidate, Policy
from turnout.core.price import flat_price
from turnout.core.request import Request, Segment
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.trace.events import CallEvent, DecisionEvent, new_id

START_MS = 1_760_000_000_000


def model(name: str, *prices: str) -> Model:
    fresh, output, read, write_5m, write_1h = prices
    return Model(
        id=f"bedrock/{name}",
        provider="bedrock",
        model_id=name,
        name=name.title(),
        price=flat_price(fresh, output, cache_read=read, cache_write_5m=write_5m, cache_write_1h=write_1h),
        context_window=200_000,
    )


SMALL = model("small", "1", "5", "0.1", "1.25", "2")
LARGE = model("large", "3", "15", "0.3", "3.75", "6")
CATALOG = Catalog.of([SMALL, LARGE])
POLICY = Policy(candidates=(Candidate(SMALL.id, 1), Candidate(LARGE.id, 2)))
SIMPLE = Verdict(classifier="llm", label="simple", p_simple=0.9)
ASKED = Usage(input_tokens=400, output_tokens=5)
ANSWERED = Usage(
    input_tokens=100,
    cache_read_tokens=2000,
    cache_write_5m_tokens=300,
    cache_write_1h_tokens=40,
    output_tokens=60,
    reasoning_tokens=20,
)


def call(turn: str = "turn", usage: Usage = ANSWERED, priced: Model = SMALL, **fields: Any) -> CallEvent:
    usual: dict[str, Any] = {
        "event_id": new_id(),
        "run": "agent",
        "session_id": "session-1",
        "query_id": "Return Policy",
        "started_ms": START_MS + 700,
        "latency_ms": 1500.0,
        "usage_source": "reported",
        "cost": cost_of(usage, priced.price),
    }
    return CallEvent(turn_id=turn, usage=usage, model=priced.id, **{**usual, **fields})


def asked(turn: str = "turn", **fields: Any) -> CallEvent:
    usual: dict[str, Any] = {
        "role": "classifier",
        "classifier": "llm",
        "started_ms": START_MS + 10,
        "latency_ms": 600.0,
    }
    return call(turn, ASKED, SMALL, **{**usual, **fields})


def decision(turn: str = "turn", verdict: Verdict | None = SIMPLE, **fields: Any) -> DecisionEvent:
    request = Request(session_id="session-1", segments=(Segment(kind="message", tokens=1000, prefix_hash="aa"),))
    given = DecisionInput(
        request=fields.pop("request", request), policy=POLICY, catalog=CATALOG, now_ms=START_MS, verdict=verdict
    )
    usual: dict[str, Any] = {
        "event_id": new_id(),
        "run": "agent",
        "session_id": "session-1",
        "query_id": "Return Policy",
        "started_ms": START_MS,
        "latency_ms": 0.25,
        "classifier_ms": 612.5,
    }
    return DecisionEvent(turn_id=turn, given=given, decision=decide(given), **{**usual, **fields})
