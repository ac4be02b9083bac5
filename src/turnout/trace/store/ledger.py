"""The ledger: the durable store of events, one SQLite file that several processes may write at the same time.

Writing is by transactions in write-ahead mode with ``synchronous = NORMAL``: what was committed survives the death of
the process by any signal; a loss of power can cost the last commits and never damages the file. Events are known by
their id, so an event that is written twice is kept once. How threads and forks are treated:
`turnout.trace.store.database`.

Known limitations: write-ahead mode needs a local file system.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from turnout.core.catalog import Catalog, unknown
from turnout.core.policy import Policy
from turnout.trace.closing import Closing
from turnout.trace.errors import EventError, LedgerError
from turnout.trace.events import CallEvent, DecisionEvent, Event
from turnout.trace.store.database import BAD_VALUE, Database
from turnout.trace.store.decisions import DecisionReader, Select, numbered, packings
from turnout.trace.store.encode import CALL_COLUMNS, DECISION_COLUMNS, Row, call_of, call_row, canonical
from turnout.trace.store.inserting import Insert
from turnout.trace.store.spill import read_spill, spilled

logger = logging.getLogger(__name__)

_CALLS = Insert("calls", CALL_COLUMNS, "ON CONFLICT (event_id) DO NOTHING")
_DECISIONS = Insert("decisions", DECISION_COLUMNS, "ON CONFLICT (event_id) DO NOTHING")
_INSERT_SNAPSHOT = "INSERT INTO snapshots (hash, kind, json) VALUES (?, ?, ?) ON CONFLICT (hash) DO NOTHING"
_INSERT_RUN = """
    INSERT INTO runs (name, created_ms, simulated) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE
    SET created_ms = min(created_ms, excluded.created_ms), simulated = max(simulated, excluded.simulated)
    WHERE excluded.created_ms < created_ms OR excluded.simulated > simulated
"""
_SELECT_RUNS = """
    SELECT name, created_ms, simulated, note, labels,
        (SELECT count(*) FROM calls WHERE run = name), (SELECT count(*) FROM decisions WHERE run = name)
    FROM runs ORDER BY created_ms, name
"""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A named set of events.

    Attributes:
        name: Its name.
        created_ms: When its first event started, or when it was described, in milliseconds since the epoch.
        simulated: Whether any of its models was simulated.
        note: What somebody wrote about it.
        labels: Names and values, such as the version of an agent.
        calls: How many calls it has.
        decisions: How many decisions it has.
    """

    name: str
    created_ms: int
    simulated: bool = False
    note: str = ""
    labels: dict[str, str] = {}
    calls: int = 0
    decisions: int = 0


