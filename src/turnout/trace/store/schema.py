"""The ledger's tables, and how an older ledger is brought up to them.

`MIGRATIONS` is a list of steps; step n brings ``PRAGMA user_version`` from n-1 to n. A step that was released is never
changed: a change is a new step. The JSON of decisions and snapshots is part of the schema, so a change of the core's
values that older versions cannot read is a new step too, even where no table changes.

Tokens and money (pico-USD) are INTEGER columns, and a CHECK holds each row's sums to be integers: SQL sums over them
are exact. Such a sum must stay below 2**63, which is 9.2 million USD.
"""

from __future__ import annotations

import sqlite3

APPLICATION_ID = 0x54524E54
"""SQLite's application id of a ledger: ``TRNT``."""

PAGE_BYTES = 8192
"""Page size of a new ledger: of SQLite's default of 4,096 bytes the row of a decision would waste a good third."""

_FIRST = (
    """
    CREATE TABLE runs (
        name TEXT NOT NULL PRIMARY KEY,
        created_ms INTEGER NOT NULL,
        simulated INTEGER NOT NULL DEFAULT 0,
        note TEXT NOT NULL DEFAULT '',
        labels TEXT NOT NULL DEFAULT '{}'
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE calls (
        sequence INTEGER PRIMARY KEY,
        event_id TEXT NOT NULL UNIQUE,
        run TEXT NOT NULL,
        session_id TEXT NOT NULL,
        turn_id TEXT NOT NULL,
        query_id TEXT NOT NULL,
        trace_id TEXT NOT NULL,
        span_id TEXT NOT NULL,
        role TEXT NOT NULL,
        model TEXT NOT NULL,
        classifier TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        started_ms INTEGER NOT NULL,
        latency_ms REAL NOT NULL,
        first_content_ms REAL,
        input_tokens INTEGER NOT NULL,
        cache_read_tokens INTEGER NOT NULL,
        cache_write_5m_tokens INTEGER NOT NULL,
        cache_write_1h_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        reasoning_tokens INTEGER NOT NULL,
        usage_source TEXT NOT NULL,
        input_pico INTEGER NOT NULL,
        cache_read_pico INTEGER NOT NULL,
        cache_write_5m_pico INTEGER NOT NULL,
        cache_write_1h_pico INTEGER NOT NULL,
        output_pico INTEGER NOT NULL,
        cost_high_pico INTEGER NOT NULL,
        status TEXT NOT NULL,
        error TEXT NOT NULL,
        finish_reason TEXT NOT NULL,
        streamed INTEGER NOT NULL,
        simulated INTEGER NOT NULL,
        cost_pico INTEGER GENERATED ALWAYS AS
            (input_pico + cache_read_pico + cache_write_5m_pico + cache_write_1h_pico + output_pico) VIRTUAL,
        CHECK (typeof(input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens
            + output_tokens + reasoning_tokens) = 'integer'),
        CHECK (typeof(input_pico + cache_read_pico + cache_write_5m_pico + cache_write_1h_pico
            + output_pico + cost_high_pico) = 'integer')
    )
    """,
    "CREATE INDEX calls_by_turn ON calls (run, turn_id)",
    """
    CREATE TABLE decisions (
        sequence INTEGER PRIMARY KEY,
        event_id TEXT NOT NULL UNIQUE,
        run TEXT NOT NULL,
        session_id TEXT NOT NULL,
        turn_id TEXT NOT NULL,
        query_id TEXT NOT NULL,
        trace_id TEXT NOT NULL,
        span_id TEXT NOT NULL,
        started_ms INTEGER NOT NULL,
        latency_ms REAL NOT NULL,
        classifier_ms REAL NOT NULL,
        simulated INTEGER NOT NULL,
        model TEXT,
        reason TEXT NOT NULL,
        runner_up TEXT,
        expected_pico INTEGER,
        classifier TEXT,
        label TEXT,
        p_simple REAL,
        failure TEXT,
        policy_hash TEXT NOT NULL,
        catalog_hash TEXT NOT NULL,
        given TEXT NOT NULL,
        decision TEXT NOT NULL
    )
    """,
    "CREATE INDEX decisions_by_turn ON decisions (run, turn_id)",
    """
    CREATE TABLE snapshots (
        hash TEXT NOT NULL PRIMARY KEY,
        kind TEXT NOT NULL,
        json TEXT NOT NULL
    )
    """,
    f"PRAGMA application_id = {APPLICATION_ID}",
)

_PACKED: tuple[str, ...] = ()
"""From here on ``decisions.given`` and ``decisions.decision`` may hold packed JSON (`turnout.trace.store.pack`),
which older versions cannot read. No table changes: rows that are there stay text, and a value's type tells the two
apart."""

# Until then ``span_id`` named the span that an event was recorded in, since events had no spans of their own.
_PARENT_SPANS = tuple(
    statement.format(table=table)
    for table in ("calls", "decisions")
    for statement in (
        "ALTER TABLE {table} ADD COLUMN parent_span_id TEXT NOT NULL DEFAULT ''",
        "UPDATE {table} SET parent_span_id = span_id, span_id = '' WHERE span_id != ''",
    )
)

_KEYS = (
    "ALTER TABLE calls ADD COLUMN key_id TEXT NOT NULL DEFAULT ''",
    # For what each key has spent since a time; calls that came without a key have no part in it.
    "CREATE INDEX calls_by_key ON calls (started_ms) WHERE key_id != ''",
)

_TOGETHER: tuple[str, ...] = ()
"""From here on ``decisions.given`` may hold the decision's JSON too, packed with the input's, and then
``decisions.decision`` has no bytes, which older versions cannot read. No table changes."""

_BESIDE_TURNS: tuple[str, ...] = ()
"""From here on ``calls.role`` may be ``shadow`` or ``judge``, whose figures older versions would add to turns. No table
changes."""

_UNLIKENESS: tuple[str, ...] = ()
"""From here on a verdict may say how unlike a request is those of the calibration, and a decision's reason may be
``unlike_calibration``, which older versions cannot read. No table changes."""

_PACKS = (
    # What a decision says the one before it said too, so that many packed as one are smaller, and packed sooner.
    """
    CREATE TABLE packs (
        number INTEGER PRIMARY KEY,
        json BLOB NOT NULL
    )
    """,
    "ALTER TABLE decisions ADD COLUMN place INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE decisions ADD COLUMN pack INTEGER",
)
"""From here on a decision's JSON may stand in a pack, at its place there; ``given`` then has no bytes."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    _FIRST,
    _PACKED,
    _PARENT_SPANS,
    _KEYS,
    _TOGETHER,
    _BESIDE_TURNS,
    _UNLIKENESS,
    _PACKS,
)
"""The steps from an empty file to the newest schema, each a tuple of SQL statements."""

SCHEMA_VERSION = len(MIGRATIONS)
"""The newest schema that this version of Turnout knows."""


def stored_version(connection: sqlite3.Connection) -> int | None:
    """The schema version of an open database: 0 for an empty one, none where it is not a ledger."""
    # In this order: another process may be making the tables, and sets the id in the same transaction.
    tables: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application_id = _pragma(connection, "application_id")
    if application_id == 0 and tables == 0:
        return 0
    return _pragma(connection, "user_version") if application_id == APPLICATION_ID else None


def migrate(connection: sqlite3.Connection) -> None:
    """Take the steps that a database has not taken yet, all of them or none.

    The connection must be in autocommit mode. Another process that does the same at the same time is waited for.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for version in range(_pragma(connection, "user_version"), SCHEMA_VERSION):
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
