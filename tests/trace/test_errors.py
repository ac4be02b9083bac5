from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from turnout.trace.errors import EventError, LedgerError, ledger_error

PATH = Path("/data/ledger.db")


def _raised(code: int, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "cause", "remedy"),
    [
        (_raised(sqlite3.SQLITE_BUSY, "database is locked"), "locked by another process (waited 5 s)", "try again"),
        (_raised(sqlite3.SQLITE_READONLY_DIRECTORY, "readonly database"), "cannot be written", "writable"),
        (_raised(sqlite3.SQLITE_CANTOPEN, "unable to open database file"), "cannot be written", "writable"),
        (_raised(sqlite3.SQLITE_FULL, "database or disk is full"), "cannot grow", "free some space"),
        (_raised(sqlite3.SQLITE_CORRUPT, "malformed"), "damaged", "restore a copy"),
        (_raised(sqlite3.SQLITE_NOTADB, "file is not a database"), "no SQLite database", "another file"),
        (_raised(sqlite3.SQLITE_IOERR, "disk I/O\nerror"), "failed (disk I/O error)", "check its disk"),
        (NotADirectoryError(20, "Not a directory", "/data"), "(Not a directory)", "another file"),
    ],
)
def test_every_cause_is_one_line_with_the_path_and_what_to_do(error: Exception, cause: str, remedy: str) -> None:
    message = str(ledger_error(PATH, error, waited_s=5.0))
    assert str(PATH) in message
    assert cause in message
    assert remedy in message
    assert "\n" not in message


def test_an_event_error_is_a_ledger_error() -> None:
    assert issubclass(EventError, LedgerError)
