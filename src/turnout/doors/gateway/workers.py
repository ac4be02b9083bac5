"""Several processes behind one socket: a parent that serves nothing, and workers that it keeps alive.

The parent opens the socket, forks the workers, passes signals on and starts a worker anew that has died, after a pause
that doubles with each death. All workers take connections from the one socket, so that none is lost where a worker
dies. When the parent itself dies, however that was, the workers end as after SIGTERM.

Known limitations: POSIX only. Connections are not dealt out evenly: whichever worker is free takes the next one, and a
client that keeps one connection is served by one worker.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import NoReturn

logger = logging.getLogger(__name__)

EXIT_TERMINATED = 128 + signal.SIGTERM
"""The exit code after SIGTERM, as shells tell it."""

_SHORTEST_S = 0.5
_LONGEST_S = 30.0
_PROVED_S = 60.0
"""A worker that has lived so long starts without a pause when it dies."""

_PATIENCE_S = 10.0
"""How much longer than they may take workers have to end, before they are killed."""

_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Worker:
    """This process, as one of several.

    Attributes:
        slot: Which of them it is, from 0; a worker that takes the place of another one has its slot.
        first: Whether it is the first one of all.
    """

    def __init__(self, slot: int, *, first: bool, ready: int, parent: int) -> None:
        self.slot = slot
        self.first = first
        self.parent = parent
        self._ready = ready

    def started(self) -> None:
        """Tell the parent that requests are served."""
        if self._ready >= 0:
            os.write(self._ready, b"1")
            os.close(self._ready)
            self._ready = -1


class _Slot:
    """One place, and the worker that has it."""

    def __init__(self) -> None:
        self.pid = 0
        self.since_s = 0.0
        self.pause_s = 0.0
        self.due_s = 0.0


class Supervisor:
    """The parent.

    Args:
        count: How many workers there are.
        patience_s: Seconds that workers may take to end.
        clock: Seconds, never set back.
    """

    def __init__(self, count: int, *, patience_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._slots = [_Slot() for _ in range(count)]
        self._patience_s = patience_s + _PATIENCE_S
        self._clock = clock
        self._told: list[int] = []
        self._stopping = 0
        self._kill_s = 0.0

    def run(self) -> Worker:
        """Fork the workers and watch over them.

        Returns:
            In each worker what it is; in the parent never.

        Raises:
            SystemExit: In the parent, once all workers have ended: the code of SIGTERM, or the first worker's own if
                that could not begin.
            KeyboardInterrupt: In the parent, after Ctrl-C.
        """
        self._alive, self._held = os.pipe()  # the parent alone holds the end that is written to
        woken, self._wake = os.pipe()
        for end in (woken, self._wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in (*_PASSED_ON, signal.SIGCHLD):
            signal.signal(number, self._note)
        self._woken = woken
        ready, answered = os.pipe()
        worker = self._fork(self._slots[0], first=True, ready=answered, drop=ready)
        if worker is not None:
            return worker
        os.close(answered)
        self._await_first(ready)
        while True:
            self._act()
            if self._stopping and not any(slot.pid for slot in self._slots):
                self._end()
            worker = self._fill()
            if worker is not None:
                return worker
            self._wait(self._next_s())

    def _await_first(self, ready: int) -> None:
        """Wait until the first worker serves, so that what is wrong with the settings is told once."""
        while True:
            self._act()
            if not self._slots[0].pid:
                # What kept it from beginning would keep all others too.
                sys.exit(self._code or 1)
            readable, _, _ = select.select([ready, self._woken], [], [], 1.0)
            if ready in readable and os.read(ready, 1):
                os.close(ready)
                self._serving = True
                return
            self._drain()

    def _fork(self, slot: _Slot, *, first: bool = False, ready: int = -1, drop: int = -1) -> Worker | None:
        """Start a worker; what is returned is none in the parent."""
        # A signal between the fork and the child's own handlers waits for them.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [*_PASSED_ON, signal.SIGCHLD])
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            slot.pid, slot.since_s = pid, self._clock()
            return None
        signal.set_wakeup_fd(-1)
        for end in (self._held, self._woken, self._wake, drop):
            if end >= 0:
                os.close(end)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # Until it watches its settings there is nothing to read anew.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        # Ctrl-C reaches all processes of a terminal's group: the parent alone is to hear it, and passes it on.
        with suppress(OSError):
            os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return Worker(self._slots.index(slot), first=first, ready=ready, parent=self._alive)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._told.append(number)

    def _act(self) -> None:
        """Pass signals on, and see which workers have ended."""
        while self._told:
            number = self._told.pop(0)
            if number == signal.SIGHUP:
                self._send(signal.SIGHUP)
                continue
            if not self._stopping:
                self._stopping = number
                self._kill_s = self._clock() + self._patience_s
            # A second signal ends the workers at once, as it does a process alone.
            self._send(signal.SIGTERM)
        if self._stopping and self._clock() > self._kill_s:
            logger.error("workers have not ended in time, they are killed")
            self._send(signal.SIGKILL)
            self._kill_s = self._clock() + _PATIENCE_S
        for slot in self._slots:
            if slot.pid:
                pid, status = os.waitpid(slot.pid, os.WNOHANG)
                if pid:
                    self._ended(slot, os.waitstatus_to_exitcode(status))

    def _ended(self, slot: _Slot, code: int) -> None:
        lived_s = self._clock() - slot.since_s
        pid, slot.pid, self._code = slot.pid, 0, code
        if self._stopping or not self._serving:
            return
        slot.pause_s = 0.0 if lived_s >= _PROVED_S else min(_LONGEST_S, max(_SHORTEST_S, 2 * slot.pause_s))
        slot.due_s = self._clock() + slot.pause_s
        logger.error(
            "pid=<%d>, code=<%d>, lived_s=<%.1f>, pause_s=<%.1f> | a worker died, another one takes its place",
            pid,
            code,
            lived_s,
            slot.pause_s,
        )

    def _fill(self) -> Worker | None:
        for slot in self._slots:
            if not slot.pid and not self._stopping and slot.due_s <= self._clock():
                worker = self._fork(slot)
                if worker is not None:
                    return worker
        return None

    def _send(self, number: int) -> None:
        for slot in self._slots:
            if slot.pid:
                with suppress(ProcessLookupError):
                    os.kill(slot.pid, number)

    def _next_s(self) -> float:
        """How long nothing needs to be done, unless a signal comes."""
        due = [slot.due_s - self._clock() for slot in self._slots if not slot.pid and not self._stopping]
        return max(0.01, min([1.0, *due]))

    def _wait(self, seconds: float) -> None:
        select.select([self._woken], [], [], seconds)
        self._drain()

    def _drain(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._woken, 512):
                pass

    def _end(self) -> NoReturn:
        if self._stopping == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(EXIT_TERMINATED)

    _code = 0
    _serving = False
    _alive = _held = _woken = _wake = -1
