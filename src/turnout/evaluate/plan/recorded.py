"""The decisions of a ledger's last days, each with the calls that followed it, a batch at a time.

Decisions come in the order of their time. They are written a little out of that order where several processes share a
ledger, so that two batches are kept back and sorted; what was written later still comes where it stands.

Known limitations: decisions that were written more than some thousand rows late are not put in their place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from turnout.core.policy import Policy
from turnout.evaluate.counterfactual import paired
from turnout.evaluate.plan.errors import PlanError
from turnout.trace.events import CallEvent, DecisionEvent
from turnout.trace.store import selection
from turnout.trace.store.encode import CALL_COLUMNS, call_of
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.selection import Filter

DAY_MS = 86_400_000

_CHUNK = 250
_GROUPS = """
    SELECT policy_hash, simulated, count(*), min(started_ms), max(started_ms) FROM decisions
    WHERE started_ms >= ? AND (? IS NULL OR run = ?) GROUP BY policy_hash, simulated
"""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Which decisions are replayed.

    Attributes:
        since_ms: From when on, in milliseconds since the epoch: the beginning of a day (UTC).
        first_ms: When the first of them was made.
        last_ms: When the last of them was made.
        decisions: How many there are.
        simulated: Whether they are those of simulated models; others are replayed wherever there are any.
        left_out: Decisions of simulated models that are left out.
        run: Only those of this run; none: all.
        policies: The policies that decided, the most frequent one first.
    """

    since_ms: int
    first_ms: int
    last_ms: int
    decisions: int
    simulated: bool
    left_out: int
    run: str | None
    policies: tuple[Policy, ...]

    @property
    def first_day(self) -> str:
        """The day of the first decision, such as 2026-11-17."""
        return _day(self.first_ms)

    @property
    def last_day(self) -> str:
        """The day of the last decision."""
        return _day(self.last_ms)

    @property
    def days(self) -> int:
        """From the first day to the last one, both included."""
        return self.last_ms // DAY_MS - self.first_ms // DAY_MS + 1


class Recorded(NamedTuple):
    """A decision, the calls for an answer that followed it, and those of the classifier that it waited for."""

    event: DecisionEvent
    answers: Sequence[CallEvent]
    classifier: Sequence[CallEvent]


class _Time(NamedTuple):
    """A decision of which no more than its time and place is read."""

    event_id: str
    started_ms: int


def window_of(ledger: Ledger, days: int, run: str | None = None) -> Window:
    """The last days of a ledger, counted back from its newest decision.

    Args:
        ledger: An open one.
        days: How many days (UTC), that of the newest decision included.
        run: Only this run's decisions.

    Raises:
        PlanError: There is no decision.
        LedgerError: The ledger cannot be read.
    """
    newest = ledger.select("SELECT max(started_ms) FROM decisions WHERE ? IS NULL OR run = ?", (run, run))[0][0]
    if newest is None:
        where = "" if run is None else f" in the run {run!r}"
        raise PlanError(
            f"there is nothing to replay: the ledger {ledger.path} holds no decision{where}; "
            "route some requests first, or name another ledger with --ledger"
        )
    since_ms = (newest // DAY_MS - days + 1) * DAY_MS
    groups = ledger.select(_GROUPS, (since_ms, run, run))
    real = [group for group in groups if not group[1]]
    chosen = real or groups
    often: defaultdict[str, int] = defaultdict(int)
    for known, _, count, _, _ in chosen:
        often[known] += count
    return Window(
        since_ms=since_ms,
        first_ms=min(group[3] for group in chosen),
        last_ms=max(group[4] for group in chosen),
        decisions=sum(often.values()),
        simulated=not real,
        left_out=sum(group[2] for group in groups) - sum(often.values()),
        run=run,
        policies=tuple([_policy(ledger, known) for known in sorted(often, key=lambda one: (-often[one], one))]),
    )


def recorded(ledger: Ledger, window: Window) -> Iterator[list[Recorded]]:
    """The window's decisions with their calls, a batch at a time.

    Raises:
        LedgerError: An event cannot be read.
    """
    waiting: list[DecisionEvent] = []
    for events in selection.decisions(ledger, Filter(run=window.run, since_ms=window.since_ms)):
        waiting += [event for event in events if event.simulated == window.simulated]
        waiting.sort(key=lambda event: event.started_ms)
        if len(waiting) > 2 * selection.BATCH:
            ready, waiting = waiting[: selection.BATCH], waiting[selection.BATCH :]
            yield _with_calls(ledger, ready)
    while waiting:
        ready, waiting = waiting[: selection.BATCH], waiting[selection.BATCH :]
        yield _with_calls(ledger, ready)


def _with_calls(ledger: Ledger, events: Sequence[DecisionEvent]) -> list[Recorded]:
    turns: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for event in events:
        turns[event.run][event.turn_id] = None
    answers: defaultdict[str, list[CallEvent]] = defaultdict(list)
    classifier: defaultdict[str, list[CallEvent]] = defaultdict(list)
    for run, ids in turns.items():
        listed = list(ids)
        for start in range(0, len(listed), _CHUNK):
            _match(ledger, run, listed[start : start + _CHUNK], answers, classifier)
    return [Recorded(event, answers.get(event.event_id, ()), classifier.get(event.event_id, ())) for event in events]


def _match(
    ledger: Ledger,
    run: str,
    turns: Sequence[str],
    answers: defaultdict[str, list[CallEvent]],
    classifier: defaultdict[str, list[CallEvent]],
) -> None:
    """Give each call of these turns to the decision that it follows."""
    marks = ", ".join("?" * len(turns))
    calls: defaultdict[str, list[CallEvent]] = defaultdict(list)
    for row in _rows(ledger, CALL_COLUMNS, "calls", marks, [run, *turns]):
        call = call_of(row)
        calls[call.turn_id].append(call)
    times: defaultdict[str, list[_Time]] = defaultdict(list)
    asked: defaultdict[str, list[_Time]] = defaultdict(list)
    columns = ("turn_id", "event_id", "started_ms", "model")
    for turn, event_id, started_ms, model in _rows(ledger, columns, "decisions", marks, [run, *turns]):
        asked[turn].append(_Time(event_id, started_ms))
        if model is not None:
            times[turn].append(_Time(event_id, started_ms))
    for turn, made in calls.items():
        for call, decision in paired([one for one in made if one.role == "answer"], times[turn]):
            answers[decision.event_id].append(call)
        # The first decision of a turn asks; the number of its calls says nothing of that of decisions.
        for call in made:
            if call.role == "classifier" and asked[turn]:
                before = [one for one in asked[turn] if one.started_ms <= call.started_ms]
                classifier[(before or asked[turn])[-1 if before else 0].event_id].append(call)


def _rows(ledger: Ledger, columns: Sequence[str], table: str, marks: str, values: Sequence[Any]) -> list[Any]:
    return ledger.select(
        f"SELECT {', '.join(columns)} FROM {table} WHERE run = ? AND turn_id IN ({marks}) "
        "ORDER BY started_ms, sequence",
        values,
    )


def _policy(ledger: Ledger, known: str) -> Policy:
    rows = ledger.select("SELECT json FROM snapshots WHERE hash = ?", (known,))
    if not rows:
        raise PlanError(f"the policy {known} is missing in the ledger {ledger.path}: it is damaged")
    return msgspec.json.decode(rows[0][0], type=Policy)


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d")
