"""Feedback on what the ledger holds: a call, a decision or a whole turn is scored in the trace that Langfuse has of it.

Known limitation: the ledger does not know where a trace was sent. Langfuse takes a score of a trace that it never
gets, and then shows it nowhere.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

from turnout.core.catalog import unknown
from turnout.trace.errors import LedgerError
from turnout.trace.events import Event
from turnout.trace.langfuse.scores import SCORE_PATIENCE, create_score
from turnout.trace.langfuse.settings import LangfuseSettings
from turnout.trace.langfuse.waiting import Cancel, Patience
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.lookup import LAST, Found, events_of, find

DataType = Literal["numeric", "categorical", "boolean"]
"""What a score's value is."""

DATA_TYPES: tuple[DataType, ...] = get_args(DataType)

_TRUE, _FALSE = ("true", "yes"), ("false", "no")


class Scored(NamedTuple):
    """What a score is attached to.

    Attributes:
        kind: ``call``, ``decision`` or ``turn``.
        id: Its id in the ledger.
        trace_id: Its trace.
        observation_id: Its own span in the trace; none: the whole trace is scored.
    """

    kind: str
    id: str
    trace_id: str
    observation_id: str | None


def to_score(ledger: Ledger, wanted: str) -> Scored:
    """What an id of the ledger stands for in Langfuse.

    A call is scored by its generation, a decision by the span of its request, a turn by its trace. ``last`` is the
    newest turn.

    Args:
        ledger: Where to look.
        wanted: The id of an event or a turn, the beginning of one that no other shares, or ``last``.

    Raises:
        LedgerError: Nothing has that id (the message names the nearest), several do, or it has no trace.
    """
    found = find(ledger, wanted)
    if wanted == LAST:
        newest = next(event for event in events_of(ledger, found) if event.event_id == found.id)
        found = Found("turn", newest.turn_id)
    events = events_of(ledger, found)
    traced = [event for event in events if event.trace_id and event.span_id]
    if not traced:
        raise LedgerError(f"the {found.kind} {found.id!r} has no trace to score: {_why(events)}")
    newest = max(traced, key=lambda event: event.started_ms)
    observation_id = None if found.kind == "turn" else newest.span_id
    return Scored(found.kind, found.id, newest.trace_id, observation_id)


def score_value(text: str, data_type: str | None = None) -> float | bool | str:
    """The value of a score from what somebody typed.

    Args:
        text: The value as text.
        data_type: What it is (`DATA_TYPES`). None: ``true`` and ``false`` are boolean, a number is numeric, and any
            other text a category.

    Raises:
        ValueError: It does not fit the type, or there is no such type.
    """
    word = text.strip().lower()
    match data_type:
        case None:
            if word in ("true", "false"):
                return word == "true"
            number = _number(word)
            return _category(text) if number is None else number
        case "boolean":
            if word in (*_TRUE, "1", *_FALSE, "0"):
                return word in (*_TRUE, "1")
            raise ValueError(f"{text!r} is neither true nor false, which a boolean score is")
        case "numeric":
            number = _number(word)
            if number is None:
                raise ValueError(f"{text!r} is no finite number, which a numeric score is, such as 0.8")
            return number
        case "categorical":
            return _category(text)
    raise ValueError(f"{unknown('data type', data_type, DATA_TYPES)}; one of {', '.join(DATA_TYPES)}")


def score_event(
    settings: LangfuseSettings,
    event: Event,
    *,
    name: str,
    value: float | bool | str,
    comment: str | None = None,
    score_id: str | None = None,
    patience: Patience = SCORE_PATIENCE,
    cancel: Cancel | None = None,
) -> str:
    """Score one call or decision in its trace; for the rest see `turnout.trace.langfuse.scores.create_score`.

    Args:
        settings: Where, and with which keys.
        event: What is scored.
        name: What is scored of it, such as ``user-feedback``.
        value: A number; true or false; or a text, which becomes a category.
        comment: The user's own words. They are sent as they are.
        score_id: Its id; default: a new one. The same id again replaces the score instead of adding one.
        patience: How often to try, and for how long.
        cancel: Ends the waiting between tries when it is set.

    Returns:
        The score's id.

    Raises:
        ValueError: The event has no trace, or the name or value cannot be a score's.
        LangfuseError: It was not taken.
    """
    if not event.trace_id or not event.span_id:
        raise ValueError(f"the event {event.event_id!r} has no trace to score: {_why([event])}")
    return create_score(
        settings,
        name=name,
        value=value,
        trace_id=event.trace_id,
        observation_id=event.span_id,
        comment=comment,
        score_id=score_id,
        patience=patience,
        cancel=cancel,
    )


def _why(events: list[Event]) -> str:
    if any(event.trace_id for event in events):
        return "it was not sampled, or recorded by a version of Turnout that gave it no span of its own"
    return "it was recorded while no tracing was switched on"


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _category(text: str) -> str:
    if not text.strip():
        raise ValueError("an empty text is no score")
    return text
