"""Waiting for what is written elsewhere and can be read only later: bounded in tries and in time, and cancellable."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

import msgspec

from turnout.trace.langfuse.errors import WaitCancelledError


class Cancel(Protocol):
    """What ends a wait early, such as a `threading.Event`."""

    def wait(self, timeout: float) -> bool:
        """Wait for so many seconds, or until it is set; true if it is set."""


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait for a trace. The defaults are the reference system's.

    Attributes:
        wait_seconds: Seconds before the first look and between looks.
        max_retries: How many looks may follow the first one.
        timeout_seconds: Seconds in all. No look begins after them, and the last one is cut off about then.

    Raises:
        ValueError: A value is negative or no number.
    """

    wait_seconds: float = 5.0
    max_retries: int = 5
    timeout_seconds: float = 120.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not getattr(self, name) >= 0 or math.isinf(getattr(self, name)):
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")


class Waiting:
    """One wait: counts its looks and its time.

    Args:
        patience: How long.
        cancel: Ends the wait when it is set; none: only time does.
        clock: Seconds of a clock that never goes back.
        at_once: Whether the first look is made before anything is waited for.
    """

    def __init__(
        self,
        patience: Patience,
        cancel: Cancel | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        at_once: bool = False,
    ) -> None:
        self.patience = patience
        self.looks = 0
        self._at_once = at_once
        self._cancel = cancel or threading.Event()
        self._clock = clock
        self._ends = clock() + patience.timeout_seconds

    @property
    def remaining_s(self) -> float:
        """Seconds until the time is over, 0 at least."""
        return max(0.0, self._ends - self._clock())

    def next_look(self, at_least_s: float = 0.0) -> bool:
        """Wait for the next look; false where none may follow.

        Args:
            at_least_s: Seconds that somebody asked us to wait. If the time does not reach, no look follows.

        Raises:
            WaitCancelledError: The wait was cancelled.
        """
        pause = 0.0 if self._at_once and not self.looks else max(self.patience.wait_seconds, at_least_s)
        if self.looks > self.patience.max_retries or (self.looks and pause > self.remaining_s):
            return False
        if self._cancel.wait(min(pause, self.remaining_s)):
            raise WaitCancelledError("the wait was cancelled")
        self.looks += 1
        return True
