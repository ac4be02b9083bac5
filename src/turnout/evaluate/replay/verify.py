"""Makes every decision of a ledger again from its stored input, and compares the two byte for byte.

No classifier is asked: its verdict is part of the input. Decisions are read a batch at a time, so that memory does not
grow with the ledger. A difference means that the rules of this version are not those that decided, or that the ledger
was changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from turnout.core.decide import decide
from turnout.core.decision import Decision
from turnout.trace.events import DecisionEvent
from turnout.trace.store import selection
from turnout.trace.store.encode import canonical
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.selection import Filter

MOST_NAMED = 10
"""How many differences are named; all are counted."""

_MOST_FIELDS = 5


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that does not come out as it is stored.

    Attributes:
        event_id: The event's id.
        run: Its run.
        turn_id: Its turn.
        fields: The first fields that differ, each ``path: stored -> decided``, or the error of deciding.
    """

    event_id: str
    run: str
    turn_id: str
    fields: tuple[str, ...]


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """How many decisions were made again, how many came out otherwise, and the first of those."""

    decisions: int
    different: int
    first: tuple[Difference, ...]


def verify(ledger: Ledger, chosen: Filter, advance: Callable[[int], None] = lambda decisions: None) -> Verified:
    """Make decisions again.

    Args:
        ledger: An open one.
        chosen: Which decisions.
        advance: Is told of each batch.

    Raises:
        LedgerError: A decision cannot be read.
    """
    decisions = different = 0
    first: list[Difference] = []
    for events in selection.decisions(ledger, chosen):
        for event in events:
            fields = differences(event)
            decisions += 1
            if fields:
                different += 1
                if len(first) < MOST_NAMED:
                    first.append(
                        Difference(event_id=event.event_id, run=event.run, turn_id=event.turn_id, fields=fields)
                    )
        advance(len(events))
    return Verified(decisions=decisions, different=different, first=tuple(first))


def differences(event: DecisionEvent) -> tuple[str, ...]:
    """Where the decision, made again, differs from the stored one; empty where the bytes are the same."""
    try:
        again = decide(event.given)
    except Exception as error:  # Whatever stored input makes of today's rules is a finding, not the end of the check.
        return (f"deciding raised {type(error).__name__}: {error}",)
    if canonical(again) == canonical(event.decision):
        return ()
    found = list(_paths("", _plain(event.decision), _plain(again)))
    more = len(found) - _MOST_FIELDS
    return (*found[:_MOST_FIELDS], f"and {more} more") if more > 0 else tuple(found)


def _plain(decision: Decision) -> Any:
    return msgspec.json.decode(canonical(decision))


def _paths(path: str, stored: Any, decided: Any) -> Iterator[str]:
    if isinstance(stored, dict) and isinstance(decided, dict):
        for name in {**stored, **decided}:
            yield from _paths(f"{path}.{name}" if path else name, stored.get(name), decided.get(name))
    elif isinstance(stored, list) and isinstance(decided, list) and len(stored) == len(decided):
        for index, (one, other) in enumerate(zip(stored, decided, strict=True)):
            yield from _paths(f"{path}[{index}]", one, other)
    elif stored != decided:
        yield f"{path}: {msgspec.json.encode(stored).decode()} -> {msgspec.json.encode(decided).decode()}"
