"""A clock that stands until it is told to go, for what a double lets expire or come late, without waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable

Clock = Callable[[], float]
"""The present second; the origin does not matter."""


class ManualClock:
    """Seconds since the epoch that pass only when `advance` is called.

    Give it to a double as ``clock``. It may be used from several threads.
    """

    def __init__(self, start: float = 1_760_000_000.0) -> None:
        self._now = start
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """The present second."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass.

        Raises:
            ValueError: ``seconds`` is negative.
        """
        if seconds < 0:
            raise ValueError(f"a clock cannot go back: {seconds} s")
        with self._lock:
            self._now += seconds
