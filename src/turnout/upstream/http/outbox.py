"""What the tasks of one turn of the event loop have to send leaves at the turn's end, together.

A write to a connection within the same machine wakes the process at its other end if that sleeps, and the writer pays
for it: several times what the write itself costs. Whoever was woken by one write is awake for those that follow at
once. The agent beside the gateway is such a process, and so is a model that is served on the same machine.

Where only one request is under way nothing is to wait: at the turn's end another thread may come first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sized

MOST_BYTES = 64 * 1024
"""Of a connection's bytes more do not wait: they would be copied, and it is to tell soon when its buffer is full."""

LONGEST_S = 0.002
"""After so many seconds of a turn what waits leaves before its end, so that long tasks do not hold up others' bytes."""


class Outbox:
    """What is to leave. Use it from one event loop.

    Attributes:
        tasks: The tasks that have something to send, such as those that serve requests: set by a server that keeps
            them. Where nobody says, nothing waits.
    """

    __slots__ = ("_since_s", "_waiting", "tasks")

    def __init__(self) -> None:
        self.tasks: Sized = ()
        self._waiting: list[Callable[[], None]] = []
        self._since_s = 0.0

    @property
    def waits(self) -> bool:
        """Whether anything is to wait for the end of the turn: there are others that it may leave with."""
        return len(self.tasks) > 1

    def add(self, leave: Callable[[], None]) -> None:
        """Have something leave at the end of this turn.

        Args:
            leave: Writes it. It must not raise, also where the connection is gone by then.
        """
        if not self._waiting:
            self._since_s = time.perf_counter()
            asyncio.get_running_loop().call_soon(self.flush)
        elif time.perf_counter() - self._since_s > LONGEST_S:
            self.flush()
            self.add(leave)
            return
        self._waiting.append(leave)

    def flush(self) -> None:
        """Let all leave now."""
        waiting, self._waiting = self._waiting, []
        for leave in waiting:
            leave()
