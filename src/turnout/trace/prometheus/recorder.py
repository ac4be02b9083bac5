"""Counts events on the caller's path, and writes the sums as text when Prometheus asks.

`MetricsRecorder.record` never waits. It counts events some at a time, and one that comes while another thread counts,
or while the sums are read, or in a signal handler that interrupts either, is left to be counted by whoever is next. So
nothing is counted twice or lost, and the numbers that are read are those of all events recorded before.

Known limitations: the counts are those of one process since its start, as Prometheus expects; those of several are
added up by `turnout.trace.prometheus.sharing`. A child made by ``fork`` begins with its parent's counts.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import turnout
from turnout.config.extras import require
from turnout.trace.events import Event
from turnout.trace.prometheus.families import breaker_family, build_family, dropped_family, families
from turnout.trace.prometheus.sharing import Counted, added
from turnout.trace.prometheus.totals import Totals

logger = logging.getLogger(__name__)


_TOGETHER = 32
"""So many events are counted at once, or as many as there are when somebody reads the numbers."""


class BreakerName(Protocol):
    """What a breaker is kept for, as `turnout.upstream.breaker.BreakerKey`."""

    @property
    def model(self) -> str:
        """A catalog id."""

    @property
    def region(self) -> str:
        """The region, or empty."""


class Exposition(NamedTuple):
    """An answer to a scrape: its body and its ``content-type``."""

    body: bytes
    content_type: str


class Collector(Protocol):
    """Gives further metric families when they are read, as collectors of ``prometheus_client`` do."""

    def collect(self) -> Iterable[Any]:
        """The families."""


class MetricsRecorder:
    """A place where events go (`turnout.trace.events.Records`) that counts them for Prometheus.

    Args:
        models: The catalog ids that get a label of their own, such as the candidates and the classifier's model; all
            others are ``other``.
        breakers: Gives the breakers' states when they are read:
            ``lambda: router.breakers.states(router.now_ms()).items()``.
        dropped: For each other place where events go, such as ``ledger``, how many it has dropped.
        collectors: Give further families, such as a server's own.

    Raises:
        MissingExtraError: ``prometheus_client`` is not installed.
    """

    def __init__(
        self,
        models: Iterable[str],
        *,
        breakers: Callable[[], Iterable[tuple[BreakerName, str]]] | None = None,
        dropped: Mapping[str, Callable[[], int]] | None = None,
        collectors: Iterable[Collector] = (),
    ) -> None:
        self._core = require("prometheus_client.core", extra="gateway")
        self._exposition = require("prometheus_client.exposition", extra="gateway")
        self._totals = Totals(models)
        self._breakers = breakers
        self._dropped = dict(dropped or {})
        self._lost_before: Mapping[str, int] = {}
        self._collectors = tuple(collectors)
        self._waiting: deque[Event] = deque()
        # Not reentrant on purpose: a signal handler that interrupts the holder must leave its event.
        self._counting = threading.Lock()

    def use_models(self, models: Iterable[str]) -> None:
        """Replace the models that have labels of their own, after settings were read anew; counts stay."""
        with self._counting:
            self._count()  # what came before counts under the labels of its time
            self._totals.models = frozenset(models)

    def record(self, event: Event) -> None:
        """Count one event."""
        self._waiting.append(event)
        if len(self._waiting) >= _TOGETHER and self._counting.acquire(blocking=False):
            try:
                self._count()
            finally:
                self._counting.release()

    def counted(self) -> Counted:
        """All that was counted, for other processes of the same server."""
        with self._counting:
            self._count()
        states = () if self._breakers is None else self._breakers()
        return Counted(self._totals, tuple((key.model, key.region, state) for key, state in states), self._lost())

    def go_on_from(self, before: Counted) -> None:
        """Count on from what a process before had counted, whose place this one takes."""
        with self._counting:
            self._totals.merge(before.totals)
        self._lost_before = before.dropped

    def _lost(self) -> dict[str, int]:
        return {place: count() + self._lost_before.get(place, 0) for place, count in self._dropped.items()}

    def render(self) -> bytes:
        """All metrics in Prometheus' text format 0.0.4 (``text/plain; version=0.0.4; charset=utf-8``)."""
        return self.exposition().body

    def exposition(self, accept: str = "", parts: Iterable[Counted] | None = None) -> Exposition:
        """All metrics in the format that a request's ``accept`` header asks for: OpenMetrics, else text.

        With ``parts`` they are those of several processes (`turnout.trace.prometheus.sharing`). It takes some
        milliseconds of computing (`benchmarks/bench_metrics.py`) and does no I/O.
        """
        writer, content_type = self._exposition.choose_encoder(accept)
        counted = self.counted() if parts is None else added(self._totals.models, parts)
        with self._counting:
            found = list(families(self._core, counted.totals))
        if self._breakers is not None:
            found.append(breaker_family(self._core, counted.totals, counted.breakers))
        found.append(dropped_family(self._core, counted.dropped))
        found.append(build_family(self._core, turnout.__version__))
        for collector in self._collectors:
            found.extend(collector.collect())
        body: bytes = writer(_Collected(found))
        return Exposition(body, content_type)

    def _count(self) -> None:
        while self._waiting:
            event = self._waiting.popleft()
            try:
                self._totals.add(event)
            except Exception:
                logger.exception("kind=<%s> | an event was not counted", type(event).__name__)


class _Collected:
    """Families that were read, as the writer takes them."""

    def __init__(self, found: list[Any]) -> None:
        self._found = found

    def collect(self) -> list[Any]:
        return self._found
