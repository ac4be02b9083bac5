"""Finds what a person means by an id: an event, a turn, the beginning of either, or ``last``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from turnout.trace.errors import LedgerError
from turnout.trace.events import CallEvent, DecisionEvent, Event
from turnout.trace.store.ledger import Ledger

LAST = "last"
"""Stands for the newest event that a command can show."""

Kind = Literal["call", "decision", "turn"]
"""What an id names."""

_TABLES: dict[Kind, str] = {"call": "calls", "decision": "decisions"}
_MOST_NAMED = 3
_AFTER_ALL = "\U0010ffff"


class Found(NamedTuple):
    """What an id names, and the id in full."""

    kind: Kind
    id: str


class Deciding(NamedTuple):
    """A decision, the other decisions of its turn, and the turn's calls, each in the order in which they started."""

    decision: DecisionEvent
    others: tuple[DecisionEvent, ...]
    calls: tuple[CallEvent, ...]


def find(ledger: Ledger, wanted: str, *, kinds: Sequence[Kind] = ("call", "decision", "turn")) -> Found:
    """What ``wanted`` names.

    Args:
        ledger: Where to look.
        wanted: The id of an event or a turn, the beginning of one that no other shares, or ``last``.
        kinds: What may be found; ``last`` looks for the newest of the first kind that is no turn, or of both.

    Raises:
        LedgerError: Nothing has that id, or several do; the message names them.
    """
    if wanted == LAST:
        return _newest(ledger, [kind for kind in kinds if kind != "turn"])
    if not wanted:
        raise LedgerError(f"an empty id names nothing in the ledger {ledger.path}: `turnout ledger list --events`")
    exact = [Found(kind, wanted) for kind in kinds if _exists(ledger, kind, wanted)]
    if exact:
        return exact[0]
    found = [one for kind in kinds for one in _beginning(ledger, kind, wanted)]
    if not found:
        nearest = _nearest(ledger, kinds, wanted)
        named = "" if nearest is None else f"the nearest is the {nearest.kind} {nearest.id}; "
        raise LedgerError(
            f"no {_words(kinds)} in the ledger {ledger.path} has an id that begins with {wanted!r}: "
            f"{named}`turnout ledger list --events` lists them"
        )
    if len(found) > 1:
        named = ", ".join(f"{one.kind} {one.id}" for one in found[:_MOST_NAMED])
        more = ", ..." if len(found) > _MOST_NAMED else ""
        raise LedgerError(f"several ids begin with {wanted!r}: {named}{more}; give more of the one that you mean")
    return found[0]


def deciding(ledger: Ledger, wanted: str) -> Deciding:
    """The decision that ``wanted`` names, with what belongs to its turn.

    Of a turn, a call's turn or the ``last`` turn, it is the last decision that was free to choose: not that of a hard
    stay.

    Raises:
        LedgerError: Nothing has that id, several do, or nothing was decided there.
    """
    kinds: tuple[Kind, ...] = ("decision",) if wanted == LAST else ("decision", "turn", "call")
    found = find(ledger, wanted, kinds=kinds)
    if found.kind == "decision" and wanted != LAST:
        chosen = ledger.decision(found.id)
        turn, run = chosen.turn_id, chosen.run
    else:
        column = "turn_id" if found.kind == "turn" else "event_id"
        turn, run = _place(ledger, column, found.id)
        decisions = ledger.decisions(run=run, turn=turn)
        if not decisions:
            raise LedgerError(f"nothing was decided in the turn {turn!r}: its calls were not routed")
        free = [one for one in decisions if one.decision.reason != "hard_stay"]
        chosen = (free or decisions)[-1]
    others = [one for one in ledger.decisions(run=run, turn=turn) if one.event_id != chosen.event_id]
    return Deciding(chosen, tuple(others), tuple(ledger.calls(run=run, turn=turn)))


