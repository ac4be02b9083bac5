"""What Langfuse adds up by itself for each model: a check on the figures of single turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from turnout.trace.langfuse.client import equals
from turnout.trace.langfuse.observations import Observation, pico_of


class ModelTotals(msgspec.Struct, frozen=True, kw_only=True):
    """One model's generations added up.

    Attributes:
        model: The model's name; empty for generations without one.
        calls: How many.
        prompt_tokens: Fresh, read and written tokens together.
        output_tokens: Output tokens.
        cost_pico: What they cost, in pico-USD, as near as Langfuse's sum gives it. Calls whose usage was not reported
            in full count at their lowest, as Langfuse knows no other; single turns say how far that can go.
    """

    model: str
    calls: int
    prompt_tokens: int
    output_tokens: int
    cost_pico: int


def totals_query(agent_name: str, from_time: str, to_time: str) -> dict[str, Any]:
    """The query to the v2 metrics API for the generations of an agent's traces, by model.

    Args:
        agent_name: The traces' name.
        from_time: The period's begin, in ISO 8601.
        to_time: Its end.
    """
    measures = (("count", "count"), ("inputTokens", "sum"), ("outputTokens", "sum"), ("totalCost", "sum"))
    return {
        "view": "observations",
        "dimensions": [{"field": "providedModelName"}],
        "metrics": [{"measure": measure, "aggregation": aggregation} for measure, aggregation in measures],
        "filters": [equals("type", "GENERATION"), equals("traceName", agent_name)],
        "fromTimestamp": from_time,
        "toTimestamp": to_time,
        "config": {"row_limit": 1000},
    }


def totals_of_row(row: Mapping[str, Any]) -> ModelTotals:
    """One row of the answer. Counts come as numbers or as texts, a sum over nothing as null.

    Raises:
        KeyError, TypeError, ValueError: It is no such row.
    """
    return ModelTotals(
        model=row["providedModelName"] or "",
        calls=int(row["count_count"] or 0),
        prompt_tokens=int(row["sum_inputTokens"] or 0),
        output_tokens=int(row["sum_outputTokens"] or 0),
        cost_pico=pico_of(row["sum_totalCost"] or 0),
    )


def added_up(calls: Iterable[Observation]) -> list[ModelTotals]:
    """The same from single calls, for servers that have no metrics API."""
    totals: dict[str, ModelTotals] = {}
    nothing = ModelTotals(model="", calls=0, prompt_tokens=0, output_tokens=0, cost_pico=0)
    for call in calls:
        before = totals.get(call.model, nothing)
        totals[call.model] = ModelTotals(
            model=call.model,
            calls=before.calls + 1,
            prompt_tokens=before.prompt_tokens + call.usage.prompt_tokens,
            output_tokens=before.output_tokens + call.usage.output_tokens,
            cost_pico=before.cost_pico + call.cost.total_pico,
        )
    return list(totals.values())
