"""Scripted faults: what goes wrong on the next requests, in the order in which it was written down."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

FaultT = TypeVar("FaultT")


class FaultScript(Generic[FaultT]):
    """The faults to come, of the kind that a double knows. Safe for several threads."""

    def __init__(self) -> None:
        self._faults: list[tuple[FaultT, int | None]] = []
        self._lock = threading.Lock()

    def add(self, fault: FaultT, *, times: int | None = 1) -> None:
        """Let the next ``times`` requests that it is meant for fail like this; none for all to come.

        Faults are taken in the order in which they were added.

        Raises:
            ValueError: ``times`` is below 1.
        """
        if times is not None and times < 1:
            raise ValueError(f"a fault happens at least once, not {times} times")
        with self._lock:
            self._faults.append((fault, times))

    def clear(self) -> None:
        """Forget the faults to come."""
        with self._lock:
            self._faults.clear()

    def __len__(self) -> int:
        """How many scripted entries have not been used up."""
        with self._lock:
            return len(self._faults)

    def take_first(self, meant: Callable[[FaultT], bool]) -> FaultT | None:
        """The first fault that is meant, which is thereby used up once; none where no fault is."""
        with self._lock:
            for index, (fault, times) in enumerate(self._faults):
                if meant(fault):
                    if times == 1:
                        del self._faults[index]
                    elif times is not None:
                        self._faults[index] = (fault, times - 1)
                    return fault
        return None
