from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from turnout.trace.errors import LedgerError
from turnout.trace.store.database import Database
from turnout.trace.store.schema import APPLICATION_ID, PAGE_BYTES, SCHEMA_VERSION

Unprivileged = Callable[[], AbstractContextManager[None]]


def _open(path: Path, *, create: bool = True, read_only: bool = False, busy_timeout_s: float = 5.0) -> Database:
    return Database(path, create=create, read_only=read_only, busy_timeout_s=busy_timeout_s)


def _make(path: Path) -> Path:
    _open(path).close()
    return path


def _refusal(path: Path, *, create: bool = True, read_only: bool = False, busy_timeout_s: float = 5.0) -> str:
    with pytest.raises(LedgerError) as caught:
        _open(path, create=create, read_only=read_only, busy_timeout_s=busy_timeout_s)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_new_file_is_in_write_ahead_mode_with_normal_syncing(tmp_path: Path) -> None:
    database = _open(tmp_path / "made" / "for us" / "ledger?#.db")
    with database.use() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)
        assert connection.execute("PRAGMA page_size").fetchone() == (PAGE_BYTES,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    database.close()
    assert (tmp_path / "made" / "for us" / "ledger?#.db").is_file()


def test_a_directory_is_refused_with_a_file_in_it(tmp_path: Path) -> None:
    assert f"is a directory: name a file in it, such as {tmp_path / 'ledger.db'}" in _refusal(tmp_path)


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "name another file" in _refusal(tmp_path / "file" / "ledger.db")


def test_a_path_with_a_null_character_is_refused(tmp_path: Path) -> None:
    assert "null character" in _refusal(tmp_path / "a\0b")


def test_a_device_is_refused() -> None:
    assert "no regular file" in _refusal(Path(os.devnull))


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n" * 200)
    assert "no SQLite database" in _refusal(path)
    assert path.read_text() == "my notes\n" * 200


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "bookmarks.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url)")
    connection.close()
    before = path.read_bytes()
    assert "another program" in _refusal(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = _make(tmp_path / "ledger.db")
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    for read_only in (False, True):
        message = _refusal(path, read_only=read_only)
        assert f"has schema {SCHEMA_VERSION + 1}" in message
        assert "upgrade Turnout" in message


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_refused_is_closed(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database " * 100)
    with pytest.raises(LedgerError):
        _open(path, read_only=read_only)
    opened = [os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if _is_open(number)]
    assert str(path) not in opened


def _is_open(number: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{number}")


def test_an_older_schema_cannot_be_read_only(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.close()
    assert "`turnout doctor` brings it up to date" in _refusal(path, read_only=True)
    _open(path).close()
    _open(path, read_only=True).close()


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = _make(tmp_path / "ledger.db")
    content = bytearray(path.read_bytes())
    content[100:200] = b"x" * 100
    path.write_bytes(content)
    assert "damaged" in _refusal(path)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_missing_file_is_not_made_unless_asked(tmp_path: Path, read_only: bool) -> None:
    assert "there is no ledger" in _refusal(tmp_path / "missing.db", create=False, read_only=read_only)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_written_is_refused(common_directory: Path, without_root: Unprivileged) -> None:
    common_directory.chmod(0o555)
    with without_root():
        for path in (common_directory / "ledger.db", common_directory / "new" / "ledger.db"):
            message = _refusal(path)
            assert str(path) in message
            assert "name another file" in message


def test_a_file_that_cannot_be_written_is_refused(common_directory: Path, without_root: Unprivileged) -> None:
    path = _make(common_directory / "ledger.db")
    path.chmod(0o444)
    common_directory.chmod(0o555)
    with without_root():
        assert "make the file and its directory writable" in _refusal(path)


def test_a_file_that_cannot_be_written_can_be_read(common_directory: Path, without_root: Unprivileged) -> None:
    path = _make(common_directory / "ledger.db")
    path.chmod(0o444)
    common_directory.chmod(0o555)
    with without_root():
        database = _open(path, read_only=True)
        with database.read() as connection:
            assert connection.execute("SELECT count(*) FROM calls").fetchone() == (0,)
        database.close()


def test_a_file_that_cannot_be_written_is_not_read_past_its_writer(
    common_directory: Path, without_root: Unprivileged
) -> None:
    path = common_directory / "ledger.db"
    writer = _open(path)
    for file in common_directory.iterdir():
        file.chmod(0o400)
    common_directory.chmod(0o555)
    with without_root():
        assert "ledger.db" in _refusal(path, read_only=True)
    writer.close()


def test_a_locked_ledger_is_refused_after_the_wait(tmp_path: Path) -> None:
    path = _make(tmp_path / "ledger.db")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    assert "locked by another process (waited 0.05 s)" in _refusal(path, busy_timeout_s=0.05)
    connection.execute("ROLLBACK")
    connection.close()
    _open(path).close()


def test_reading_only_does_not_write(tmp_path: Path) -> None:
    database = _open(_make(tmp_path / "ledger.db"), read_only=True)
    with pytest.raises(LedgerError, match="for reading only"), database.write():
        pass
    with pytest.raises(LedgerError, match="cannot be written"), database.use() as connection:
        connection.execute("DELETE FROM runs")
    database.close()


def test_a_transaction_is_undone_by_an_error(tmp_path: Path) -> None:
    database = _open(tmp_path / "ledger.db")

    def interrupted() -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO runs (name, created_ms) VALUES ('lost', 1)")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with database.write() as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)
    database.close()


def test_a_closed_ledger_says_so(tmp_path: Path) -> None:
    database = _open(tmp_path / "ledger.db")
    database.close()
    database.close()
    with pytest.raises(LedgerError, match="is closed"), database.use():
        pass


def test_the_path_stays_when_the_process_changes_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    database = _open(Path("ledger.db"))
    monkeypatch.chdir("/")
    assert database.path == tmp_path / "ledger.db"
    database.close()


def test_a_file_that_was_moved_away_is_made_again(tmp_path: Path) -> None:
    database = _open(tmp_path / "ledger.db")
    (tmp_path / "ledger.db").rename(tmp_path / "moved.db")
    with database.write() as connection:
        connection.execute("INSERT INTO runs (name, created_ms) VALUES ('new', 1)")
    database.close()
    reopened = _open(tmp_path / "ledger.db", create=False)
    with reopened.use() as connection:
        assert connection.execute("SELECT name FROM runs").fetchall() == [("new",)]
    reopened.close()


def test_threads_take_turns(tmp_path: Path) -> None:
    database = _open(tmp_path / "ledger.db")

    def insert(worker: int) -> None:
        for number in range(20):
            with database.write() as connection:
                connection.execute("INSERT INTO runs (name, created_ms) VALUES (?, 1)", (f"{worker}-{number}",))

    threads = [threading.Thread(target=insert, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.use() as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (80,)
    database.close()


def test_processes_may_open_a_new_ledger_at_the_same_time(tmp_path: Path) -> None:
    script = """
import sys
from turnout.trace.events import CallEvent
from turnout.trace.store.ledger import Ledger
path, worker = sys.argv[1:]
sys.stdin.readline()
with Ledger(path) as ledger:
    for number in range(50):
        ledger.append([CallEvent(event_id=f"{worker}-{number}", run="run", session_id="s", turn_id="t", model="m",
            started_ms=number)])
"""
    path = tmp_path / "ledger.db"
    workers = [
        subprocess.Popen([sys.executable, "-c", script, str(path), str(worker)], stdin=subprocess.PIPE)
        for worker in range(3)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write(b"go\n")
        worker.stdin.close()
    assert [worker.wait(timeout=60) for worker in workers] == [0, 0, 0]
    database = _open(path)
    with database.use() as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (150,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def _run(script: str, path: Path) -> None:
    preamble = """
import os, signal, sys, threading, time, warnings
from turnout.trace.store.database import Database
warnings.simplefilter("ignore")  # newer Pythons warn of any fork beside a thread
signal.alarm(30)
database = Database(sys.argv[1], create=True, read_only=False, busy_timeout_s=5)

def insert(name):
    with database.write() as connection:
        connection.execute("INSERT INTO runs (name, created_ms) VALUES (?, 1)", (name,))
"""
    done = subprocess.run(
        [sys.executable, "-c", preamble + script, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def _names(path: Path) -> list[str]:
    database = _open(path, create=False)
    with database.use() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = connection.execute("SELECT name FROM runs ORDER BY name").fetchall()
    database.close()
    return [name for (name,) in rows]


def test_a_fork_waits_for_a_thread_that_uses_the_file(tmp_path: Path) -> None:
    script = """
inside = threading.Event()

def hold():
    with database.write() as connection:
        connection.execute("INSERT INTO runs (name, created_ms) VALUES ('thread', 1)")
        inside.set()
        time.sleep(0.1)

thread = threading.Thread(target=hold)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    signal.alarm(30)
    insert("child")
    os._exit(0)
thread.join()
insert("parent")
sys.exit(os.wait()[1])
"""
    _run(script, tmp_path / "ledger.db")
    assert _names(tmp_path / "ledger.db") == ["child", "parent", "thread"]


def test_what_a_child_writes_outlives_the_parents_closing(tmp_path: Path) -> None:
    script = """
insert("before")
to_parent, to_child = os.pipe(), os.pipe()
if os.fork() == 0:
    signal.alarm(30)
    insert("child 1")
    os.write(to_parent[1], b"x")
    os.read(to_child[0], 1)
    insert("child 2")
    os.kill(os.getpid(), signal.SIGKILL)
os.read(to_parent[0], 1)
insert("parent")
database.close()
os.write(to_child[1], b"x")
os.wait()
"""
    _run(script, tmp_path / "ledger.db")
    assert _names(tmp_path / "ledger.db") == ["before", "child 1", "child 2", "parent"]
