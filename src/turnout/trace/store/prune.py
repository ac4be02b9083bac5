"""Old events out of the ledger, and with them what nothing else uses.

A turn goes whole or not at all: it is old when its newest event is. With the events go the packs, policies and catalogs
that no decision uses any more, and runs that have lost their last event and bear neither note nor labels.

Events go in transactions of `BATCH`, so that those who write meanwhile need not wait long; what is interrupted is a
ledger with fewer events, and the next pruning takes the rest. Deleted rows leave free pages that new events fill; only
``VACUUM`` makes the file smaller, which needs as much free space again and nobody else writing.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec

from turnout.trace.store.database import Database
from turnout.trace.store.decisions import MOST_IN_A_PACK, unpack
from turnout.trace.store.ledger import Ledger

BATCH = 5_000
"""How many events go in one transaction."""

_PACKS_AT_ONCE = BATCH // MOST_IN_A_PACK

Advance = Callable[[int], None]
"""Is told how many events were deleted since the last time."""


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted, or would be.

    Attributes:
        before_ms: Turns whose newest event started before that, in milliseconds since the epoch.
        calls: How many calls.
        decisions: How many decisions.
        cost_pico: What those calls cost, in pico-USD: the low cost where a call's cost is a range.
        runs: Names of the runs that lost their last event, and went too.
        snapshots: How many policies and catalogs nothing used any more.
        dry_run: Whether nothing was deleted.
        bytes_before: Size of the file before.
        bytes_after: Size of the file after.
    """

    before_ms: int
    calls: int
    decisions: int
    cost_pico: int
    runs: tuple[str, ...]
    snapshots: int
    dry_run: bool
    bytes_before: int
    bytes_after: int

    @property
    def events(self) -> int:
        """Calls and decisions together."""
        return self.calls + self.decisions


_OLD = """
    CREATE TEMP TABLE old_{table} AS
    SELECT sequence, run FROM main.{table} AS one WHERE started_ms < :before AND (
        turn_id = ''
        OR NOT EXISTS (SELECT 1 FROM main.calls AS other
            WHERE other.run = one.run AND other.turn_id = one.turn_id AND other.started_ms >= :before)
        AND NOT EXISTS (SELECT 1 FROM main.decisions AS other
            WHERE other.run = one.run AND other.turn_id = one.turn_id AND other.started_ms >= :before)
    ) ORDER BY sequence
"""
_TABLES = ("decisions", "calls")
_EMPTIED = """
    SELECT name FROM main.runs WHERE note = '' AND labels = '{}'
    AND (name IN (SELECT run FROM old_calls) OR name IN (SELECT run FROM old_decisions))
    AND NOT EXISTS (SELECT 1 FROM main.calls WHERE run = name AND sequence NOT IN (SELECT sequence FROM old_calls))
    AND NOT EXISTS (
        SELECT 1 FROM main.decisions WHERE run = name AND sequence NOT IN (SELECT sequence FROM old_decisions)
    )
    ORDER BY name
"""
_UNUSED = """
    SELECT hash FROM main.snapshots WHERE hash NOT IN (
        SELECT policy_hash FROM main.decisions WHERE sequence NOT IN (SELECT sequence FROM old_decisions)
        UNION SELECT catalog_hash FROM main.decisions WHERE sequence NOT IN (SELECT sequence FROM old_decisions)
    )
"""
_SHARED = """
    SELECT DISTINCT pack FROM main.decisions WHERE pack IN (
        SELECT pack FROM main.decisions WHERE pack IS NOT NULL AND sequence IN (SELECT sequence FROM old_decisions)
    ) AND sequence NOT IN (SELECT sequence FROM old_decisions)
"""
_EMPTY_PACKS = """
    DELETE FROM main.packs WHERE number NOT IN (SELECT pack FROM main.decisions WHERE pack IS NOT NULL)
"""
_COST = "SELECT coalesce(sum(cost_pico), 0) FROM main.calls WHERE sequence IN (SELECT sequence FROM old_calls)"
_DELETE = """
    DELETE FROM main.{table} WHERE sequence IN (SELECT sequence FROM old_{table} WHERE rowid > ? AND rowid <= ?)
"""


