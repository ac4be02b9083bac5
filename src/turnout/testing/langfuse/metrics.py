"""The v2 metrics API over observations: groups, sums, means and counts. Views of scores are not simulated."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from turnout.testing.langfuse.errors import invalid
from turnout.testing.langfuse.filters import test_of, time_of
from turnout.testing.langfuse.store import StoredSpan

_DIMENSIONS: dict[str, Callable[[StoredSpan], Any]] = {
    "environment": lambda span: span.environment,
    "type": lambda span: span.type,
    "name": lambda span: span.name,
    "level": lambda span: span.level,
    "version": lambda span: span.version,
    "release": lambda span: span.release,
    "tags": lambda span: list(span.tags),
    "traceName": lambda span: span.trace_name,
    "providedModelName": lambda span: span.model,
    "isRootObservation": lambda span: span.root,
}
_UNGROUPABLE = ("id", "traceId", "userId", "sessionId", "parentObservationId")
_MEASURES: dict[str, Callable[[StoredSpan], Decimal | None]] = {
    "count": lambda span: Decimal(1),
    "latency": lambda span: None if span.latency_s is None else Decimal(str(span.latency_s)) * 1000,
    "inputTokens": lambda span: _tokens(span, "input"),
    "outputTokens": lambda span: _tokens(span, "output"),
    "totalTokens": lambda span: Decimal(span.usage.get("total", 0)),
    "inputCost": lambda span: _began(span, "input"),
    "outputCost": lambda span: _began(span, "output"),
    "totalCost": lambda span: span.cost.get("total"),
}
_AGGREGATIONS: dict[str, Callable[[Sequence[Decimal]], Decimal | None]] = {
    "sum": lambda values: sum(values, start=Decimal(0)),
    "count": lambda values: Decimal(len(values)),
    "avg": lambda values: sum(values, start=Decimal(0)) / len(values) if values else None,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
}


def rows_of(query: str, spans: Sequence[StoredSpan]) -> list[dict[str, Any]]:
    """The rows of a query over observations.

    Raises:
        ApiError: The query is none that is known here.
    """
    try:
        asked = json.loads(query)
    except ValueError as error:
        raise invalid("Invalid JSON in query parameter") from error
    if not isinstance(asked, dict) or asked.get("view") != "observations":
        raise invalid("view must be observations here")
    begin, end = time_of(asked.get("fromTimestamp")), time_of(asked.get("toTimestamp"))
    if begin >= end:
        raise invalid("fromTimestamp must be before toTimestamp")
    dimensions = [_dimension(one) for one in asked.get("dimensions") or ()]
    metrics = [_metric(one) for one in asked.get("metrics") or ()]
    if not metrics:
        raise invalid("at least one metric is needed")
    fits = test_of(asked.get("filters") or ())
    groups: defaultdict[str, list[StoredSpan]] = defaultdict(list)
    for span in spans:
        if begin <= span.started < end and fits(span):
            groups[json.dumps([_DIMENSIONS[field](span) for field in dimensions])].append(span)
    rows = []
    for key, members in sorted(groups.items()):
        row: dict[str, Any] = dict(zip(dimensions, json.loads(key), strict=True))
        for measure, aggregation in metrics:
            values = [value for span in members if (value := _MEASURES[measure](span)) is not None]
            row[f"{aggregation}_{measure}"] = _json(measure, _AGGREGATIONS[aggregation](values))
        rows.append(row)
    return rows[: (asked.get("config") or {}).get("row_limit", 100)]


def _dimension(one: Any) -> str:
    field = one.get("field") if isinstance(one, dict) else None
    if field in _UNGROUPABLE:
        raise invalid(f"{field} has too many values to group by: use it in a filter")
    if field not in _DIMENSIONS:
        raise invalid(f"{field} is no dimension here; there is {', '.join(_DIMENSIONS)}")
    return str(field)


def _metric(one: Any) -> tuple[str, str]:
    measure, aggregation = (one.get("measure"), one.get("aggregation")) if isinstance(one, dict) else (None, None)
    if measure not in _MEASURES or aggregation not in _AGGREGATIONS:
        raise invalid(f"{aggregation} of {measure} is not known here")
    return str(measure), str(aggregation)


def _json(measure: str, value: Decimal | None) -> Any:
    # The database counts in 64 bits, which its JSON carries as text.
    if value is None:
        return None
    return str(int(value)) if measure == "count" or measure.endswith("Tokens") else float(value)


def _tokens(span: StoredSpan, kind: str) -> Decimal:
    return Decimal(sum(count for key, count in span.usage.items() if key.startswith(kind)))


def _began(span: StoredSpan, kind: str) -> Decimal | None:
    if not span.cost:
        return None
    return sum((amount for key, amount in span.cost.items() if key.startswith(kind)), start=Decimal(0))
