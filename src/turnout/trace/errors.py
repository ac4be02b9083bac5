"""What can go wrong with a ledger, each in one line that says what to do."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class LedgerError(Exception):
    """The ledger cannot be opened, read or written; the message is one line and says what to do."""


class OutdatedLedgerError(LedgerError):
    """A ledger of an older version, opened without the right to bring it up to date."""


class EventError(LedgerError):
    """An event that no ledger can hold: text that is not Unicode, a count that is no whole number of 64 bits."""


def ledger_error(path: Path, error: BaseException, *, waited_s: float = 0.0) -> LedgerError:
    """The error to raise for what SQLite or the operating system said of the file at ``path``.

    Args:
        path: The ledger.
        error: What was raised.
        waited_s: How many seconds a lock was waited for.
    """
    if not isinstance(error, sqlite3.Error):
        return LedgerError(f"the ledger {path} cannot be opened ({_one_line(error)}): name another file")
    # The low byte is the primary result code; the rest only refines it.
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
        case sqlite3.SQLITE_NOTADB:
            return LedgerError(f"{path} is not a ledger: it is no SQLite database; name another file or move it away")
        case sqlite3.SQLITE_CORRUPT:
            return LedgerError(f"the ledger {path} is damaged: restore a copy, or move it away and start a new one")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return LedgerError(
                f"the ledger {path} is locked by another process (waited {waited_s:g} s): "
                "try again when that is done, or name another file"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            return LedgerError(
                f"the ledger {path} cannot be written ({_one_line(error)}): "
                "make the file and its directory writable, or name another file"
            )
        case sqlite3.SQLITE_FULL:
            return LedgerError(f"the ledger {path} cannot grow: free some space on its disk, or name another file")
        case _:
            return LedgerError(f"the ledger {path} failed ({_one_line(error)}): check its disk, or name another file")


def _one_line(error: BaseException) -> str:
    # An OSError's text repeats the path; its cause alone is enough beside ours.
    text = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
    return " ".join(text.split()) or type(error).__name__
