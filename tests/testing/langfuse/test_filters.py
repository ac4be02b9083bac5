from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from turnout.testing.langfuse.errors import ApiError
from turnout.testing.langfuse.filters import conditions_of, time_of
from turnout.testing.langfuse.filters import test_of as fulfils
from turnout.testing.langfuse.store import StoredSpan

SPAN = StoredSpan(
    id="s",
    trace_id="t",
    parent_id="",
    name="step",
    type="GENERATION",
    started=datetime(2026, 11, 22, 10, tzinfo=UTC),
    ended=datetime(2026, 11, 22, 10, 0, 2, tzinfo=UTC),
    trace_name="agent",
    tags=("run:a", "simulated"),
    cost={"total": Decimal("0.5")},
    metadata={"tier": "simple"},
    root=True,
)


def condition(kind: str, column: str, operator: str, value: Any, **more: Any) -> dict[str, Any]:
    return {"type": kind, "column": column, "operator": operator, "value": value, **more}


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (condition("string", "traceName", "=", "agent"), True),
        (condition("string", "traceName", "=", "age"), False),
        (condition("string", "traceName", "starts with", "age"), True),
        (condition("string", "name", "ends with", "ep"), True),
        (condition("string", "name", "contains", "te"), True),
        (condition("string", "name", "does not contain", "te"), False),
        (condition("string", "userId", "=", "u"), False),
        (condition("stringOptions", "type", "any of", ["SPAN", "GENERATION"]), True),
        (condition("stringOptions", "type", "none of", ["SPAN"]), True),
        (condition("arrayOptions", "tags", "any of", ["run:a", "x"]), True),
        (condition("arrayOptions", "traceTags", "all of", ["run:a", "x"]), False),
        (condition("arrayOptions", "tags", "none of", ["x"]), True),
        (condition("datetime", "startTime", ">=", "2026-11-22T10:00:00Z"), True),
        (condition("datetime", "startTime", ">", "2026-11-22T12:00:00+02:00"), False),
        (condition("datetime", "endTime", "<", "2026-11-22T10:00:02"), False),
        (condition("number", "latency", ">=", 2), True),
        (condition("number", "totalCost", "<", 0.5), False),
        (condition("boolean", "isRootObservation", "=", True), True),
        (condition("boolean", "isRootObservation", "<>", True), False),
        (condition("stringObject", "metadata", "=", "simple", key="tier"), True),
        (condition("stringObject", "metadata", "=", "simple", key="other"), False),
    ],
)
def test_conditions(one: dict[str, Any], expected: bool) -> None:
    assert fulfils([one])(SPAN) is expected


def test_all_conditions_must_hold() -> None:
    name, type_ = condition("string", "name", "=", "step"), condition("string", "type", "=", "SPAN")
    assert fulfils([name])(SPAN)
    assert not fulfils([name, type_])(SPAN)
    assert fulfils([])(SPAN)


@pytest.mark.parametrize(
    "wrong",
    [
        "text",
        {"type": "string"},
        condition("string", "cost", "=", "x"),
        condition("string", "name", "~", "x"),
        condition("stringOptions", "type", "any of", "SPAN"),
        condition("stringOptions", "type", "=", ["SPAN"]),
        condition("arrayOptions", "name", "any of", ["x"]),
        condition("arrayOptions", "tags", "=", ["x"]),
        condition("datetime", "startTime", ">", "soon"),
        condition("number", "latency", ">", "2"),
        condition("boolean", "isRootObservation", ">", True),
        condition("stringObject", "metadata", "=", "x"),
        condition("regex", "name", "=", "x"),
    ],
)
def test_what_is_no_condition(wrong: Any) -> None:
    with pytest.raises(ApiError) as caught:
        fulfils([wrong])(SPAN)
    assert caught.value.status == 400


@pytest.mark.parametrize("text", ["{", '{"type": "string"}', "7"])
def test_what_is_no_list_of_conditions(text: str) -> None:
    with pytest.raises(ApiError):
        conditions_of(text)


def test_a_time_without_offset_is_utc() -> None:
    assert time_of("2026-11-22T10:00:00") == datetime(2026, 11, 22, 10, tzinfo=UTC)
