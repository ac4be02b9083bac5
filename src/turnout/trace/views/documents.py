"""Metrics and comparisons as JSON for machines.

Whatever comes from simulated models says so: ``"simulated": true``. A caller may set that label where the values do not
carry it, and cannot take it away.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from turnout.core.cost import pico_to_usd, usd_to_pico
from turnout.core.usage import Usage
from turnout.trace.views.compare import Change, Comparison, CostBounds
from turnout.trace.views.exactness import Between, CostRange, Exactness, cost_range
from turnout.trace.views.figures import rounded
from turnout.trace.views.metrics import RunMetrics, Totals, TurnMetrics


def to_json(
    value: RunMetrics | Comparison, *, simulated: bool = False, names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The values of a run or a comparison, ready for `json.dumps`.

    Money stands twice: exactly as an integer of pico-USD (1e-12 USD), and as a decimal string of USD. Percentages are
    strings rounded to four decimals; latencies are seconds; what is not known is null.

    A ``cost`` counts every call at its lowest. ``exactness`` beside it says how much of it is exact, what the rest cost
    at the least and at the most (null: no upper bound), and where the calls' usage comes from. ``cost_usd_bounds`` of a
    comparison is null where both costs are settled, and else holds the two ends of both costs and of their change.

    Args:
        value: The run or the comparison.
        simulated: Label it even if the value does not say that models were simulated.
        names: Short names of models by catalog id, given beside the ids.
    """
    if isinstance(value, RunMetrics):
        return {
            "simulated": simulated or value.simulated,
            "run": value.run,
            "turns": [_turn_json(turn, simulated, names) for turn in value.turns],
            "totals": _totals_json(value.totals, simulated),
        }
    return _comparison_json(value, simulated or value.simulated)


def _money_json(pico: int) -> dict[str, Any]:
    return {"usd": f"{pico_to_usd(pico):f}", "pico_usd": pico}


def _exactness_json(cost: CostRange, exactness: Exactness) -> dict[str, Any]:
    most = cost.most_pico
    return {
        "exact": exactness.exact,
        "exact_cost": _money_json(cost.exact_pico),
        "bounded_cost": {
            "low": _money_json(cost.low_pico),
            "high": None if cost.high_pico is None else _money_json(cost.high_pico),
        },
        "highest_cost": None if most is None else _money_json(most),
        "exact_calls": exactness.exact_calls,
        "bounded_calls": exactness.bounded_calls,
        "open_calls": exactness.open_calls,
        "failed_calls": exactness.failed_calls,
        "usage_sources": {
            "reported": exactness.reported,
            "partial": exactness.partial,
            "estimated": exactness.estimated,
            "none": exactness.none,
            "foreign": exactness.foreign,
        },
    }


def _usage_json(usage: Usage) -> dict[str, int]:
    return {
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "cache_read": usage.cache_read_tokens,
        "cache_write": usage.cache_write_tokens,
    }