class Ledger(Closing):
    """An open ledger; a context manager that closes it.

    Args:
        path: The file; missing directories are made.
        create: Whether a missing file is made, or is an error.
        read_only: Never write, not even a migration.
        busy_timeout_s: How many seconds to wait for another process's lock.

    Raises:
        LedgerError: It cannot be opened or written, is no ledger, or has a newer schema.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, create: bool = True, read_only: bool = False, busy_timeout_s: float = 5.0
    ) -> None:
        self._database = Database(path, create=create, read_only=read_only, busy_timeout_s=busy_timeout_s)
        self.path = self._database.path
        self._reader = DecisionReader(self.path)
        if not read_only:
            self._take_in_spilled()

    def close(self) -> None:
        """Close it; a second time does nothing."""
        self._database.close()

    def append(self, events: Iterable[Event]) -> int:
        """Write events in one transaction: all of them or none.

        Returns:
            How many were new. An event whose id the ledger has is left as it is.

        Raises:
            EventError: One of the events can be held by no ledger.
            LedgerError: The ledger cannot be written now.
        """
        calls: list[Row] = []
        decisions: list[DecisionEvent] = []
        snapshots: dict[str, tuple[str, Policy | Catalog]] = {}
        runs: dict[str, tuple[int, bool]] = {}
        try:
            for event in events:
                if isinstance(event, CallEvent):
                    calls.append(call_row(event))
                else:
                    policy, catalog = event.given.policy, event.given.catalog
                    policy_hash, catalog_hash = policy.content_hash, catalog.content_hash
                    snapshots[policy_hash], snapshots[catalog_hash] = ("policy", policy), ("catalog", catalog)
                    decisions.append(event)
                created_ms, simulated = runs.get(event.run, (event.started_ms, False))
                runs[event.run] = min(created_ms, event.started_ms), simulated or event.simulated
            if not runs:
                return 0
            packed = list(packings(decisions))
            with self._database.write() as connection:
                rows = numbered(connection, packed)
                before = connection.total_changes
                _CALLS.write(connection, calls)
                _DECISIONS.write(connection, rows)
                written = connection.total_changes - before
                connection.executemany(
                    _INSERT_SNAPSHOT,
                    [(known, kind, canonical(value).decode()) for known, (kind, value) in snapshots.items()],
                )
                connection.executemany(_INSERT_RUN, [(name, *values) for name, values in runs.items()])
                return written
        except BAD_VALUE as error:
            whose = f"one of {len(calls) + len(decisions)} events" if len(calls) + len(decisions) > 1 else "the event"
            raise EventError(f"{whose} cannot be kept in a ledger ({type(error).__name__}: {error})") from error

    def take_in(self, path: Path) -> int:
        """Write the events of a file that a recorder left because the ledger could not be written.

        The file stays. Taking it in twice changes nothing.

        Returns:
            How many events were new.

        Raises:
            LedgerError: The file cannot be read or the ledger cannot be written; then no event was written.
        """
        return self.append(read_spill(path))

    def describe(self, run: str, *, note: str | None = None, labels: Mapping[str, str] | None = None) -> None:
        """Set the note or the labels of a run, which need not have events yet.

        Raises:
            LedgerError: The ledger cannot be written.
        """
        try:
            with self._database.write() as connection:
                connection.execute(
                    "INSERT INTO runs (name, created_ms) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
                    (run, time.time_ns() // 1_000_000),
                )
                if note is not None:
                    connection.execute("UPDATE runs SET note = ? WHERE name = ?", (note, run))
                if labels is not None:
                    text = msgspec.json.encode(dict(labels), order="deterministic").decode()
                    connection.execute("UPDATE runs SET labels = ? WHERE name = ?", (text, run))
        except BAD_VALUE as error:
            raise LedgerError(f"a run cannot be described so ({error}): use plain text") from error

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        return [
            Run(
                name=name,
                created_ms=created_ms,
                simulated=bool(simulated),
                note=note,
                labels=msgspec.json.decode(labels, type=dict[str, str]),
                calls=calls,
                decisions=decisions,
            )
            for name, created_ms, simulated, note, labels, calls, decisions in self.select(_SELECT_RUNS)
        ]

    def run(self, name: str) -> Run:
        """The run of that name.

        Raises:
            LedgerError: There is none; the message names the nearest one.
        """
        runs = {run.name: run for run in self.runs()}
        if name not in runs:
            raise LedgerError(f"{unknown('run', name, runs)} (ledger {self.path})")
        return runs[name]

    def calls(self, *, run: str | None = None, turn: str | None = None, query: str | None = None) -> list[CallEvent]:
        """The calls of a run, a turn or a query, in the order in which they started."""
        where, values = _where(run, turn, query)
        rows = self.select(f"SELECT {', '.join(CALL_COLUMNS)} FROM calls{where}", values)
        return [call_of(row) for row in rows]

    def decisions(
        self, *, run: str | None = None, turn: str | None = None, query: str | None = None
    ) -> list[DecisionEvent]:
        """The decisions of a run, a turn or a query, in the order in which they started."""
        where, values = _where(run, turn, query)
        return self._decisions(where, values)

    def decision(self, event_id: str) -> DecisionEvent:
        """The decision with that id: all that it was made from, so that it can be made again.

        Raises:
            LedgerError: There is none.
        """
        found = self._decisions(" WHERE event_id = ?", (event_id,))
        if not found:
            raise LedgerError(
                f"no decision has the id {event_id!r} in the ledger {self.path}: list them by run or turn"
            )
        return found[0]

    @contextmanager
    def reading(self) -> Iterator[Select]:
        """Give a `select` whose queries all see the same state, whatever is written meanwhile.

        Raises:
            LedgerError: The ledger cannot be read.
        """
        with self._database.read() as connection:
            yield lambda sql, values=(): connection.execute(sql, values).fetchall()

    def select(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """The rows that a query gives; for modules that read the ledger's tables (`turnout.trace.store.schema`).

        Raises:
            LedgerError: The ledger cannot be read.
        """
        with self._database.use() as connection:
            return connection.execute(sql, values).fetchall()

    def _take_in_spilled(self) -> None:
        for path in spilled(self.path):
            try:
                written = self.take_in(path)
                path.unlink(missing_ok=True)
            except (LedgerError, OSError) as error:
                logger.warning("path=<%s>, error=<%s> | unwritten events were not taken in", path, error)
            else:
                logger.info("path=<%s>, events=<%d> | unwritten events were taken in", path, written)

    def _decisions(self, where: str, values: Sequence[Any]) -> list[DecisionEvent]:
        with self.reading() as select:
            rows = select(f"SELECT {', '.join(DECISION_COLUMNS)} FROM decisions{where}", values)
            return self._reader.read(select, rows)


def _where(run: str | None, turn: str | None, query: str | None) -> tuple[str, list[str]]:
    given = {"run": run, "turn_id": turn, "query_id": query}
    named = {column: value for column, value in given.items() if value is not None}
    conditions = " AND ".join(f"{column} = ?" for column in named)
    return (f" WHERE {conditions}" if named else "") + " ORDER BY started_ms, sequence", list(named.values())
