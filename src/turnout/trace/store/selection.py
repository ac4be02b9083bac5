"""Which events are meant, read from the ledger a batch at a time, so that a million of them need no memory.

Calls and decisions each come in the order in which they were written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

import msgspec

from turnout.core.catalog import unknown
from turnout.core.verdict import UsageSource
from turnout.trace.errors import LedgerError
from turnout.trace.events import CallEvent, DecisionEvent
from turnout.trace.store.decisions import DecisionReader, Select
from turnout.trace.store.encode import CALL_COLUMNS, DECISION_COLUMNS, Row, call_of
from turnout.trace.store.ledger import Ledger

BATCH = 1_000
"""How many rows are read at a time."""

STATUSES = ("ok", "error", "cancelled", "refused")
"""How an event may have ended: the first three are a call's, ``refused`` is a decision's; ``ok`` may be either's."""

Table = Literal["calls", "decisions"]
"""A table of events."""

_Event = TypeVar("_Event")

_TABLES: tuple[Table, ...] = ("decisions", "calls")
_WINDOW = 1_000
_AGE = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_LONGEST_MS = 100 * 366 * _UNIT_MS["d"]


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are meant; what is none does not narrow.

    Attributes:
        run: Only this run's.
        model: Only calls to this model and decisions for it (a catalog id).
        status: Only those that ended so (`STATUSES`).
        since_ms: Only those that started then or later, in milliseconds since the epoch.

    Raises:
        LedgerError: The status is none of those.
    """

    run: str | None = None
    model: str | None = None
    status: str | None = None
    since_ms: int | None = None

    def __post_init__(self) -> None:
        if self.status is not None and self.status not in STATUSES:
            raise LedgerError(f"{unknown('status', self.status, STATUSES)}; one of {', '.join(STATUSES)}")

    def where(self, table: Table) -> tuple[str, list[Any]]:
        """The condition in SQL, and its values."""
        conditions: list[str] = ["1"]
        values: list[Any] = []
        for column, value in (("run", self.run), ("model", self.model)):
            if value is not None:
                # The plus keeps SQLite from an index: rows are wanted in the order of the table, batch after batch.
                conditions.append(f"+{column} = ?")
                values.append(value)
        if self.since_ms is not None:
            conditions.append("started_ms >= ?")
            values.append(self.since_ms)
        if self.status is not None:
            if table == "calls":
                conditions.append("status = ?")
                values.append(self.status)
            else:
                conditions.append({"ok": "model IS NOT NULL", "refused": "model IS NULL"}.get(self.status, "0"))
        return " AND ".join(conditions), values


class EventLine(msgspec.Struct, frozen=True, kw_only=True):
    """One event in a list.

    Attributes:
        started_ms: Milliseconds since the epoch.
        kind: ``answer`` or ``classifier`` for a call, ``decision`` for a decision.
        event_id: Its id.
        run: Its run.
        turn_id: Its turn.
        query_id: The caller's name of the query, or empty.
        model: The model that was called or chosen; none for a refusal.
        status: How it ended (`STATUSES`).
        detail: A call's error or finish reason; a decision's reason.
        cost_pico: What a call cost at least, in pico-USD; none for a decision.
        cost_high_pico: What it cost at most, where that is known; none for a decision.
        usage_source: Where its usage comes from; none for a decision.
        error: A call's error, or empty.
        prompt_tokens: A call's whole prompt.
        output_tokens: A call's output.
        simulated: Whether the model was simulated.
    """

    started_ms: int
    kind: str
    event_id: str
    run: str
    turn_id: str
    query_id: str
    model: str | None
    status: str
    detail: str
    cost_pico: int | None = None
    cost_high_pico: int | None = None
    usage_source: UsageSource | None = None
    error: str = ""
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    simulated: bool


_LINES: dict[Table, str] = {
    "calls": """
        role, event_id, run, turn_id, query_id, model, status, iif(error = '', finish_reason, error), cost_pico,
        cost_high_pico, usage_source, error,
        input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens, output_tokens, simulated
    """,
    "decisions": """
        'decision', event_id, run, turn_id, query_id, model, iif(model IS NULL, 'refused', 'ok'), reason, NULL,
        NULL, NULL, '', NULL, NULL, simulated
    """,
}


def newest(ledger: Ledger, chosen: Filter, limit: int) -> list[EventLine]:
    """The newest events that are meant, at most so many, oldest first.

    They are looked for among the events that were written last, `_WINDOW` at least: writing follows time but for those
    that had to wait.
    """
    lines: list[EventLine] = []
    for table in _TABLES:
        where, values = chosen.where(table)
        rows = ledger.select(
            f"SELECT started_ms, {_LINES[table]} FROM {table} WHERE {where} ORDER BY sequence DESC LIMIT ?",
            [*values, max(limit, _WINDOW)],
        )
        lines += [
            EventLine(**dict(zip(EventLine.__struct_fields__, (*row[:-1], bool(row[-1])), strict=True)))
            for row in reversed(rows)
        ]
    # A decision that began in the same millisecond as a call came before it.
    lines.sort(key=lambda line: (line.started_ms, line.kind != "decision"))
    return lines[-limit:]


def count(ledger: Ledger, chosen: Filter, table: Table) -> int:
    """How many rows of a table are meant."""
    where, values = chosen.where(table)
    return int(ledger.select(f"SELECT count(*) FROM {table} WHERE {where}", values)[0][0])


def calls(ledger: Ledger, chosen: Filter) -> Iterator[list[CallEvent]]:
    """The calls that are meant, a batch at a time."""
    return _batches(ledger, chosen, "calls", CALL_COLUMNS, lambda select, rows: [call_of(row) for row in rows])


def decisions(ledger: Ledger, chosen: Filter) -> Iterator[list[DecisionEvent]]:
    """The decisions that are meant, a batch at a time.

    Raises:
        LedgerError: A decision cannot be read, or a snapshot that it needs is missing.
    """
    return _batches(ledger, chosen, "decisions", DECISION_COLUMNS, DecisionReader(ledger.path).read)


def since(text: str, now_ms: int) -> int:
    """Milliseconds since the epoch for an age such as ``90m``, ``36h``, ``30d``, or a date or time such as 2026-11-23.

    A time without a zone is one of UTC.

    Raises:
        LedgerError: It is neither.
    """
    if _AGE.fullmatch(text):
        return now_ms - age_ms(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise LedgerError(
            f"{text!r} is no age (90m, 36h, 30d, 2w) and no date or time (2026-11-23, 2026-11-23T10:00)"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def age_ms(text: str) -> int:
    """Milliseconds for an age such as ``90m``, ``36h``, ``30d`` or ``2w``.

    Raises:
        LedgerError: It is none, or longer than a century.
    """
    match = _AGE.fullmatch(text)
    if match is None:
        raise LedgerError(f"{text!r} is no age: write a number and s, m, h, d or w, such as 90m, 36h, 30d or 2w")
    milliseconds = float(match.group(1)) * _UNIT_MS[match.group(2)]
    if milliseconds > _LONGEST_MS:
        raise LedgerError(f"an age of {text} is longer than a century: nothing is that old")
    return round(milliseconds)


def _batches(
    ledger: Ledger,
    chosen: Filter,
    table: Table,
    columns: tuple[str, ...],
    read: Callable[[Select, list[Row]], list[_Event]],
) -> Iterator[list[_Event]]:
    where, values = chosen.where(table)
    sql = (
        f"SELECT sequence, {', '.join(columns)} FROM {table} WHERE sequence > ? AND {where} "
        f"ORDER BY sequence LIMIT {BATCH}"
    )
    last = -1
    while True:
        with ledger.reading() as select:
            rows = select(sql, [last, *values])
            events = read(select, [row[1:] for row in rows])
        if not rows:
            return
        yield events
        last = rows[-1][0]
