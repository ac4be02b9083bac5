"""Runs for reports: the same queries once to the capable model alone and once routed, by a small provider of our own.

The provider bills by the price table and keeps one cache a model, with the floor of each, independently of
`turnout.evaluate`: it is what a computed cost is held against.
"""

from __future__ import annotations

from typing import Any

import msgspec

from tests.trace.decided import CAPABLE, CATALOG, CHEAP, NOW_MS
from turnout.core.cost import cost_of
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput
from turnout.core.policy import Candidate, Policy
from turnout.core.request import Request, Segment
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.trace.events import CallEvent, DecisionEvent, Event, new_id

ROUTED = Policy(candidates=(Candidate(CHEAP.id, 0), Candidate(CAPABLE.id, 1)), markers="fill")
ALONE = Policy(candidates=(Candidate(CAPABLE.id, 1),), markers="fill")
QUERIES = ("Return Policy", "Product Info", "Technical Support", "Multi-part Question", "General Question")
LABELS = {"Technical Support": 0.2, "Multi-part Question": 0.1}
HEAD = 2_000


def run_of(
    name: str,
    policy: Policy = ROUTED,
    *,
    queries: tuple[str, ...] = QUERIES,
    gap_ms: int = 60_000,
    simulated: bool = True,
    **changes: Any,
) -> list[Event]:
    """The events of a run, a query a minute; a call costs what the provider bills."""
    events: list[Event] = []
    warm_until: dict[str, int] = {}
    for place, query in enumerate(queries):
        now_ms = NOW_MS + place * gap_ms
        given = _input(query, place, policy, now_ms)
        decision = decide(given)
        assert decision.model is not None
        usage = _bill(decision.model, warm_until, now_ms, fresh=20 + place, output=100 + 10 * place)
        same: dict[str, Any] = {"run": name, "session_id": query, "turn_id": f"{name}-{place}", "query_id": query}
        same |= {"simulated": simulated}
        events.append(DecisionEvent(event_id=new_id(), started_ms=now_ms, given=given, decision=decision, **same))
        call = CallEvent(
            event_id=new_id(),
            model=decision.model,
            started_ms=now_ms,
            latency_ms=1_000.0 + place,
            usage=usage,
            usage_source="reported",
            cost=cost_of(usage, CATALOG[decision.model].price),
            **same,
        )
        events.append(msgspec.structs.replace(call, **changes))
    return events


def _input(query: str, place: int, policy: Policy, now_ms: int) -> DecisionInput:
    segments = (
        Segment(kind="system", tokens=HEAD, prefix_hash="head"),
        Segment(kind="message", tokens=20 + place, prefix_hash=f"query {query}"),
    )
    p = LABELS.get(query, 0.9)
    return DecisionInput(
        request=Request(session_id=query, segments=segments),
        policy=policy,
        catalog=CATALOG,
        now_ms=now_ms,
        verdict=Verdict(classifier="keyword", label="simple" if p > 0.5 else "complex", p_simple=p),
    )


def _bill(model: str, warm_until: dict[str, int], now_ms: int, *, fresh: int, output: int) -> Usage:
    if CATALOG[model].cache.floor_tokens > HEAD:
        return Usage(input_tokens=HEAD + fresh, output_tokens=output)
    warm = warm_until.get(model, 0) > now_ms
    warm_until[model] = now_ms + 300_000
    if warm:
        return Usage(input_tokens=fresh, cache_read_tokens=HEAD, output_tokens=output)
    return Usage(input_tokens=fresh, cache_write_5m_tokens=HEAD, output_tokens=output)
