"""Many rows by few statements.

Whenever SQLite runs a statement it lets Python's other threads run, and the thread that waits to go on is woken, in
vain, each time that a busy server's thread reads or writes. So what a statement costs is above all its number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

_SIZES = (64, 16, 4, 1)
"""How many rows a statement takes. For larger ones, whose values no other thread can come between, requests wait."""


class Insert:
    """Inserts rows into a table.

    Args:
        table: Its name.
        columns: Those that the rows have, in their order.
        otherwise: What happens with a row that is there, as SQL says it; where nothing is said, that is an error.
    """

    def __init__(self, table: str, columns: Sequence[str], otherwise: str = "") -> None:
        row = f"({', '.join('?' * len(columns))})"
        # With a bad row the whole transaction is undone anyway: then SQLite need not keep what pages were before the
        # statement.
        into = f"INSERT OR ROLLBACK INTO {table} ({', '.join(columns)}) VALUES"
        self._width = len(columns)
        self._statements = [(size, f"{into} {', '.join([row] * size)} {otherwise}") for size in _SIZES]

    def write(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, in their order.

        Raises:
            sqlite3.Error: They cannot be inserted; the transaction was undone.
        """
        most = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // self._width
        at = 0
        for size, statement in self._statements:
            while len(rows) - at >= size and size <= max(most, 1):
                connection.execute(statement, tuple(chain.from_iterable(rows[at : at + size])))
                at += size
