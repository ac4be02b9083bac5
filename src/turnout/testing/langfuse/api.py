"""The double's endpoints: a request's method, path, query and body in, status and JSON out."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from turnout.testing.langfuse import views
from turnout.testing.langfuse.errors import ApiError, invalid
from turnout.testing.langfuse.filters import conditions_of, test_of, time_of
from turnout.testing.langfuse.ingest import observation_of
from turnout.testing.langfuse.metrics import rows_of
from turnout.testing.langfuse.otlp import spans_of
from turnout.testing.langfuse.scores import Answer, take_scores
from turnout.testing.langfuse.store import Store, StoredSpan, iso

Generation = Literal["v4", "v3"]
"""``v4``: the v2 read API and batches of scores. ``v3``: a self-hosted server with the v1 API and single scores."""

_TRACE = "/api/public/traces/"
_MOST_V2, _MOST_V1 = 1000, 100


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request, as far as the endpoints need it."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        """The JSON body.

        Raises:
            ApiError: It is none.
        """
        try:
            return json.loads(self.raw)
        except ValueError as error:
            raise invalid("the request body is no valid JSON") from error

    def one(self, name: str) -> str | None:
        """A value of the query, or none."""
        return self.query.get(name, [None])[0]


class Api:
    """The endpoints over one store.

    Args:
        store: What is kept.
        generation: Which server answers.
        batch_scores: Whether it takes lists of scores.
        missing_status: What a server without the v2 read API answers there: 501 where it is turned off, 404 before it.
    """

    def __init__(self, store: Store, generation: Generation, *, batch_scores: bool, missing_status: int) -> None:
        self.store = store
        self.generation = generation
        self.batch_scores = batch_scores
        self.missing_status = missing_status

    def answer(self, request: Request) -> Answer:
        """Status and JSON.

        Raises:
            ApiError: The request is refused.
        """
        match request.method, request.path:
            case "POST", "/api/public/otel/v1/traces":
                return self._take_spans(request)
            case "POST", "/api/public/scores":
                return take_scores(self.store, request.json, batches=self.batch_scores)
            case "GET", "/api/public/health":
                return 200, {"status": "OK", "version": "4.16.0" if self.generation == "v4" else "3.150.0"}
            case "GET", "/api/public/v2/observations" if self._has_v2():
                return self._v2_observations(request)
            case "GET", "/api/public/v2/metrics" if self._has_v2():
                return 200, {"data": rows_of(request.one("query") or "", self.store.read())}
            case "GET", "/api/public/traces" if self.generation == "v3":
                return self._v1_traces(request)
            case "GET", path if self.generation == "v3" and path.startswith(_TRACE):
                return self._v1_trace(unquote(path.removeprefix(_TRACE)))
        raise ApiError(404, "there is nothing at this path")

    def _has_v2(self) -> bool:
        if self.generation == "v3":
            raise ApiError(self.missing_status, "v2 APIs are currently in beta and only available on Langfuse Cloud")
        return True

    def _take_spans(self, request: Request) -> Answer:
        headers = request.headers
        spans = spans_of(request.raw, headers.get("content-type", ""), headers.get("content-encoding", ""))
        late = headers.get("x-langfuse-ingestion-version") != "4"
        self.store.add((observation_of(span) for span in spans), late=late)
        return 200, {}

    def _v2_observations(self, request: Request) -> Answer:
        limit = _number(request.one("limit"), 50, _MOST_V2)
        # A filter takes precedence over the plain parameters.
        given = request.one("filter")
        fits = test_of(conditions_of(given) if given else _plain_conditions(request))
        asked = [group.strip() for group in (request.one("fields") or "core,basic").split(",")]
        expanded = [key.strip() for key in (request.one("expandMetadata") or "").split(",")]
        found = sorted(filter(fits, self.store.read()), key=_newest_first, reverse=True)
        after = request.one("cursor")
        if after:
            cut = _cursor_of(after)
            found = [span for span in found if _place(span) < cut]
        meta = {}
        if len(found) > limit:
            found = found[:limit]
            meta = {"cursor": _cursor(found[-1])}
        return 200, {"data": [views.v2_observation(span, asked, expanded) for span in found], "meta": meta}

    def _v1_traces(self, request: Request) -> Answer:
        page, limit = _number(request.one("page"), 1), _number(request.one("limit"), 50, _MOST_V1)
        traces = [
            views.v1_trace(spans) | {"observations": [span.id for span in spans], "scores": []}
            for spans in self._by_trace()
        ]
        name, tags = request.one("name"), set(request.query.get("tags", ()))
        begin, end = request.one("fromTimestamp"), request.one("toTimestamp")
        found = [
            trace
            for trace in traces
            if (name is None or trace["name"] == name)
            and tags <= set(trace["tags"])
            and (begin is None or trace["timestamp"] >= iso(time_of(begin)))
            and (end is None or trace["timestamp"] < iso(time_of(end)))
        ]
        column, _, direction = (request.one("orderBy") or "timestamp.desc").partition(".")
        if column != "timestamp" or direction not in ("asc", "desc"):
            raise invalid("traces are ordered by timestamp.asc or timestamp.desc here")
        found.sort(key=lambda trace: (trace["timestamp"], trace["id"]), reverse=direction == "desc")
        meta = {"page": page, "limit": limit, "totalItems": len(found), "totalPages": -(-len(found) // limit)}
        return 200, {"data": found[(page - 1) * limit : page * limit], "meta": meta}

    def _v1_trace(self, trace_id: str) -> Answer:
        for spans in self._by_trace():
            if spans[0].trace_id == trace_id:
                observations = [views.v1_observation(span) for span in sorted(spans, key=_newest_first)]
                return 200, views.v1_trace(spans) | {"observations": observations, "scores": []}
        raise ApiError(404, f"Trace {trace_id} not found within authorized project")

    def _by_trace(self) -> list[list[StoredSpan]]:
        traces: dict[str, list[StoredSpan]] = {}
        for span in self.store.read():
            traces.setdefault(span.trace_id, []).append(span)
        return list(traces.values())


def _plain_conditions(request: Request) -> Sequence[Any]:
    texts = ("traceId", "name", "type", "userId", "sessionId", "level", "version")
    conditions: list[dict[str, Any]] = [
        {"type": "string", "column": name, "operator": "=", "value": value}
        for name in texts
        if (value := request.one(name)) is not None
    ]
    for name, operator in (("fromStartTime", ">="), ("toStartTime", "<")):
        if (value := request.one(name)) is not None:
            conditions.append({"type": "datetime", "column": "startTime", "operator": operator, "value": value})
    if environments := request.query.get("environment"):
        wanted = {"type": "stringOptions", "column": "environment", "operator": "any of", "value": environments}
        conditions.append(wanted)
    return conditions


def _number(text: str | None, default: int, most: int | None = None) -> int:
    if text is None:
        return default
    if not text.isdecimal() or int(text) < 1 or (most is not None and int(text) > most):
        raise invalid(f"a page or limit must be a number from 1{'' if most is None else f' to {most}'}")
    return int(text)


def _newest_first(span: StoredSpan) -> tuple[str, str, str]:
    return _place(span)


def _place(span: StoredSpan) -> tuple[str, str, str]:
    return iso(span.started), span.trace_id, span.id


def _cursor(span: StoredSpan) -> str:
    started, trace_id, span_id = _place(span)
    value = {"lastStartTimeTo": started, "lastTraceId": trace_id, "lastId": span_id}
    return base64.b64encode(json.dumps(value).encode()).decode()


def _cursor_of(text: str) -> tuple[str, str, str]:
    try:
        value = json.loads(base64.b64decode(text, validate=True))
        return value["lastStartTimeTo"], value["lastTraceId"], value["lastId"]
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise invalid("Invalid cursor format") from error
