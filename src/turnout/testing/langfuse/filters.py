"""The conditions of the v2 API: ``[{"type": "string", "column": "traceName", "operator": "=", "value": "agent"}]``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from turnout.testing.langfuse.errors import invalid
from turnout.testing.langfuse.store import StoredSpan

Test = Callable[[StoredSpan], bool]

_TEXTS: dict[str, Callable[[StoredSpan], str | None]] = {
    "id": lambda span: span.id,
    "type": lambda span: span.type,
    "name": lambda span: span.name,
    "traceId": lambda span: span.trace_id,
    "traceName": lambda span: span.trace_name,
    "level": lambda span: span.level,
    "statusMessage": lambda span: span.message,
    "version": lambda span: span.version,
    "userId": lambda span: span.user_id,
    "sessionId": lambda span: span.session_id,
    "environment": lambda span: span.environment,
    "model": lambda span: span.model,
    "providedModelName": lambda span: span.model,
}
_TIMES: dict[str, Callable[[StoredSpan], datetime | None]] = {
    "startTime": lambda span: span.started,
    "endTime": lambda span: span.ended,
}
_NUMBERS: dict[str, Callable[[StoredSpan], float | None]] = {
    "latency": lambda span: span.latency_s,
    "totalCost": lambda span: None if "total" not in span.cost else float(span.cost["total"]),
    "totalTokens": lambda span: span.usage.get("total"),
}
_TEXT_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda have, want: have == want,
    "contains": lambda have, want: want in have,
    "does not contain": lambda have, want: want not in have,
    "starts with": lambda have, want: have.startswith(want),
    "ends with": lambda have, want: have.endswith(want),
}
_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda have, want: have == want,
    ">": lambda have, want: have > want,
    "<": lambda have, want: have < want,
    ">=": lambda have, want: have >= want,
    "<=": lambda have, want: have <= want,
}


def conditions_of(text: str) -> list[Any]:
    """The conditions of a query's parameter.

    Raises:
        ApiError: It is no JSON list.
    """
    try:
        conditions = json.loads(text)
    except ValueError as error:
        raise invalid("Invalid JSON in filter parameter") from error
    if not isinstance(conditions, list):
        raise invalid("filter must be a list of conditions")
    return conditions


def test_of(conditions: Sequence[Any]) -> Test:
    """Whether an observation fulfils all conditions.

    Raises:
        ApiError: A condition is none.
    """
    tests = [_test(condition) for condition in conditions]
    return lambda span: all(test(span) for test in tests)


def _test(condition: Any) -> Test:
    if not isinstance(condition, dict) or not {"type", "column", "operator"} <= set(condition):
        raise invalid("a condition needs type, column, operator and value")
    kind, column, operator, value = (condition.get(key) for key in ("type", "column", "operator", "value"))
    match kind:
        case "string":
            compare, read = _known(_TEXT_OPERATORS, operator), _known(_TEXTS, column)
            return lambda span: (have := read(span)) is not None and compare(have, str(value))
        case "stringOptions":
            read, wanted = _known(_TEXTS, column), _list(value)
            return lambda span: (read(span) in wanted) == _any_of(operator)
        case "arrayOptions":
            if column not in ("tags", "traceTags"):
                raise invalid(f"{column} is no column of lists")
            return _lists(operator, set(_list(value)))
        case "datetime":
            when, compare, wanted_time = _known(_TIMES, column), _known(_ORDERED, operator), time_of(value)
            return lambda span: (have := when(span)) is not None and compare(have, wanted_time)
        case "number":
            number, compare = _known(_NUMBERS, column), _known(_ORDERED, operator)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise invalid(f"{value} is no number")
            return lambda span: (have := number(span)) is not None and compare(have, value)
        case "boolean":
            if column != "isRootObservation" or operator not in ("=", "<>"):
                raise invalid(f"{column} {operator} is no condition on a boolean")
            return lambda span: (span.root == bool(value)) == (operator == "=")
        case "stringObject":
            if column != "metadata" or not condition.get("key"):
                raise invalid("a condition on an object needs column metadata and a key")
            compare, key = _known(_TEXT_OPERATORS, operator), condition["key"]
            return lambda span: key in span.metadata and compare(str(span.metadata[key]), str(value))
        case _:
            raise invalid(f"conditions of type {kind} are not known")


def time_of(value: Any) -> datetime:
    """A time in ISO 8601.

    Raises:
        ApiError: It is none.
    """
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise invalid(f"{value} is no time") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _known(table: dict[str, Any], name: Any) -> Any:
    if name not in table:
        raise invalid(f"{name} is not known here; there is {', '.join(table)}")
    return table[name]


def _list(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise invalid("options must be a list")
    return [str(one) for one in value]


def _any_of(operator: Any) -> bool:
    if operator not in ("any of", "none of"):
        raise invalid(f"{operator} is no operator for options")
    return bool(operator == "any of")


def _lists(operator: Any, wanted: set[str]) -> Test:
    match operator:
        case "any of":
            return lambda span: bool(wanted & set(span.tags))
        case "all of":
            return lambda span: wanted <= set(span.tags)
        case "none of":
            return lambda span: not wanted & set(span.tags)
        case _:
            raise invalid(f"{operator} is no operator for lists")
