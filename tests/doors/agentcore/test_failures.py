"""A fault at every event of a model's stream, behind the AgentCore service: whole answers, or an end that says so."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.doors.agentcore.support import ask, leaves_a_connection, routed_model, serving, stream
from tests.doors.strands.support import RULES, Events
from turnout.core.calls import CallRules
from turnout.testing.bedrock import BedrockDouble, Fault, dropped, garbage, mid_stream, throttling, truncated

FAULTS: dict[str, Callable[[int], Fault]] = {
    "error": mid_stream,
    "reset": dropped,
    "truncated": truncated,
    "garbage": garbage,
}
EVENTS_OF_HELLO = 10
"""messageStart, six deltas, contentBlockStop, messageStop, metadata; a fault may stand before each and at the end."""

pytestmark = leaves_a_connection


@pytest.fixture(scope="module")
def shop() -> Iterator[tuple[str, BedrockDouble]]:
    rules = CallRules(base_backoff_s=0.005, attempts_per_model=2)
    with BedrockDouble(RULES) as double, routed_model(double, Events(), calls=rules) as model, serving(model) as url:
        yield url, double
    gc.collect()


def text_of(parts: list[dict[str, Any]]) -> str:
    return "".join(part["text"] for part in parts if part["type"] == "text")


@pytest.mark.parametrize("index", range(EVENTS_OF_HELLO + 1))
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_stream_is_mended_or_marked_and_nothing_comes_twice(
    shop: tuple[str, BedrockDouble], fault: str, index: int
) -> None:
    url, double = shop
    told = stream(url, "hello")
    whole = text_of(told)
    assert sum(part["type"] == "text" for part in told) == EVENTS_OF_HELLO - 4
    double.faults.add(FAULTS[fault](index))
    parts = stream(url, "hello")
    begun, complete = index > 1, index >= EVENTS_OF_HELLO - 1
    if begun and not complete:
        assert (parts[-1]["type"], parts[-1]["error"]["code"]) == ("error", "broke_off")
        assert whole.startswith(text_of(parts))
    else:
        assert parts[-1]["type"] == "answer"
        assert text_of(parts) == whole
        assert parts[-1]["response"] == whole
    gc.collect()


def test_where_no_model_answers_the_caller_is_told_to_come_back(shop: tuple[str, BedrockDouble]) -> None:
    url, double = shop
    double.faults.add(throttling(), times=None)
    reply = ask(url, "hello")
    double.faults.clear()
    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "call_failed")
    assert reply.headers["Retry-After"] == "1"
    assert "hrottl" not in reply.text
