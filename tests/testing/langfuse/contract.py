"""Checks what went over the wire against the parts of Langfuse's published API that contract.json restates."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from turnout.testing.langfuse import Exchange, LangfuseDouble

jsonschema: Any = importlib.import_module("jsonschema")  # it has no type stubs

CONTRACT: dict[str, Any] = json.loads(Path(__file__).with_name("contract.json").read_text(encoding="utf-8"))
_FORMATS: Any = jsonschema.FormatChecker(formats=())


def _is_time(value: object) -> bool:
    """Whether it is a time with its offset; other types are not this check's business."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


_FORMATS.checks("date-time", raises=ValueError)(_is_time)


def schema(part: dict[str, Any]) -> dict[str, Any]:
    """A schema of the contract that can stand by itself."""
    return {**part, "$defs": CONTRACT["$defs"]}


def check(exchanges: Iterable[Exchange]) -> int:
    """Check the exchanges; how many of them the contract knows.

    Raises:
        AssertionError: The request or the answer is not what Langfuse publishes.
    """
    checked = 0
    for exchange in exchanges:
        endpoint = _endpoint(exchange)
        if endpoint is None:
            assert exchange.status in (0, 401, 404, 405, 429, 500, 501, 503) or "health" in exchange.path, exchange.path
            continue
        checked += 1
        unknown = set(exchange.query) - set(endpoint.get("query", ()))
        assert not unknown, f"{exchange.path} has no parameters {unknown}"
        answer = endpoint["responses"].get(str(exchange.status))
        if exchange.body is not None and exchange.status < 400:
            _validate(exchange.body, endpoint["request"])
        if answer is not None:
            _validate(exchange.answer, answer)
        else:
            assert exchange.status == 0 or exchange.status >= 400, f"{exchange.path}: {exchange.status} is no answer"
    return checked


@contextmanager
def checked(double: LangfuseDouble) -> Iterator[LangfuseDouble]:
    """A running double whose exchanges are checked in the end."""
    with double:
        yield double
        check(double.exchanges)


def _endpoint(exchange: Exchange) -> dict[str, Any] | None:
    for endpoint in CONTRACT["endpoints"]:
        pattern = re.sub(r"\{\w+\}", "[^/]+", endpoint["path"])
        if endpoint["method"] == exchange.method and re.fullmatch(pattern, exchange.path):
            return dict(endpoint)
    return None


def _validate(value: Any, part: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(schema(part), format_checker=_FORMATS)
    problems = [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(value)]
    assert not problems, problems