def _seconds_json(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _turn_json(turn: TurnMetrics, simulated: bool, names: Mapping[str, str] | None) -> dict[str, Any]:
    return {
        "simulated": simulated or turn.simulated,
        "turn_id": turn.turn_id,
        "query_id": turn.query_id,
        "status": turn.status,
        "model": turn.model,
        "model_name": None if turn.model is None else (names or {}).get(turn.model, turn.model),
        "reason": turn.reason,
        "label": turn.label,
        "latency_s": None if simulated else _seconds_json(turn.latency_ms),
        "classifier_s": _seconds_json(turn.classifier_ms),
        "decision_s": _seconds_json(turn.decision_ms),
        "cost": _money_json(turn.cost_pico),
        "classifier_cost": _money_json(turn.classifier_cost.total_pico),
        "exactness": _exactness_json(turn.range, turn.exactness),
        "expected_answer_cost": None if turn.expected_pico is None else _money_json(turn.expected_pico),
        "tokens": _usage_json(turn.usage),
        "classifier_tokens": _usage_json(turn.classifier_usage),
    }


def _totals_json(totals: Totals, simulated: bool) -> dict[str, Any]:
    return {
        "turns": totals.turns,
        "answered": totals.answered,
        "unanswered": [{"name": name, "status": status} for name, status in totals.unanswered],
        "mean_latency_s": None if simulated else _seconds_json(totals.latency_ms),
        "mean_classifier_s": _seconds_json(totals.classifier_ms),
        "mean_decision_s": _seconds_json(totals.decision_ms),
        "cost": _money_json(totals.cost_pico),
        "classifier_cost": _money_json(totals.classifier_cost.total_pico),
        "exactness": _exactness_json(totals.range, totals.exactness),
        "tokens": _usage_json(totals.usage),
        "classifier_tokens": _usage_json(totals.classifier_usage),
        "models": totals.models,
        "reasons": totals.reasons,
        "expected": {
            "turns": totals.expected_turns,
            "cost": _money_json(totals.expected_pico),
            "actual_cost": _money_json(totals.expected_actual_pico),
            "absolute_error": _money_json(totals.expected_error_pico),
        },
    }


def _change_json(change: Change | None) -> dict[str, Any] | None:
    if change is None:
        return None
    return {
        "before": None if change.before is None else f"{change.before:f}",
        "after": f"{change.after:f}",
        "change": None if change.difference is None else f"{change.difference:f}",
        "change_percent": None if change.percent is None else f"{rounded(change.percent, 4):f}",
    }


def _bounds_json(bounds: CostBounds | None) -> dict[str, Any] | None:
    if bounds is None:
        return None
    return {
        "before": _between_json(bounds.before),
        "after": _between_json(bounds.after),
        "change": _between_json(bounds.difference),
        "change_percent": _between_json(bounds.percent, digits=4),
    }


def _between_json(figure: Between, digits: int | None = None) -> dict[str, str | None]:
    def text(value: Decimal | None) -> str | None:
        if value is None:
            return None
        return f"{value if digits is None else rounded(value, digits):f}"

    return {"low": text(figure.low), "high": text(figure.high)}


def _side_json(cost: Decimal | None, exactness: Exactness) -> dict[str, Any]:
    return _exactness_json(cost_range(usd_to_pico(cost or Decimal(0)), exactness), exactness)


def _comparison_json(comparison: Comparison, simulated: bool) -> dict[str, Any]:
    interval = comparison.interval
    return {
        "simulated": simulated,
        "before": comparison.before,
        "after": comparison.after,
        "basis": comparison.basis,
        "cost_usd": _change_json(comparison.cost),
        "cost_usd_bounds": _bounds_json(comparison.bounds),
        "exact": comparison.exact,
        "exactness": {
            "before": None
            if comparison.exactness_before is None
            else _side_json(comparison.cost.before, comparison.exactness_before),
            "after": _side_json(comparison.cost.after, comparison.exactness_after),
        },
        "cost_usd_classifier_repriced": _change_json(comparison.repriced),
        "cost_usd_classifier_repriced_bounds": _bounds_json(comparison.repriced_bounds),
        "assumption": comparison.assumption or None,
        "mean_latency_s": None if simulated else _change_json(comparison.latency),
        "tokens": {name.replace(" ", "_"): _change_json(change) for name, change in comparison.tokens.items()},
        "interval": None
        if interval is None
        else {
            "of": "mean change of cost by query, USD",
            "low": f"{interval.low:f}",
            "mean": f"{interval.mean:f}",
            "high": f"{interval.high:f}",
            "level": float(interval.level),
            "queries": interval.queries,
            "method": interval.method,
        },
        "queries": [
            {
                "query_id": pair.query_id,
                "before": _money_json(pair.before.cost_pico),
                "after": _money_json(pair.after.cost_pico),
                "models": [pair.before.model, pair.after.model],
            }
            for pair in comparison.pairs
        ],
        "unmatched_before": list(comparison.unmatched_before),
        "unmatched_after": list(comparison.unmatched_after),
        "unanswered": list(comparison.unanswered),
        "note": comparison.note,
    }