def prune(
    path: str | os.PathLike[str],
    before_ms: int,
    *,
    dry_run: bool = False,
    vacuum: bool = False,
    advance: Advance = lambda events: None,
) -> Pruned:
    """Delete the turns whose newest event started before that moment.

    Args:
        path: The ledger.
        before_ms: Milliseconds since the epoch.
        dry_run: Only say what would be deleted.
        vacuum: Make the file smaller afterwards.
        advance: Is told of progress.

    Raises:
        LedgerError: There is no such ledger, or it cannot be written.
    """
    if not dry_run:
        # Takes in the events that wait beside the ledger: they may be old too.
        Ledger(path, create=False).close()
    database = Database(path, create=False, read_only=dry_run, busy_timeout_s=30.0)
    try:
        return _prune(database, before_ms, dry_run=dry_run, vacuum=vacuum, advance=advance)
    finally:
        database.close()


def _prune(database: Database, before_ms: int, *, dry_run: bool, vacuum: bool, advance: Advance) -> Pruned:
    size = _size(database.path)
    planned = _plan(database, before_ms)
    if dry_run:
        return msgspec.structs.replace(planned, bytes_before=size, bytes_after=size)
    with database.use() as connection:
        shared = [number for (number,) in connection.execute(_SHARED)]
    for start in range(0, len(shared), _PACKS_AT_ONCE):
        with database.write() as connection:
            # What is deleted shall not be left in a pack that others need: those get their own JSON.
            unpack(connection, shared[start : start + _PACKS_AT_ONCE])
    for table, count in (("decisions", planned.decisions), ("calls", planned.calls)):
        for start in range(0, count, BATCH):
            with database.write() as connection:
                connection.execute(_DELETE.format(table=table), (start, start + BATCH))
            advance(min(BATCH, count - start))
    with database.write() as connection:
        connection.execute(_EMPTY_PACKS)
        # Looked for anew: somebody may have written in the meantime.
        runs = tuple(name for (name,) in connection.execute(_EMPTIED))
        connection.executemany("DELETE FROM main.runs WHERE name = ?", [(name,) for name in runs])
        unused = [(known,) for (known,) in connection.execute(_UNUSED)]
        connection.executemany("DELETE FROM main.snapshots WHERE hash = ?", unused)
    if vacuum:
        with database.use() as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return msgspec.structs.replace(
        planned,
        dry_run=False,
        runs=runs,
        snapshots=len(unused),
        bytes_before=size,
        bytes_after=_size(database.path),
    )


def _plan(database: Database, before_ms: int) -> Pruned:
    """What is old, kept in temporary tables of the connection."""
    with database.use() as connection:
        connection.execute("PRAGMA temp_store = FILE")  # of a large ledger the lists are long
        connection.execute("BEGIN")
        try:
            for table in _TABLES:
                connection.execute(_OLD.format(table=table), {"before": before_ms})
            planned = Pruned(
                before_ms=before_ms,
                calls=_one(connection, "SELECT count(*) FROM old_calls"),
                decisions=_one(connection, "SELECT count(*) FROM old_decisions"),
                cost_pico=_one(connection, _COST),
                runs=tuple(name for (name,) in connection.execute(_EMPTIED)),
                snapshots=len(connection.execute(_UNUSED).fetchall()),
                dry_run=True,
                bytes_before=0,
                bytes_after=0,
            )
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise
    return planned


def _one(connection: sqlite3.Connection, sql: str) -> int:
    return int(connection.execute(sql).fetchone()[0])


def _size(path: Path) -> int:
    """Bytes of the ledger, what stands in its write-ahead log included."""
    return sum(os.stat(name).st_size for name in (path, f"{path}-wal") if os.path.exists(name))
