"""The one record: a call to a model or a decision, made once on the caller's path.

Everything that is shown or exported comes from events. An event holds no prompt text, no key and no header.
"""

from __future__ import annotations

import os
import time
from typing import Literal, Protocol

import msgspec

from turnout.core.cost import NO_COST, Cost
from turnout.core.decision import Decision, DecisionInput
from turnout.core.usage import NO_USAGE, Usage
from turnout.core.verdict import UsageSource

Role = Literal["answer", "classifier", "shadow", "judge"]
"""What a call was for: a turn (``answer``, ``classifier``), or the evaluation of answers beside all turns (``shadow``:
an answer that nobody is given, ``judge``: a grade)."""

Status = Literal["ok", "error", "cancelled"]
"""How a call ended."""


class CallEvent(msgspec.Struct, frozen=True, kw_only=True, tag="call", gc=False):
    """One call to a model: answer or classifier, first try or retry, finished, failed or cancelled.

    Attributes:
        event_id: Unique; ascending in time.
        run: The named run it belongs to.
        session_id: The conversation.
        turn_id: The turn: all calls and decisions of one query share it.
        query_id: The caller's name of the query, where it gave one, such as the title of a test prompt.
        trace_id: OpenTelemetry trace id (32 hexadecimal digits), or empty.
        span_id: Id of the event's own OpenTelemetry span (16 hexadecimal digits); empty if it has none.
        parent_span_id: Id of the span above that one, or empty.
        role: What it was for (`Role`).
        model: Catalog id of the model that was called.
        classifier: Which classifier called it, for that role.
        attempt: 1 for the first call of its kind in a request, higher for retries and failovers.
        started_ms: Milliseconds since the epoch.
        latency_ms: From the call to its end.
        first_content_ms: From the call to the first content, or none if there was none or it was not streamed.
        usage: Tokens; where they were not reported in full, the fewest that they can have been.
        usage_source: Where they are known from.
        cost: What they cost at catalog prices: exactly, or at the least.
        cost_high_pico: The most that the call can have cost; the same as ``cost`` where that is known exactly.
        status: How it ended.
        error: The error's name, for status ``error``; never a message of a provider.
        finish_reason: The provider's stop reason.
        streamed: Whether the answer was streamed.
        simulated: Whether the models were simulated: nothing about quality or savings follows from it.
        key_id: The id of the gateway's key that the request came with, which is no secret; empty: there was none.
    """

    event_id: str
    run: str
    session_id: str
    turn_id: str
    query_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    role: Role = "answer"
    model: str
    classifier: str = ""
    attempt: int = 1
    started_ms: int
    latency_ms: float = 0.0
    first_content_ms: float | None = None
    usage: Usage = NO_USAGE
    usage_source: UsageSource = "none"
    cost: Cost = NO_COST
    cost_high_pico: int = 0
    status: Status = "ok"
    error: str = ""
    finish_reason: str = ""
    streamed: bool = False
    simulated: bool = False
    key_id: str = ""


class DecisionEvent(msgspec.Struct, frozen=True, kw_only=True, tag="decision", gc=False):
    """One decision with everything that it was made from, so that it can be made again.

    ``latency_ms`` is the time that deciding took, the classifier's time apart (`classifier_ms`). The span is that of
    the request, which its later decisions share.
    """

    event_id: str
    run: str
    session_id: str
    turn_id: str
    query_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    started_ms: int
    latency_ms: float = 0.0
    classifier_ms: float = 0.0
    given: DecisionInput
    decision: Decision
    simulated: bool = False


Event = CallEvent | DecisionEvent
"""What the ledger keeps."""


class Records(Protocol):
    """Where events go. A recorder must not block its caller and must not raise on the caller's path."""

    def record(self, event: Event) -> None:
        """Take one event."""


def new_id() -> str:
    """A unique id, ascending in time: 12 hexadecimal digits of milliseconds, then 20 random ones."""
    try:
        drawn = _DRAWN.pop()
    except IndexError:
        # Drawn many at a time: a call of the system for each would be most of an id's cost.
        digits = os.urandom(_DIGITS // 2 * _DRAWN_AT_ONCE).hex()
        _DRAWN.extend([digits[at : at + _DIGITS] for at in range(_DIGITS, len(digits), _DIGITS)])
        drawn = digits[:_DIGITS]
    return f"{time.time_ns() // 1_000_000:012x}{drawn}"


_DIGITS = 20
_DRAWN_AT_ONCE = 256
_DRAWN: list[str] = []

if hasattr(os, "register_at_fork"):
    # What was drawn belongs to the parent: the child would give the same ids again.
    os.register_at_fork(after_in_child=_DRAWN.clear)
