"""Decisions on two real models, for tests that look at one."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.core.price_table import HAIKU_4_5, SONNET_4_6
from turnout.core.cache import CacheEntry, CacheState
from turnout.core.catalog import Catalog
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput
from turnout.core.policy import Candidate, Policy
from turnout.core.request import Request, Segment
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.trace.events import CallEvent, DecisionEvent, new_id

NOW_MS = 1_795_392_000_000
"""2026-11-23 00:00 UTC."""

CHEAP = msgspec.structs.replace(HAIKU_4_5, name="Claude Haiku 4.5", max_output_tokens=64_000)
CAPABLE = msgspec.structs.replace(SONNET_4_6, name="Claude Sonnet 4.6", max_output_tokens=64_000)
CATALOG = Catalog.of([CHEAP, CAPABLE])
POLICY = Policy(candidates=(Candidate(CHEAP.id, 0), Candidate(CAPABLE.id, 1)), markers="fill")
SIMPLE = Verdict(classifier="keyword", label="simple", p_simple=0.8)
COMPLEX = Verdict(classifier="keyword", label="complex", p_simple=0.2)

# A head of 2,000 tokens is above the capable model's floor of 1,024 and below the cheap one's of 4,096.
REQUEST = Request(
    session_id="s",
    segments=(
        Segment(kind="system", tokens=2_000, prefix_hash="head"),
        Segment(kind="message", tokens=20, prefix_hash="query"),
    ),
)


def given(**changes: Any) -> DecisionInput:
    """The input of a decision on that request; a simple query unless the changes say otherwise."""
    base = DecisionInput(request=REQUEST, policy=POLICY, catalog=CATALOG, now_ms=NOW_MS, verdict=SIMPLE)
    return msgspec.structs.replace(base, **changes)


def warm(chance: float = 1.0, *, left_ms: int = 200_000, prefix_hash: str = "head") -> CacheState:
    """A cache that holds the head for another 200 s."""
    entry = CacheEntry(prefix_hash=prefix_hash, ttl="5m", expires_ms=NOW_MS + left_ms, chance=chance)
    return CacheState((entry,))


def decided(made_from: DecisionInput | None = None, **changes: Any) -> DecisionEvent:
    """The event of a decision."""
    made_from = given() if made_from is None else made_from
    event = DecisionEvent(
        event_id=new_id(),
        run="run",
        session_id="s",
        turn_id="turn",
        query_id="query",
        started_ms=made_from.now_ms,
        latency_ms=0.1,
        given=made_from,
        decision=decide(made_from),
    )
    return msgspec.structs.replace(event, **changes)


def called(model: str = CHEAP.id, **changes: Any) -> CallEvent:
    """The event of a call in the same turn."""
    event = CallEvent(
        event_id=new_id(),
        run="run",
        session_id="s",
        turn_id="turn",
        query_id="query",
        model=model,
        started_ms=NOW_MS + 1,
        latency_ms=1_500.0,
        usage=Usage(input_tokens=2_020, output_tokens=100),
        usage_source="reported",
        finish_reason="end_turn",
    )
    return msgspec.structs.replace(event, **changes)
