from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from turnout.testing.langfuse.errors import ApiError
from turnout.testing.langfuse.metrics import rows_of
from turnout.testing.langfuse.store import StoredSpan

START = datetime(2026, 11, 22, 10, tzinfo=UTC)


def generation(span_id: str, model: str | None, **fields: Any) -> StoredSpan:
    usual: dict[str, Any] = {
        "trace_id": "t",
        "parent_id": "",
        "name": "step",
        "type": "GENERATION",
        "started": START,
        "ended": START + timedelta(seconds=2),
        "usage": {"input": 10, "input_cached_tokens": 30, "output": 5, "total": 45},
        "cost": {"input": Decimal("0.000000000001"), "output": Decimal("0.2"), "total": Decimal("0.200000000001")},
    }
    return StoredSpan(id=span_id, model=model, **{**usual, **fields})


SPANS = [generation("a", "small"), generation("b", "small", cost={}), generation("c", None, type="SPAN", usage={})]


def query(**fields: Any) -> str:
    usual = {
        "view": "observations",
        "dimensions": [{"field": "providedModelName"}],
        "metrics": [{"measure": "count", "aggregation": "count"}],
        "fromTimestamp": "2026-11-22T00:00:00Z",
        "toTimestamp": "2026-11-23T00:00:00Z",
    }
    return json.dumps({**usual, **fields})


def test_groups_and_sums() -> None:
    measures = [("inputTokens", "sum"), ("outputTokens", "sum"), ("totalCost", "sum"), ("latency", "avg")]
    metrics = [{"measure": measure, "aggregation": aggregation} for measure, aggregation in measures]
    rows = rows_of(query(metrics=metrics), SPANS)
    # Counts of tokens come as text, as the database's JSON has 64-bit numbers.
    assert rows == [
        {
            "providedModelName": "small",
            "sum_inputTokens": "80",
            "sum_outputTokens": "10",
            "sum_totalCost": 0.200000000001,
            "avg_latency": 2000.0,
        },
        {
            "providedModelName": None,
            "sum_inputTokens": "0",
            "sum_outputTokens": "0",
            "sum_totalCost": 0.200000000001,
            "avg_latency": 2000.0,
        },
    ]


def test_filters_times_and_the_limit_of_rows() -> None:
    filters = [{"type": "string", "column": "type", "operator": "=", "value": "GENERATION"}]
    assert rows_of(query(filters=filters), SPANS) == [{"providedModelName": "small", "count_count": "2"}]
    assert rows_of(query(fromTimestamp="2026-11-22T10:00:01Z"), SPANS) == []
    assert rows_of(query(toTimestamp="2026-11-22T10:00:00Z"), SPANS) == []
    assert len(rows_of(query(config={"row_limit": 1}), SPANS)) == 1
    assert rows_of(query(dimensions=[]), SPANS) == [{"count_count": "3"}]


def test_costs_by_their_side() -> None:
    metrics = [{"measure": measure, "aggregation": "sum"} for measure in ("inputCost", "outputCost")]
    assert rows_of(query(dimensions=[], metrics=metrics), SPANS) == [
        {"sum_inputCost": 0.000000000002, "sum_outputCost": 0.4}
    ]


def test_a_mean_of_nothing_is_null() -> None:
    metrics = [{"measure": "totalCost", "aggregation": "avg"}, {"measure": "totalCost", "aggregation": "max"}]
    rows = rows_of(query(dimensions=[], metrics=metrics), [generation("b", "small", cost={})])
    assert rows == [{"avg_totalCost": None, "max_totalCost": None}]


@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        "[]",
        query(view="traces"),
        query(metrics=[]),
        query(metrics=[{"measure": "money", "aggregation": "sum"}]),
        query(metrics=["count"]),
        query(dimensions=[{"field": "traceId"}]),
        query(dimensions=[{"field": "colour"}]),
        query(fromTimestamp="2026-11-24T00:00:00Z"),
        query(fromTimestamp=None),
    ],
)
def test_what_is_no_query(wrong: str) -> None:
    with pytest.raises(ApiError) as caught:
        rows_of(wrong, SPANS)
    assert caught.value.status == 400
