from __future__ import annotations

from typing import Any

import pytest

from tests.trace.langfuse.events import asked, call
from tests.trace.langfuse.test_observations import both
from turnout.trace.langfuse.totals import ModelTotals, added_up, totals_of_row, totals_query

ROW: dict[str, Any] = {
    "providedModelName": "m",
    "count_count": "3",
    "sum_inputTokens": 10,
    "sum_outputTokens": "5",
    "sum_totalCost": 0.000000000001,
}


def test_rows_with_numbers_and_texts() -> None:
    assert totals_of_row(ROW) == ModelTotals(model="m", calls=3, prompt_tokens=10, output_tokens=5, cost_pico=1)


def test_sums_over_nothing() -> None:
    nothing = dict.fromkeys(ROW)
    assert totals_of_row(nothing) == ModelTotals(model="", calls=0, prompt_tokens=0, output_tokens=0, cost_pico=0)


@pytest.mark.parametrize("wrong", [{}, {**ROW, "count_count": "many"}, {**ROW, "sum_totalCost": "much"}])
def test_what_is_no_row(wrong: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError)):
        totals_of_row(wrong)


def test_the_query_counts_generations_only() -> None:
    query = totals_query("agent", "a", "b")
    assert query["filters"] == [
        {"type": "string", "column": "type", "operator": "=", "value": "GENERATION"},
        {"type": "string", "column": "traceName", "operator": "=", "value": "agent"},
    ]
    assert (query["fromTimestamp"], query["toTimestamp"]) == ("a", "b")


def test_adding_up_by_hand() -> None:
    calls = [both(event)[0] for event in (call(), asked(), call())]
    (found,) = added_up(calls)
    assert (found.calls, found.prompt_tokens, found.output_tokens) == (3, 5280, 125)
    assert found.cost_pico == 2 * 1_055_000_000 + 425_000_000
