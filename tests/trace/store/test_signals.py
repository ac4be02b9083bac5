from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from turnout.trace.events import CallEvent
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder
from turnout.trace.store.signals import install_signal_flush

NEVER_S = 3600.0
EVENT = CallEvent(event_id="1", run="run", session_id="s", turn_id="t", model="bedrock/small", started_ms=1)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with Ledger(tmp_path / "ledger.db") as ledger, Recorder(ledger, interval_s=NEVER_S) as recorder:
        yield recorder


@pytest.fixture
def handler() -> Iterator[list[int]]:
    """The signals that the host application's own handler of SIGUSR1 saw."""
    seen: list[int] = []

    def handle(signum: int, frame: FrameType | None) -> None:
        seen.append(signum)

    before = signal.signal(signal.SIGUSR1, handle)
    yield seen
    signal.signal(signal.SIGUSR1, before)


def test_nothing_is_installed_unless_asked(recorder: Recorder) -> None:
    before = signal.getsignal(signal.SIGTERM)
    recorder.record(EVENT)
    recorder.flush()
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_hosts_handler_runs_after_the_flush(recorder: Recorder, handler: list[int]) -> None:
    uninstall = install_signal_flush(recorder, [signal.SIGUSR1])
    recorder.record(EVENT)
    signal.raise_signal(signal.SIGUSR1)
    assert handler == [signal.SIGUSR1]
    assert recorder.ledger.calls() == [EVENT]
    uninstall()
    recorder.record(EVENT)
    signal.raise_signal(signal.SIGUSR1)
    assert recorder.waiting == 1
    assert len(handler) == 2


def test_an_ignored_signal_stays_ignored(recorder: Recorder, handler: list[int]) -> None:
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    install_signal_flush(recorder, [signal.SIGUSR1])
    recorder.record(EVENT)
    signal.raise_signal(signal.SIGUSR1)
    assert recorder.ledger.calls() == [EVENT]
    assert handler == []


def test_a_later_handler_of_the_host_is_not_taken_away(recorder: Recorder, handler: list[int]) -> None:
    uninstall = install_signal_flush(recorder, [signal.SIGUSR1])
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    uninstall()
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN


def test_another_thread_may_not_install(recorder: Recorder) -> None:
    errors: list[str] = []

    def install() -> None:
        try:
            install_signal_flush(recorder)
        except ValueError as error:
            errors.append(str(error))

    thread = threading.Thread(target=install)
    thread.start()
    thread.join()
    assert len(errors) == 1
    assert "main thread" in errors[0]


@pytest.mark.parametrize("locked", [False, True])
def test_a_process_that_is_told_to_end_loses_nothing_and_ends_by_the_signal(tmp_path: Path, locked: bool) -> None:
    script = """
import sqlite3, sys, time
from turnout.trace.events import CallEvent
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder
from turnout.trace.store.signals import install_signal_flush
ledger = Ledger(sys.argv[1], busy_timeout_s=0.02)
recorder = Recorder(ledger, interval_s=3600)
install_signal_flush(recorder)
for number in range(500):
    recorder.record(CallEvent(event_id=str(number), run="r", session_id="s", turn_id="t", model="m", started_ms=1))
other = sqlite3.connect(sys.argv[1], isolation_level=None)
if sys.argv[2] == "True":
    other.execute("BEGIN IMMEDIATE")
print("ready", flush=True)
time.sleep(60)
"""
    path = tmp_path / "ledger.db"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path), str(locked)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.terminate()
        _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert (b"the ledger was not written" in errors) == locked
    with Ledger(path) as ledger:
        assert len(ledger.calls()) == 500