def events_of(ledger: Ledger, found: Found) -> list[Event]:
    """The event that was found, or all events of the turn, decisions first.

    Raises:
        LedgerError: It cannot be read.
    """
    if found.kind == "decision":
        return [ledger.decision(found.id)]
    turn, run = _place(ledger, "turn_id" if found.kind == "turn" else "event_id", found.id)
    calls = ledger.calls(run=run, turn=turn)
    if found.kind == "call":
        return [call for call in calls if call.event_id == found.id]
    return [*ledger.decisions(run=run, turn=turn), *calls]


def _newest(ledger: Ledger, kinds: Sequence[Kind]) -> Found:
    newest: list[tuple[int, int, Found]] = []
    for place, kind in enumerate(kinds):
        # Sequences ascend with writing, and writing follows in time but for what waited: the last thousand hold it.
        rows = ledger.select(
            f"SELECT started_ms, sequence, event_id FROM (SELECT * FROM {_TABLES[kind]} ORDER BY sequence DESC "
            "LIMIT 1000) ORDER BY started_ms DESC, sequence DESC LIMIT 1"
        )
        newest += [(started_ms, -place, Found(kind, event_id)) for started_ms, _, event_id in rows]
    if not newest:
        raise LedgerError(f"the ledger {ledger.path} holds no {_words(kinds)} yet: `turnout demo` makes some")
    return max(newest)[2]


def _exists(ledger: Ledger, kind: Kind, wanted: str) -> bool:
    if kind == "turn":
        return any(ledger.select(f"SELECT 1 FROM {table} WHERE turn_id = ? LIMIT 1", (wanted,)) for table in _tables())
    return bool(ledger.select(f"SELECT 1 FROM {_TABLES[kind]} WHERE event_id = ?", (wanted,)))


def _beginning(ledger: Ledger, kind: Kind, wanted: str) -> list[Found]:
    column = "turn_id" if kind == "turn" else "event_id"
    tables = _tables() if kind == "turn" else (_TABLES[kind],)
    ids: set[str] = set()
    for table in tables:
        rows = ledger.select(
            f"SELECT DISTINCT {column} FROM {table} WHERE {column} >= ? AND {column} < ? ORDER BY {column} LIMIT ?",
            (wanted, wanted + _AFTER_ALL, _MOST_NAMED + 1),
        )
        ids.update(row[0] for row in rows)
    return [Found(kind, one) for one in sorted(ids)]


def _nearest(ledger: Ledger, kinds: Sequence[Kind], wanted: str) -> Found | None:
    """What has an id that begins with as much of that one as any other; none where nothing begins like it."""
    neighbours: list[tuple[int, Found]] = []
    for kind in kinds:
        column = "turn_id" if kind == "turn" else "event_id"
        for table in _tables() if kind == "turn" else (_TABLES[kind],):
            # In the order of ids, what shares the longest beginning stands right before or right after.
            for side in (
                f"max({column}) FROM {table} WHERE {column} <",
                f"min({column}) FROM {table} WHERE {column} >",
            ):
                [[one]] = ledger.select(f"SELECT {side} ?", (wanted,))
                if one:
                    neighbours.append((_shared(one, wanted), Found(kind, one)))
    shared, nearest = max(neighbours, key=lambda one: one[0], default=(0, None))
    return nearest if shared else None


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _place(ledger: Ledger, column: str, wanted: str) -> tuple[str, str]:
    """Turn and run of that event or turn."""
    for table in _tables():
        rows = ledger.select(f"SELECT turn_id, run FROM {table} WHERE {column} = ? LIMIT 1", (wanted,))
        if rows:
            return rows[0][0], rows[0][1]
    raise LedgerError(f"{wanted!r} is no longer in the ledger {ledger.path}")


def _tables() -> tuple[str, ...]:
    return tuple(_TABLES.values())


def _words(kinds: Sequence[Kind]) -> str:
    return " or ".join(kinds)
