from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from turnout.trace.store import schema
from turnout.trace.store.encode import CALL_COLUMNS, DECISION_COLUMNS
from turnout.trace.store.schema import APPLICATION_ID, MIGRATIONS, SCHEMA_VERSION, migrate, stored_version


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    yield connection
    connection.close()


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def test_an_empty_file_is_brought_to_the_newest_version(connection: sqlite3.Connection) -> None:
    assert stored_version(connection) == 0
    migrate(connection)
    assert stored_version(connection) == SCHEMA_VERSION == len(MIGRATIONS)
    assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_a_second_migration_changes_nothing(connection: sqlite3.Connection) -> None:
    migrate(connection)
    before = connection.execute("SELECT * FROM sqlite_master").fetchall()
    migrate(connection)
    assert connection.execute("SELECT * FROM sqlite_master").fetchall() == before


def test_tables_have_a_column_for_each_field(connection: sqlite3.Connection) -> None:
    migrate(connection)
    # table_info leaves out the computed cost_pico; sequence is SQLite's own.
    assert _columns(connection, "calls") == ["sequence", *CALL_COLUMNS]
    assert _columns(connection, "decisions") == ["sequence", *DECISION_COLUMNS]


def test_tokens_and_money_must_be_integers(connection: sqlite3.Connection) -> None:
    migrate(connection)
    numbers = [name for name in CALL_COLUMNS if name.endswith(("_tokens", "_pico"))]
    assert len(numbers) == 12
    for name in numbers:
        values = dict.fromkeys(CALL_COLUMNS, 1) | {name: 0.5}
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(
                f"INSERT INTO calls ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                list(values.values()),
            )


def test_a_database_of_another_program_is_told_apart(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE bookmarks (url)")
    assert stored_version(connection) is None


def test_an_older_ledger_takes_the_new_steps_and_keeps_its_rows(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(connection)
    connection.execute("INSERT INTO runs (name, created_ms) VALUES ('kept', 1)")
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, ("ALTER TABLE runs ADD COLUMN owner TEXT DEFAULT 'me'",)))
    monkeypatch.setattr(schema, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    migrate(connection)
    assert stored_version(connection) == SCHEMA_VERSION + 1
    assert connection.execute("SELECT name, owner FROM runs").fetchall() == [("kept", "me")]


def test_the_span_that_an_event_was_recorded_in_becomes_its_parent(connection: sqlite3.Connection) -> None:
    # Until the third step events had no spans of their own.
    for version, statements in enumerate(MIGRATIONS[:2], start=1):
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version}")
    for table in ("calls", "decisions"):
        columns = [column for column in _columns(connection, table) if column != "sequence"]
        for number, span_id in enumerate(("b7ad6b7169203331", "")):
            values = dict.fromkeys(columns, 1) | {"event_id": str(number), "span_id": span_id}
            connection.execute(
                f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                list(values.values()),
            )
    migrate(connection)
    for table in ("calls", "decisions"):
        rows = connection.execute(f"SELECT span_id, parent_span_id FROM {table} ORDER BY event_id").fetchall()
        assert rows == [("", "b7ad6b7169203331"), ("", "")]


def test_calls_of_before_there_were_keys_have_none(connection: sqlite3.Connection) -> None:
    for version, statements in enumerate(MIGRATIONS[:3], start=1):
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version}")
    values = {name: 1 for name in _columns(connection, "calls") if name != "sequence"}
    connection.execute(
        f"INSERT INTO calls ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", list(values.values())
    )
    migrate(connection)
    assert connection.execute("SELECT key_id, cost_pico FROM calls").fetchall() == [("", 5)]


def test_a_step_that_fails_leaves_the_ledger_as_it_was(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(connection)
    monkeypatch.setattr(schema, "MIGRATIONS", (*MIGRATIONS, ("CREATE TABLE half (x)", "no SQL")))
    monkeypatch.setattr(schema, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection)
    assert stored_version(connection) == SCHEMA_VERSION
    assert _columns(connection, "half") == []
