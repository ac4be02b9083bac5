"""Rows by statements of many rows each, into SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.trace.store.inserting import Insert


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("CREATE TABLE things (sequence INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size INTEGER)")
    yield made
    made.close()


INTO = Insert("things", ("name", "size"), "ON CONFLICT (name) DO NOTHING")


def stored(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    return connection.execute("SELECT name, size FROM things ORDER BY sequence").fetchall()


@given(count=st.integers(0, 700), limit=st.integers(2, 999))
def test_all_rows_are_there_in_their_order(connection: sqlite3.Connection, count: int, limit: int) -> None:
    rows = [(f"n{number}", number) for number in range(count)]
    before = connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, limit)
    connection.execute("BEGIN")
    INTO.write(connection, rows)
    assert stored(connection) == rows
    connection.rollback()
    connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, before)


def test_a_thousand_rows_take_nineteen_statements(connection: sqlite3.Connection) -> None:
    statements: list[str] = []
    connection.set_trace_callback(statements.append)
    connection.execute("BEGIN")
    INTO.write(connection, [(f"n{number}", number) for number in range(1000)])
    connection.set_trace_callback(None)
    connection.rollback()
    assert sum("INTO things" in statement for statement in statements) == 19


def test_a_row_that_is_there_is_left_as_it_is(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    INTO.write(connection, [("a", 1), ("b", 2)])
    INTO.write(connection, [("b", 3), ("c", 4), ("c", 5)])
    assert stored(connection) == [("a", 1), ("b", 2), ("c", 4)]
    connection.rollback()


def test_where_no_row_fits_a_statement_it_is_told() -> None:
    # A connection of its own: one that has run the statement keeps it, whatever the limit is now.
    fresh = sqlite3.connect(":memory:", isolation_level=None)
    fresh.execute("CREATE TABLE things (name TEXT UNIQUE, size INTEGER)")
    fresh.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 1)
    with pytest.raises(sqlite3.OperationalError, match="too many SQL variables"):
        INTO.write(fresh, [("a", 1)])
    fresh.close()


def test_with_a_bad_row_none_is_there(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    with pytest.raises(sqlite3.IntegrityError):
        INTO.write(connection, [("a", 1), (None, 2)])
    assert not connection.in_transaction
    assert stored(connection) == []
