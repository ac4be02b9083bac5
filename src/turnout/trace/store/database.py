"""A ledger's SQLite file: opened, locked, shared by threads, carried over a fork, and its errors put into words.

One connection is used by several threads, one after another under a lock; open a second ledger on the same path to
read while the first one writes. Before a fork the connection is closed, since SQLite connections must not cross one,
and it is opened again at the next use on either side.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from turnout.trace.errors import LedgerError, OutdatedLedgerError, ledger_error
from turnout.trace.store.schema import PAGE_BYTES, SCHEMA_VERSION, migrate, stored_version

BAD_VALUE = (
    sqlite3.IntegrityError,  # a count that is no whole number
    sqlite3.InterfaceError,  # a value of a type that SQLite has no column for
    sqlite3.ProgrammingError,  # the same, in other versions of Python
    sqlite3.DataError,  # a text that is longer than SQLite holds
    ArithmeticError,  # a whole number of more than 64 bits
    ValueError,  # text with a lone surrogate
    TypeError,
    AttributeError,
    LookupError,
    msgspec.MsgspecError,
)
"""What is raised because of a value and not because of the file."""


class Database:
    """The open file of a ledger.

    Args:
        path: The file; missing directories are made.
        create: Whether a missing file is made, or is an error.
        read_only: Never write, not even a migration.
        busy_timeout_s: How many seconds to wait for another process's lock.

    Raises:
        LedgerError: It cannot be opened or written, is no ledger, or has a newer schema.
    """

    def __init__(self, path: str | os.PathLike[str], *, create: bool, read_only: bool, busy_timeout_s: float) -> None:
        # Absolute from now on: the process may change its directory before the file is opened again.
        self.path = Path(os.path.abspath(os.fspath(path)))
        self.read_only = read_only
        self._create = create and not read_only
        self._busy_timeout_s = busy_timeout_s
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._closed = False
        with self.use():
            pass
        _OPEN.add(self)

    def close(self) -> None:
        """Close it; a second time does nothing."""
        with self._lock:
            self._closed = True
            self._disconnect()
        _OPEN.discard(self)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, undone on any error."""
        if self.read_only:
            raise LedgerError(f"the ledger {self.path} was opened for reading only: open it for writing")
        with self.use() as connection:
            if self._moved():
                # Somebody moved or deleted the file; SQLite would go on writing to the one that nobody can find.
                self._disconnect()
                connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                connection.rollback()
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """The connection for several reads that all see the same state; within another such block, that block's."""
        with self.use() as connection:
            if connection.in_transaction:
                yield connection
                return
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.rollback()

    @contextmanager
    def use(self) -> Iterator[sqlite3.Connection]:
        """The connection, under the lock; what SQLite raises about the file becomes a `LedgerError`."""
        with self._lock:
            if self._closed:
                raise LedgerError(f"the ledger {self.path} is closed: open it again")
            try:
                yield self._connection or self._connect()
            except BAD_VALUE:
                raise
            except (sqlite3.Error, OSError) as error:
                raise ledger_error(self.path, error, waited_s=self._busy_timeout_s) from error

    def _connect(self) -> sqlite3.Connection:
        if "\0" in str(self.path):
            raise LedgerError(f"the path {str(self.path)!r} holds a null character: name another file")
        if self.path.is_dir():
            raise LedgerError(
                f"the ledger {self.path} is a directory: name a file in it, such as {self.path / 'ledger.db'}"
            )
        if not self.path.exists():
            if not self._create:
                raise LedgerError(
                    f"there is no ledger {self.path}: name one that exists, or record a run first, as `make demo` does"
                )
            self.path.parent.mkdir(parents=True, exist_ok=True)
        elif not self.path.is_file():
            raise LedgerError(f"the ledger {self.path} is no regular file: name another file")
        connection = self._connect_read_only() if self.read_only else self._connect_to_write()
        stat = os.stat(self.path)
        self._connection, self._file = connection, (stat.st_dev, stat.st_ino)
        return connection

    def _connect_to_write(self) -> sqlite3.Connection:
        connection = self._open("mode=rwc" if self._create else "mode=rw")
        try:
            # Looked at before anything is changed: the file may belong to another program.
            version = stored_version(connection)
            self._check_version(version)
            if version == 0:
                connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            self._write_ahead(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            # What a statement keeps of the pages it changes, in case it fails: in a file, two system calls for each.
            connection.execute("PRAGMA temp_store = MEMORY")
            # Takes the write lock also where there is nothing to do: a file that cannot be written is refused now.
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect_read_only(self) -> sqlite3.Connection:
        try:
            return self._opened_read_only("mode=ro")
        except sqlite3.OperationalError:
            # Write-ahead mode needs to make files in the directory even to read. Where that cannot be, the file can
            # be read as it is, provided that nobody is writing it.
            if Path(f"{self.path}-wal").exists():
                raise
            return self._opened_read_only("mode=ro&immutable=1")

    def _opened_read_only(self, mode: str) -> sqlite3.Connection:
        connection = self._open(mode)
        try:
            version = stored_version(connection)
            self._check_version(version)
            if version != SCHEMA_VERSION:
                raise OutdatedLedgerError(
                    f"the ledger {self.path} has the older schema {version}: `turnout doctor` brings it up to date"
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _open(self, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(
            f"{self.path.as_uri()}?{mode}",
            uri=True,
            timeout=self._busy_timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )

    def _check_version(self, version: int | None) -> None:
        if version is None:
            raise LedgerError(f"{self.path} is no ledger but a database of another program: name another file")
        if version > SCHEMA_VERSION:
            raise LedgerError(
                f"the ledger {self.path} has schema {version} and this version of Turnout knows {SCHEMA_VERSION} "
                "at most: upgrade Turnout, or name another file"
            )

    def _write_ahead(self, connection: sqlite3.Connection) -> None:
        # Turning write-ahead mode on does not wait for a lock as other statements do, so the waiting is done here.
        until = time.monotonic() + self._busy_timeout_s
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.01)
            else:
                return

    def _moved(self) -> bool:
        try:
            stat = os.stat(self.path)
        except FileNotFoundError:
            return True
        return (stat.st_dev, stat.st_ino) != self._file

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


_OPEN: weakref.WeakSet[Database] = weakref.WeakSet()
_forks = threading.RLock()
_held: list[Database] = []


def _before_fork() -> None:
    """Let no thread be inside SQLite, and let no connection cross the fork."""
    _forks.acquire()
    for database in sorted(_OPEN, key=id):
        database._lock.acquire()
        _held.append(database)
        database._disconnect()


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop()._lock.release()
    _forks.release()


def _after_fork_in_child() -> None:
    global _forks
    while _held:
        _held.pop()._lock = threading.RLock()
    _forks = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
