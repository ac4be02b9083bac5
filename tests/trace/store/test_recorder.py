from __future__ import annotations

import asyncio
import itertools
import logging
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from turnout.trace.errors import LedgerError
from turnout.trace.events import CallEvent
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder
from turnout.trace.store.spill import read_spill, spilled

NEVER_S = 3600.0
"""An interval that no test lives to see: only flush and close write."""

PREAMBLE = """
import os, sys, time
from turnout.trace.events import CallEvent
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.recorder import Recorder

def call(name):
    return CallEvent(event_id=name, run="run", session_id="s", turn_id="t", model="m",
        started_ms=time.time_ns() // 1_000_000)

ledger = Ledger(sys.argv[1])
recorder = Recorder(ledger)
"""


def _call(name: str | int) -> CallEvent:
    return CallEvent(
        event_id=str(name), run="run", session_id="s", turn_id="t", model="bedrock/small", started_ms=time.time_ns()
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db", busy_timeout_s=0.02) as ledger:
        yield ledger


def _ids(ledger: Ledger) -> set[str]:
    return {event.event_id for event in ledger.calls()}


def _integrity(ledger: Ledger) -> str:
    return str(ledger.select("PRAGMA integrity_check")[0][0])


@contextmanager
def _locked(ledger: Ledger) -> Iterator[None]:
    """Somebody else is writing for as long as the block runs."""
    connection = sqlite3.connect(ledger.path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def _run(script: str, ledger: Ledger, *, after: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PREAMBLE + script + after, str(ledger.path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_events_are_written_by_themselves(ledger: Ledger) -> None:
    with Recorder(ledger, interval_s=0.01) as recorder:
        recorder.record(_call("a"))
        until = time.monotonic() + 30
        while not _ids(ledger) and time.monotonic() < until:
            time.sleep(0.01)
        assert _ids(ledger) == {"a"}


def test_flush_writes_what_was_recorded_before_it(ledger: Ledger) -> None:
    with Recorder(ledger, interval_s=NEVER_S) as recorder:
        for number in range(2500):
            recorder.record(_call(number))
        assert recorder.waiting == 2500
        recorder.flush()
        assert recorder.waiting == 0
        assert len(_ids(ledger)) == 2500
        assert (recorder.dropped, recorder.rejected) == (0, 0)


def test_closing_writes_and_may_be_done_twice(ledger: Ledger) -> None:
    recorder = Recorder(ledger, interval_s=NEVER_S)
    recorder.record(_call("a"))
    recorder.close()
    recorder.close()
    assert _ids(ledger) == {"a"}


def test_a_recorder_without_events_writes_nothing(ledger: Ledger) -> None:
    with Recorder(ledger) as recorder:
        recorder.flush()
    assert ledger.runs() == []


def test_a_full_queue_drops_and_counts(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    with Recorder(ledger, interval_s=NEVER_S, capacity=10) as recorder:
        for number in range(15):
            recorder.record(_call(number))
        assert recorder.dropped == 5
    assert _ids(ledger) == {str(number) for number in range(10)}
    assert caplog.text.count("events are dropped") == 1


def test_an_event_after_the_closing_is_counted_as_dropped(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(ledger)
    recorder.close()
    recorder.record(_call("late"))
    assert recorder.dropped == 1
    assert "recorder is closed" in caplog.text


def test_threads_record_at_the_same_time(ledger: Ledger) -> None:
    with Recorder(ledger, interval_s=0.001) as recorder:

        def record(worker: int) -> None:
            for number in range(500):
                recorder.record(_call(f"{worker}-{number}"))

        threads = [threading.Thread(target=record, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(_ids(ledger)) == 2000
    assert recorder.dropped == 0


async def test_tasks_record_and_flush_beside_the_loop(ledger: Ledger) -> None:
    with Recorder(ledger, interval_s=NEVER_S) as recorder:

        async def record(number: int) -> None:
            await asyncio.sleep(0)
            recorder.record(_call(number))

        await asyncio.gather(*(record(number) for number in range(50)))
        await asyncio.to_thread(recorder.flush)
        assert len(_ids(ledger)) == 50


def test_a_locked_ledger_keeps_events_waiting(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with Recorder(ledger, interval_s=NEVER_S) as recorder:
        recorder.record(_call("a"))
        with _locked(ledger), pytest.raises(LedgerError, match=r"locked by another process.*1 events wait"):
            recorder.flush()
        assert "events wait to be written" in caplog.text
        recorder.record(_call("b"))
        recorder.flush()
        assert "can be written again" in caplog.text
    assert _ids(ledger) == {"a", "b"}


def test_a_ledger_that_stays_locked_leaves_events_beside_it(ledger: Ledger) -> None:
    recorder = Recorder(ledger, interval_s=NEVER_S)
    events = [_call("a"), _call("b")]
    for event in events:
        recorder.record(event)
    with _locked(ledger), pytest.raises(LedgerError, match="2 events are kept in") as caught:
        recorder.close()
    [path] = spilled(ledger.path)
    assert str(path) in str(caught.value)
    assert read_spill(path) == events
    with Ledger(ledger.path) as reopened:
        assert _ids(reopened) == {"a", "b"}


def test_a_flush_that_takes_too_long_says_so(ledger: Ledger) -> None:
    slow = Ledger(ledger.path, busy_timeout_s=30)
    with Recorder(slow, interval_s=NEVER_S) as recorder:
        recorder.record(_call("a"))
        with _locked(ledger), pytest.raises(LedgerError, match=r"not written within 0.05 s"):
            recorder.flush(timeout_s=0.05)
        recorder.flush()
    assert _ids(ledger) == {"a"}
    slow.close()


def test_an_event_that_no_ledger_can_hold_does_not_hold_up_the_others(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    with Recorder(ledger, interval_s=NEVER_S) as recorder:
        for name in ("a", "\udc80", "b"):
            recorder.record(_call(name))
        with pytest.raises(LedgerError, match="1 events could not be kept"):
            recorder.flush()
        recorder.flush()
        assert recorder.rejected == 1
    assert _ids(ledger) == {"a", "b"}
    assert r"event_id=<\udc80>" in caplog.text


@pytest.mark.parametrize(("interval_s", "capacity"), [(0.0, 1), (1.0, 0)])
def test_settings_that_cannot_work_are_refused(ledger: Ledger, interval_s: float, capacity: int) -> None:
    with pytest.raises(ValueError, match="interval_s must be above 0"):
        Recorder(ledger, interval_s=interval_s, capacity=capacity)


@contextmanager
def _handling(signum: signal.Signals, handle: Callable[[], None]) -> Iterator[None]:
    """A handler of the application's own, for as long as the block runs."""

    def handler(signum: int, frame: FrameType | None) -> None:
        handle()

    before = signal.signal(signum, handler)
    try:
        yield
    finally:
        signal.signal(signum, before)


def test_a_signal_handler_may_record_and_flush_while_its_thread_records(ledger: Ledger) -> None:
    recorder = Recorder(ledger, interval_s=0.001)
    numbers = itertools.count()
    flushed = depth = 0

    def handle() -> None:
        nonlocal flushed, depth
        depth += 1
        if depth < 3:
            # The next signal may come before this one is done.
            signal.setitimer(signal.ITIMER_REAL, 0.002)
        recorder.record(_call(f"signal-{next(numbers)}"))
        try:
            recorder.flush()
            flushed += 1
        except LedgerError as error:
            # It interrupted the very thread that writes: the event waits, and nothing is lost.
            assert "just being written" in str(error)  # noqa: PT017  # raised or not: the moment decides
        depth -= 1
        signal.setitimer(signal.ITIMER_REAL, 0.002)

    recorded = 0
    with _handling(signal.SIGALRM, handle):
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        try:
            until = time.monotonic() + 30
            while flushed < 20 and time.monotonic() < until:
                recorder.record(_call(recorded))
                recorded += 1
                if recorded % 100 == 0:
                    recorder.flush()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    recorder.close()
    assert flushed >= 20
    assert len(_ids(ledger)) == recorded + next(numbers)


def test_a_signal_while_the_thread_starts_starts_no_second_one(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(ledger, interval_s=NEVER_S)
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        signal.raise_signal(signal.SIGUSR1)
        start(thread)

    def handle() -> None:
        recorder.record(_call("of the handler"))
        recorder.flush()

    before = set(threading.enumerate())
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with _handling(signal.SIGUSR1, handle):
        recorder.record(_call("of the thread"))
    assert len(set(threading.enumerate()) - before) == 1
    recorder.close()
    assert set(threading.enumerate()) - before == set()
    assert _ids(ledger) == {"of the handler", "of the thread"}


def test_a_signal_while_the_started_thread_writes_waits_for_nothing_that_its_thread_holds(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(ledger, interval_s=0.001)
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        time.sleep(0.1)  # the new thread is at work by now
        signal.raise_signal(signal.SIGUSR1)

    def handle() -> None:
        recorder.record(_call("of the handler"))
        recorder.flush()

    def stuck() -> None:
        raise AssertionError("the handler waits for the thread, and the thread for what the handler interrupted")

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with _handling(signal.SIGUSR1, handle), _handling(signal.SIGALRM, stuck):
        signal.setitimer(signal.ITIMER_REAL, 20)
        try:
            recorder.record(_call("of the thread"))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    recorder.close()
    assert _ids(ledger) == {"of the handler", "of the thread"}


def test_a_signal_in_the_middle_of_a_transaction_loses_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    # Without a thread of its own the recorder writes in the one that flushes, which a signal may interrupt.
    monkeypatch.setattr(threading.Thread, "start", refuse)
    errors: list[str] = []

    def handle() -> None:
        recorder.record(_call("of the handler"))
        try:
            recorder.flush()
        except LedgerError as error:
            errors.append(str(error))

    def in_between(statement: str) -> None:
        if statement == "COMMIT" and not errors:
            signal.raise_signal(signal.SIGUSR1)

    recorder = Recorder(ledger)
    with ledger._database.use() as connection:
        connection.set_trace_callback(in_between)
    recorder.record(_call("of the thread"))
    with _handling(signal.SIGUSR1, handle):
        recorder.flush()
    assert len(errors) == 1
    assert "is just being written: flush again later (2 events wait" in errors[0]
    recorder.close()
    assert _ids(ledger) == {"of the handler", "of the thread"}


def test_a_locked_ledger_at_exit_is_logged_and_loses_nothing(ledger: Ledger) -> None:
    script = """
ledger.close()
ledger = Ledger(sys.argv[1], busy_timeout_s=0.02)
recorder = Recorder(ledger, interval_s=3600)
recorder.record(call("a"))
import sqlite3
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
"""
    done = _run(script, ledger)
    assert "the ledger was not written at exit" in done.stderr
    with Ledger(ledger.path) as reopened:
        assert _ids(reopened) == {"a"}


def test_both_sides_of_a_fork_record(ledger: Ledger) -> None:
    script = """
import signal, warnings
warnings.simplefilter("ignore")  # newer Pythons warn of any fork beside a thread
recorder.close()
recorder = Recorder(ledger, interval_s=0.001)  # writing most of the time, so also while it forks
for child in range(5):
    for number in range(200):
        recorder.record(call(f"parent-{child}-{number}"))
    time.sleep(0.002 * child)
    if os.fork() == 0:
        signal.alarm(30)
        for number in range(100):
            recorder.record(call(f"child-{child}-{number}"))
        # Neither flushed nor closed: the child must have a thread of its own.
        while recorder.waiting:
            time.sleep(0.001)
        os._exit(0)
statuses = [os.wait()[1] for _ in range(5)]
recorder.close()
sys.exit(any(statuses))
"""
    done = _run(script, ledger)
    assert done.returncode == 0, done.stderr
    assert len(_ids(ledger)) == 5 * 200 + 5 * 100
    assert _integrity(ledger) == "ok"
