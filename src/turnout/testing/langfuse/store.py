"""What the double keeps, and when it can be read: spans as observations, and scores."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from turnout.testing.clock import Clock

PROJECT = "simulated-project"
"""The project that everything in the double belongs to."""

LATE_S = 600.0
"""Seconds by which spans come later that were sent without the ingestion-version header (documented: about ten
minutes)."""


@dataclass(frozen=True, kw_only=True)
class StoredSpan:
    """One observation. Times are whole milliseconds, as Langfuse gives them."""

    id: str
    trace_id: str
    parent_id: str
    name: str
    type: str
    started: datetime
    ended: datetime | None
    first_content: datetime | None = None
    level: str = "DEFAULT"
    message: str | None = None
    trace_name: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    tags: tuple[str, ...] = ()
    version: str | None = None
    release: str | None = None
    environment: str = "default"
    model: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    cost: dict[str, Decimal] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    root: bool = False

    @property
    def latency_s(self) -> float | None:
        """Seconds from begin to end."""
        return None if self.ended is None else (self.ended - self.started).total_seconds()


@dataclass(frozen=True, kw_only=True)
class StoredScore:
    """One score as it was sent, by the API's names."""

    id: str
    body: dict[str, Any]


class Store:
    """Spans and scores of one project. Safe for several threads.

    Args:
        clock: Gives the present second, and never an earlier one than before.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.delay_s = 0.0
        self.delay_reads = 0
        self._spans: dict[tuple[str, str], tuple[StoredSpan, float]] = {}
        self._reads_left: dict[tuple[str, str], int] = {}
        self._scores: dict[str, StoredScore] = {}
        self._lock = threading.Lock()

    def add(self, spans: Iterable[StoredSpan], *, late: bool) -> None:
        """Take spans in; one that is known already is replaced."""
        with self._lock:
            visible_at = self.clock() + self.delay_s + (LATE_S if late else 0.0)
            for span in spans:
                key = span.trace_id, span.id
                self._spans[key] = span, visible_at
                self._reads_left[key] = self.delay_reads

    def add_score(self, score: StoredScore) -> None:
        """Take a score in; one with a known id is replaced."""
        with self._lock:
            self._scores[score.id] = score

    def read(self) -> list[StoredSpan]:
        """What can be read now; for spans that come after a number of reads this is one of them."""
        with self._lock:
            now, found = self.clock(), []
            for key, (span, visible_at) in self._spans.items():
                if self._reads_left[key]:
                    self._reads_left[key] -= 1
                elif visible_at <= now:
                    found.append(span)
            return found

    @property
    def spans(self) -> list[StoredSpan]:
        """Everything that was taken in, whether it can be read yet or not."""
        with self._lock:
            return [span for span, _ in self._spans.values()]

    @property
    def scores(self) -> list[StoredScore]:
        """All scores."""
        with self._lock:
            return list(self._scores.values())

    def clear(self) -> None:
        """Forget everything, delays too."""
        with self._lock:
            self.delay_s, self.delay_reads = 0.0, 0
            self._spans.clear()
            self._reads_left.clear()
            self._scores.clear()


def iso(moment: datetime) -> str:
    """A time as Langfuse writes it: ``2026-11-22T10:00:00.123Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
