"""From the caller's path into the ledger: a bounded queue, and a thread that writes it in batches.

`Recorder.record` appends to a queue and returns, in well under a microsecond; it never waits and never raises. Every
``interval_s`` a background thread writes what has come. What a process loses that ends:

- nothing by its own end, an exception, ``sys.exit`` or Ctrl-C, which run ``atexit``; and nothing by SIGTERM where
  `turnout.trace.store.signals` is asked to catch it;
- by SIGKILL, ``os._exit``, a crash of the interpreter or a signal that nobody catches: the events of one interval and
  of the write under way, at most 200 ms at the default of 100 ms; never what was flushed, and never the file.

And while it lives:

- A full queue drops the newest event and counts it: `Recorder.dropped`.
- While the ledger cannot be written, events wait and are tried again. `Recorder.flush` then raises; `Recorder.close`
  leaves them beside the ledger (`turnout.trace.store.spill`) and raises, so that nothing is lost and nothing is silent.
- An event that no ledger can hold is logged, counted (`Recorder.rejected`) and told at flush and close.
- Threads, tasks and signal handlers may all record. From a coroutine, call ``await asyncio.to_thread(recorder.flush)``.
  In a handler that interrupts a thread which is itself writing, `Recorder.flush` raises: the events wait.
- After a fork the child has a recorder of its own that starts empty; the parent keeps what was waiting. A child that
  ends by ``os._exit``, as those of ``multiprocessing`` do, runs no ``atexit``: it must flush before that.

Known limitation: an event that is recorded while another thread closes the recorder may be lost.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections import deque
from pathlib import Path
from queue import Empty, SimpleQueue

from turnout.trace.closing import Closing
from turnout.trace.errors import EventError, LedgerError
from turnout.trace.events import Event
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.spill import spill

logger = logging.getLogger(__name__)

_BATCH = 1_000
"""The most events in one transaction: progress is kept, and other processes get their turn."""

_LONGEST_PAUSE_S = 2.0
"""The longest pause between two attempts while the ledger cannot be written."""


class _Order:
    """A request to write now, and where the answer goes."""

    def __init__(self, *, stop: bool) -> None:
        self.stop = stop
        # SimpleQueue may be used by a signal handler that interrupts its own thread; locks and events may not.
        self.answer: SimpleQueue[LedgerError | None] = SimpleQueue()


class Recorder(Closing):
    """Writes events to a ledger from a background thread; a context manager that closes it.

    The ledger stays open: whoever opened it closes it, after the recorder.

    Args:
        ledger: Where the events go.
        interval_s: Seconds between two writes.
        capacity: How many events may wait, those of a write under way included. Threads that record at the same time
            may exceed it by one each.
    """

    def __init__(self, ledger: Ledger, *, interval_s: float = 0.1, capacity: int = 65_536) -> None:
        if interval_s <= 0 or capacity < 1:
            raise ValueError(f"interval_s must be above 0 and capacity at least 1, got {interval_s} and {capacity}")
        self.ledger = ledger
        self._interval_s = interval_s
        self._capacity = capacity
        self._closed = False
        self._reset()
        _RECORDERS.add(self)
        atexit.register(self._at_exit)

    @property
    def dropped(self) -> int:
        """How many events were dropped because the queue was full or the recorder closed."""
        return self._dropped

    @property
    def rejected(self) -> int:
        """How many events no ledger can hold; each was logged."""
        return self._rejected

    @property
    def waiting(self) -> int:
        """How many events are not written yet."""
        return len(self._queue) + len(self._batch)

    def record(self, event: Event) -> None:
        """Take one event; a full queue drops it."""
        if self._closed or len(self._queue) + len(self._batch) >= self._capacity:
            self._drop()
            return
        self._queue.append(event)
        if self._thread is None:
            self._start()

    def flush(self, timeout_s: float = 30.0) -> None:
        """Write what was recorded before this call, and wait until it is written.

        Raises:
            LedgerError: The ledger cannot be written, or not in that time; the events wait and are tried again. Or
                some events were rejected since the last flush.
        """
        error = self._ask(_Order(stop=False), timeout_s)
        if error is not None:
            raise LedgerError(f"{error} ({self.waiting} events wait and will be tried again)")
        self._tell_rejected()

    def close(self, timeout_s: float = 30.0) -> None:
        """Write what waits and end the thread; a second time does nothing.

        Raises:
            LedgerError: The ledger could not be written; the message names the file that the events are kept in. Or
                some events were rejected since the last flush.
        """
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self._at_exit)
        _RECORDERS.discard(self)
        error = self._ask(_Order(stop=True), timeout_s)
        if error is not None:
            count = self.waiting
            raise LedgerError(f"{error}; {count} events are kept in {self._spill()} until the ledger is next opened")
        self._tell_rejected()

    def _reset(self) -> None:
        """A recorder without events and without a thread: new, or the child's after a fork."""
        self._queue: deque[Event] = deque()
        self._batch: list[Event] = []
        self._orders: SimpleQueue[_Order] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = False
        self._in_transaction = False
        # Reentrant, all: a signal handler may interrupt the thread that holds one. A lock for each job, since that
        # handler may flush, and so wait for the recorder's thread: what it holds must be nothing that thread takes.
        self._moving = threading.RLock()
        self._writing = threading.RLock()
        self._begin = threading.RLock()
        self._counting = threading.RLock()
        self._dropped = 0
        self._rejected = 0
        self._rejected_told = 0
        self._failing = False

    def _drop(self) -> None:
        with self._counting:
            self._dropped += 1
            first = self._dropped == 1
        if first:
            why = "recorder is closed" if self._closed else "queue is full"
            logger.warning("why=<%s>, capacity=<%d> | events are dropped", why, self._capacity)

    def _start(self) -> None:
        with self._begin:
            # A signal handler may interrupt the start and record: there must be no second thread.
            if self._thread is not None or self._starting:
                return
            self._starting = True
            thread = threading.Thread(target=self._run, name="turnout-recorder", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                # Python is ending and starts no threads any more: the events are written at exit.
                return
            finally:
                self._starting = False
            self._thread = thread

    def _run(self) -> None:
        pause_s = self._interval_s
        due = time.monotonic() + pause_s
        while True:
            try:
                order = self._orders.get(timeout=max(0.0, due - time.monotonic()))
            except Empty:
                order = None
            due = time.monotonic() + pause_s
            error = self._write()
            if error is None:
                pause_s = self._interval_s
            else:
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                due = time.monotonic() + pause_s
            if order is not None:
                order.answer.put(error)
                if order.stop:
                    return

    def _ask(self, order: _Order, timeout_s: float) -> LedgerError | None:
        thread = self._thread
        if thread is None or not thread.is_alive():
            return self._write()
        self._orders.put(order)
        try:
            return order.answer.get(timeout=timeout_s)
        except Empty:
            return LedgerError(f"the ledger {self.ledger.path} was not written within {timeout_s:g} s")

    def _write(self) -> LedgerError | None:
        """Write what waits now, but for what comes meanwhile; what could not be written stays in the batch."""
        with self._writing:
            if self._in_transaction:
                # A signal handler that interrupted this very thread: it must not touch the batch.
                return LedgerError(f"the ledger {self.ledger.path} is just being written: flush again later")
            self._in_transaction = True
            try:
                return self._write_batches()
            finally:
                self._in_transaction = False

    def _write_batches(self) -> LedgerError | None:
        left = self.waiting
        while left > 0:
            with self._moving:
                while self._queue and len(self._batch) < _BATCH:
                    self._batch.append(self._queue.popleft())
            left -= len(self._batch)
            try:
                self._append()
            except LedgerError as error:
                self._tell_failing(error)
                return error
            except Exception as error:
                # No known cause, so nothing is thrown away: the events wait as they do for a locked ledger.
                logger.exception("ledger=<%s> | writing failed", self.ledger.path)
                return LedgerError(f"the ledger {self.ledger.path} failed ({type(error).__name__}): see the log")
            self._batch = []
        if self._failing:
            self._failing = False
            logger.warning("ledger=<%s> | the ledger can be written again", self.ledger.path)
        return None

    def _append(self) -> None:
        try:
            self.ledger.append(self._batch)
            return
        except EventError:
            pass
        # One of them is bad: the others must not suffer for it.
        for event in list(self._batch):
            try:
                self.ledger.append([event])
            except EventError as error:
                self._rejected += 1
                logger.error("event_id=<%s>, error=<%s> | an event was rejected", _id_of(event), error)
            self._batch.remove(event)

    def _tell_failing(self, error: LedgerError) -> None:
        if not self._failing:
            self._failing = True
            logger.warning("waiting=<%d>, error=<%s> | events wait to be written", self.waiting, error)

    def _tell_rejected(self) -> None:
        new, self._rejected_told = self._rejected - self._rejected_told, self._rejected
        if new:
            raise LedgerError(f"{new} events could not be kept in the ledger {self.ledger.path}: the log names each")

    def _spill(self) -> Path:
        # The thread may still be trying; an event that is then both written and kept is counted once.
        with self._moving:
            events = list(self._batch)
            while self._queue:
                events.append(self._queue.popleft())
        return spill(self.ledger.path, events)

    def _at_exit(self) -> None:
        try:
            self.close()
        except LedgerError as error:
            logger.error("error=<%s> | the ledger was not written at exit", error)


def _id_of(event: object) -> str:
    return str(getattr(event, "event_id", type(event).__name__)).encode("ascii", "backslashreplace").decode()


_RECORDERS: weakref.WeakSet[Recorder] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for recorder in list(_RECORDERS):
        recorder._reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
