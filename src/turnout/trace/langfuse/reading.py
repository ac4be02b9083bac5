"""What Langfuse holds of an agent, as the same metrics that the ledger gives: exact and bounded costs apart there too.

Langfuse takes spans in first and shows them later, so a look may come too early: see too little of a trace, or the one
before it. A reader therefore waits, looks again, and says whether what it saw was whole.

Langfuse 4 is read by its v2 API. A server without it (404, or 501 where it is turned off) is read by the older v1
API, which may lag by about ten minutes.

Known limitation: without a time to begin at, the newest trace that can be seen may be an older one than was meant.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

import msgspec

from turnout.trace.closing import Closing
from turnout.trace.langfuse import names
from turnout.trace.langfuse.client import Filter, LangfuseClient, equals
from turnout.trace.langfuse.errors import ApiMissingError, LangfuseUnavailableError, TraceNotFoundError
from turnout.trace.langfuse.observations import Observation, from_v1, from_v2
from turnout.trace.langfuse.settings import LangfuseSettings
from turnout.trace.langfuse.totals import ModelTotals, added_up, totals_of_row, totals_query
from turnout.trace.langfuse.turns import calls_among, is_whole, run_of, turn_of
from turnout.trace.langfuse.waiting import Cancel, Patience, Waiting
from turnout.trace.views.metrics import RunMetrics, TurnMetrics

logger = logging.getLogger(__name__)

DEFAULT_PATIENCE = Patience()
"""5 seconds before each look, six looks, 120 seconds in all."""

_V1_PAGE = 50
_Value = TypeVar("_Value")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """One trace as it was read.

    Attributes:
        turn: Its figures.
        trace_id: Its id.
        api: Which API gave it.
        whole: Whether it showed no gap, or was the same in two looks; else more of it may come.
        looks: How many looks it took.
    """

    turn: TurnMetrics
    trace_id: str
    api: Literal["v2", "v1"]
    whole: bool
    looks: int


class LangfuseReader(Closing):
    """Reads one Langfuse project. Close it, or use it in a ``with`` statement.

    Args:
        settings: Where, and with which keys.
        request_timeout_s: Seconds after which a request without an answer is given up.
        clock: Seconds of a clock that never goes back.

    Raises:
        MissingPackageError: The Langfuse SDK is not installed.
    """

    def __init__(
        self,
        settings: LangfuseSettings,
        *,
        request_timeout_s: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = LangfuseClient(settings, request_timeout_s=request_timeout_s)
        self._clock = clock
        self._old = False

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def latest(
        self,
        agent_name: str,
        *,
        since_ms: float | None = None,
        patience: Patience = DEFAULT_PATIENCE,
        cancel: Cancel | None = None,
    ) -> Reading:
        """The newest trace of an agent, once it can be seen.

        Args:
            agent_name: The trace's name, exactly.
            since_ms: Only traces of which a part began then or later, in milliseconds since the epoch: give it the
                moment before the agent was called, and an older trace is never taken for the new one.
            patience: How long to wait.
            cancel: Ends the waiting when it is set.

        Raises:
            TraceNotFoundError: No look saw one.
            LangfuseUnavailableError: Langfuse did not answer in the end.
            WaitCancelledError: ``cancel`` was set.
            LangfuseError: Another failure, at once.
        """
        conditions = [equals("traceName", agent_name), *_since(since_ms)]

        def look(waiting: Waiting) -> list[Observation]:
            trace_id = self._client.newest_trace_id(conditions, within_s=waiting.remaining_s)
            return self._trace(trace_id, waiting) if trace_id else []

        def old_look(waiting: Waiting) -> list[Observation]:
            parameters = {"name": agent_name, "limit": 1, "orderBy": "timestamp.desc", **_from(since_ms)}
            trace_ids, _ = self._v1_page(parameters, waiting)
            return self._v1_seen(trace_ids[0], waiting) if trace_ids else []

        return self._awaited(look, old_look, f"no trace of the agent {agent_name!r}", patience, cancel)

    def trace(self, trace_id: str, *, patience: Patience = DEFAULT_PATIENCE, cancel: Cancel | None = None) -> Reading:
        """One trace by its id, once it can be seen; for the rest see `latest`."""

        def look(waiting: Waiting) -> list[Observation]:
            return self._trace(trace_id, waiting)

        def old_look(waiting: Waiting) -> list[Observation]:
            return self._v1_seen(trace_id, waiting)

        return self._awaited(look, old_look, f"no trace {trace_id!r}", patience, cancel)

    def run(self, run: str, *, timeout_seconds: float = 120.0, cancel: Cancel | None = None) -> RunMetrics:
        """The metrics of a run as far as Langfuse shows it now; see `turnout.trace.views.metrics.run_metrics`.

        A failed look is repeated twice; a run that is still being taken in is not waited for.

        Args:
            run: The run's name.
            timeout_seconds: Seconds in all.
            cancel: Ends the waiting between looks when it is set.

        Raises:
            TraceNotFoundError: Langfuse shows no such run.
            LangfuseError: It cannot be read.
        """
        tag = names.RUN_TAG + run
        conditions = [{"type": "arrayOptions", "column": "tags", "operator": "any of", "value": [tag]}]

        def look(waiting: Waiting) -> list[Observation]:
            return self._observations(conditions, waiting)

        def old_look(waiting: Waiting) -> list[Observation]:
            return list(self._v1_observations({"tags": tag}, waiting))

        found = self._persistently(look, old_look, timeout_seconds, cancel)
        own = [one for one in found if one.own and one.facts.get("run", "") == run]
        if not own:
            raise TraceNotFoundError(f"langfuse at {self._client.settings.base_url} shows no run {run!r}, or not yet")
        return run_of(run, own)

    def model_totals(
        self,
        agent_name: str,
        *,
        from_ms: float,
        to_ms: float,
        timeout_seconds: float = 120.0,
        cancel: Cancel | None = None,
    ) -> tuple[ModelTotals, ...]:
        """What Langfuse adds up for each model of an agent's traces in a period: a check on the figures of its turns.

        Only generations are counted. On an old server they are added up here from its traces.

        Args:
            agent_name: The traces' name, exactly.
            from_ms: The period's first millisecond, since the epoch.
            to_ms: The millisecond after its last.
            timeout_seconds: Seconds in all.
            cancel: Ends the waiting between looks when it is set.

        Raises:
            LangfuseError: It cannot be read.
        """
        query = totals_query(agent_name, _iso(from_ms), _iso(to_ms))

        def look(waiting: Waiting) -> list[ModelTotals]:
            rows = self._client.metrics(query, within_s=waiting.remaining_s)
            with self._readable("v2 metrics"):
                return [totals_of_row(row) for row in rows]

        def old_look(waiting: Waiting) -> list[ModelTotals]:
            parameters = {"name": agent_name, "fromTimestamp": _iso(from_ms), "toTimestamp": _iso(to_ms)}
            return added_up(calls_among(list(self._v1_observations(parameters, waiting))))

        found = self._persistently(look, old_look, timeout_seconds, cancel)
        return tuple(sorted(found, key=lambda totals: totals.model))

    def _awaited(
        self,
        look: Callable[[Waiting], list[Observation]],
        old_look: Callable[[Waiting], list[Observation]],
        nothing: str,
        patience: Patience,
        cancel: Cancel | None,
    ) -> Reading:
        waiting = Waiting(patience, cancel, self._clock)
        seen: list[Observation] = []
        problem: LangfuseUnavailableError | None = None
        while waiting.next_look(problem.retry_after_s if problem else 0.0):
            try:
                found = self._either(look, old_look, waiting)
            except LangfuseUnavailableError as error:
                logger.info("looks=<%d>, error=<%s> | langfuse is asked again", waiting.looks, error)
                problem = error
                continue
            problem = None
            if found and (is_whole(found) or _same(found, seen)):
                return self._reading(found, waiting, whole=True)
            seen = found or seen
        if seen:
            logger.warning(
                "trace_id=<%s>, looks=<%d> | langfuse may not show the whole trace yet", seen[0].trace_id, waiting.looks
            )
            return self._reading(seen, waiting, whole=False)
        if problem is not None:
            raise problem
        raise TraceNotFoundError(
            f"langfuse at {self._client.settings.base_url} shows {nothing} ({waiting.looks} looks): "
            "check the name and the project, or wait longer"
        )

    def _reading(self, found: Sequence[Observation], waiting: Waiting, *, whole: bool) -> Reading:
        return Reading(
            turn=turn_of(found),
            trace_id=found[0].trace_id,
            api="v1" if self._old else "v2",
            whole=whole,
            looks=waiting.looks,
        )

    def _persistently(
        self,
        look: Callable[[Waiting], _Value],
        old_look: Callable[[Waiting], _Value],
        timeout_seconds: float,
        cancel: Cancel | None,
    ) -> _Value:
        """One look at once, and two more if Langfuse cannot answer."""
        waiting = Waiting(Patience(wait_seconds=0, max_retries=2, timeout_seconds=timeout_seconds), cancel, self._clock)
        problem = LangfuseUnavailableError("langfuse was not asked: the time was over before")
        while waiting.next_look(problem.retry_after_s if waiting.looks else 0.0):
            try:
                return self._either(look, old_look, waiting)
            except LangfuseUnavailableError as error:
                logger.info("looks=<%d>, error=<%s> | langfuse is asked again", waiting.looks, error)
                problem = error
        raise problem

    def _either(
        self, look: Callable[[Waiting], _Value], old_look: Callable[[Waiting], _Value], waiting: Waiting
    ) -> _Value:
        """Look by the v2 API, and from then on by v1 if there is none."""
        if not self._old:
            try:
                return look(waiting)
            except ApiMissingError as error:
                logger.warning("error=<%s> | the older v1 API is read, which may lag by about ten minutes", error)
                self._old = True
        return old_look(waiting)

    def _trace(self, trace_id: str, waiting: Waiting) -> list[Observation]:
        return self._observations([equals("traceId", trace_id)], waiting)

    def _observations(self, conditions: Sequence[Filter], waiting: Waiting) -> list[Observation]:
        found = list(self._client.observations(conditions, remaining=lambda: waiting.remaining_s))
        with self._readable("v2 observations"):
            return [from_v2(one) for one in found]

    def _v1_trace(self, trace_id: str, waiting: Waiting) -> list[Observation]:
        answer = self._client.v1_trace(trace_id, within_s=waiting.remaining_s)
        with self._readable("v1 traces"):
            return [from_v1(one) for one in answer["observations"]]

    def _v1_seen(self, trace_id: str, waiting: Waiting) -> list[Observation]:
        """The same, or nothing where it cannot be seen yet."""
        try:
            return self._v1_trace(trace_id, waiting)
        except TraceNotFoundError:
            return []

    def _v1_page(self, parameters: Mapping[str, Any], waiting: Waiting) -> tuple[list[str], int]:
        """The ids of one page of traces, and how many pages there are."""
        answer = self._client.v1_traces(parameters, within_s=waiting.remaining_s)
        with self._readable("v1 traces"):
            return [trace["id"] for trace in answer["data"]], int(answer["meta"]["totalPages"])

    def _v1_observations(self, parameters: Mapping[str, Any], waiting: Waiting) -> Iterator[Observation]:
        """All observations of all traces that fit, trace by trace."""
        page, pages = 1, 1
        while page <= pages:
            asked = {**parameters, "page": page, "limit": _V1_PAGE, "orderBy": "timestamp.asc"}
            trace_ids, pages = self._v1_page(asked, waiting)
            for trace_id in trace_ids:
                yield from self._v1_seen(trace_id, waiting)
            page += 1

    @contextmanager
    def _readable(self, what: str) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._client.not_langfuse(f"{what}, {type(error).__name__}") from error


def _since(since_ms: float | None) -> list[Filter]:
    if since_ms is None:
        return []
    return [{"type": "datetime", "column": "startTime", "operator": ">=", "value": _iso(since_ms)}]


def _from(since_ms: float | None) -> dict[str, str]:
    return {} if since_ms is None else {"fromTimestamp": _iso(since_ms)}


def _iso(milliseconds: float) -> str:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _same(one: Sequence[Observation], other: Sequence[Observation]) -> bool:
    return sorted(one, key=_id) == sorted(other, key=_id)


def _id(observation: Observation) -> str:
    return observation.id
