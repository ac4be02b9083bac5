"""Metrics and comparisons as tables for people and as JSON for machines.

Whatever comes from simulated models says so first: in the title of the table, and as ``"simulated": true`` in JSON.
A caller may set that label where the values do not carry it, and cannot take it away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from rich.table import Table
from rich.text import Text

from turnout.core.cost import pico_to_usd
from turnout.core.usage import Usage
from turnout.trace.views.compare import Change, Comparison
from turnout.trace.views.metrics import RunMetrics, Totals, TurnMetrics

SIMULATED = "simulated models"
"""The label of everything that simulated models had a part in."""

_NOT_KNOWN = "–"
_SIMULATED_LATENCY = "n/a (simulated)"
_MOST_NAMES = 5
_FIGURES = ("latency s", "cost $", "input", "output", "cache read", "cache write")


def metrics_table(
    metrics: RunMetrics, *, simulated: bool = False, names: Mapping[str, str] | None = None, digits: int = 6
) -> Table:
    """A row for each turn and one for the totals.

    Costs, tokens and the mean latency hold classifier and answer together.

    Args:
        metrics: The run.
        simulated: Label the table even if the metrics do not say that the models were simulated.
        names: Short names of models by catalog id; a missing one is shown by its id without the provider.
        digits: Decimals of USD.
    """
    simulated = simulated or metrics.simulated
    table = _table(f"{metrics.run}: metrics", simulated, ("query", "model", "reason"), _FIGURES)
    for turn in metrics.turns:
        model = _NOT_KNOWN if turn.model is None else _model_name(turn.model, names)
        _row(
            table,
            turn.name,
            model if turn.status == "answered" else f"{model} ({turn.status})",
            turn.reason or _NOT_KNOWN,
            _seconds(turn.latency_ms, simulated),
            usd(pico_to_usd(turn.cost_pico), digits),
            *_token_cells(turn.usage),
        )
    totals = metrics.totals
    table.add_section()
    _row(
        table,
        f"total ({totals.turns}), mean latency",
        "",
        "",
        _seconds(totals.latency_ms, simulated),
        usd(pico_to_usd(totals.cost_pico), digits),
        *_token_cells(totals.usage),
        style="bold",
    )
    return table


def summary_table(
    metrics: RunMetrics, *, simulated: bool = False, names: Mapping[str, str] | None = None, digits: int = 6
) -> Table:
    """What stands behind a run's totals: the classifier's part, shares, reasons, expected against actual cost.

    Args:
        metrics: The run.
        simulated: Label the table even if the metrics do not say that the models were simulated.
        names: Short names of models by catalog id.
        digits: Decimals of USD.
    """
    totals, simulated = metrics.totals, simulated or metrics.simulated
    table = _table(f"{metrics.run}: summary", simulated, ("figure", "value"), ())
    _row(table, "turns answered", f"{totals.answered} of {totals.turns}")
    if totals.unanswered:
        _row(table, "not answered", _listed([f"{name} ({status})" for name, status in totals.unanswered]))
    _row(table, "cost", f"{usd(pico_to_usd(totals.cost_pico), digits)} $")
    _row(table, "of which classifier", f"{usd(pico_to_usd(totals.classifier_cost.total_pico), digits)} $")
    if totals.unreported_calls:
        high = usd(pico_to_usd(totals.high_pico), digits)
        _row(table, "not reported in full", f"calls: {totals.unreported_calls}; the cost is at most {high} $")
    _row(table, "mean latency", _seconds(totals.latency_ms, simulated, unit=" s"))
    _row(table, "mean classifier time", _milliseconds(totals.classifier_ms))
    _row(table, "mean decision time", _milliseconds(totals.decision_ms))
    _row(table, "answered by", _shares([(_model_name(model, names), count) for model, count in totals.models.items()]))
    _row(table, "decided for", _shares(list(totals.reasons.items())))
    if totals.expected_turns:
        error = Change(pico_to_usd(totals.expected_pico), pico_to_usd(totals.expected_actual_pico))
        expected, actual = usd(pico_to_usd(totals.expected_pico), digits), usd(error.after, digits)
        _row(table, "expected cost of answers", f"{expected} $, actual {actual} $ ({percent(error)})")
    return table


def comparison_table(comparison: Comparison, *, simulated: bool = False, digits: int = 6) -> Table:
    """Two runs side by side with signed changes; below it what the figures rest on.

    Args:
        comparison: The runs.
        simulated: Label the table even if the comparison does not say that models were simulated.
        digits: Decimals of USD.
    """
    simulated = simulated or comparison.simulated
    before, after = comparison.before, comparison.after
    table = _table(f"{before} -> {after}", simulated, ("figure",), (before, after, "change", "change %"))

    def row(name: str, change: Change, decimals: int) -> None:
        if change.before is None or change.difference is None:
            _row(table, name, _NOT_KNOWN, usd(change.after, decimals), _NOT_KNOWN, _NOT_KNOWN)
            return
        figures = (usd(value, decimals) for value in (change.before, change.after))
        _row(table, name, *figures, _signed(change.difference, decimals), percent(change))

    row("cost $, as run", comparison.cost, digits)
    if comparison.repriced is not None:
        row("cost $, classifier repriced (*)", comparison.repriced, digits)
    if comparison.latency is not None and not simulated:
        row("mean latency s", comparison.latency, 2)
    else:
        unknown = _seconds(None, simulated)
        _row(table, "mean latency s", unknown, unknown, _NOT_KNOWN, _NOT_KNOWN)
    for name, change in _token_changes(comparison).items():
        row(name, change, 0)
    table.caption = Text("\n".join(_footnotes(comparison, digits)))
    table.caption_justify = "left"
    return table


def to_json(
    value: RunMetrics | Comparison, *, simulated: bool = False, names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The values of a run or a comparison, ready for `json.dumps`.

    Money stands twice: exactly as an integer of pico-USD (1e-12 USD), and as a decimal string of USD. Percentages are
    strings rounded to four decimals; latencies are seconds; what is not known is null.

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


def usd(amount: Decimal, digits: int = 6) -> str:
    """A plain number with that many decimals, rounded half to even: ``0.004500``."""
    return f"{_rounded(amount, digits):,f}"


def percent(change: Change) -> str:
    """A change with its sign in per cent: ``-15.8 %``; ``n/a`` where something came from nothing."""
    return "n/a" if change.percent is None else f"{_signed(change.percent, 1)} %"


def _table(title: str, simulated: bool, left: Sequence[str], right: Sequence[str]) -> Table:
    table = Table(title=_text(f"{SIMULATED} · {title}" if simulated else title), title_justify="left")
    for heading in left:
        table.add_column(_text(heading), overflow="fold")
    for heading in right:
        table.add_column(_text(heading), justify="right")
    return table


def _row(table: Table, *cells: str, style: str | None = None) -> None:
    table.add_row(*(_text(cell) for cell in cells), style=style)


def _text(text: str) -> Text:
    """Text as it is, since parts of it are somebody else's: no markup, no emoji codes, no control characters."""
    return Text("".join(character if character.isprintable() else "�" for character in text))


def _model_name(model: str, names: Mapping[str, str] | None) -> str:
    return (names or {}).get(model) or model.partition("/")[2] or model


def _token_cells(usage: Usage) -> tuple[str, str, str, str]:
    counts = usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens
    first, second, third, fourth = (f"{count:,}" for count in counts)
    return first, second, third, fourth


def _seconds(milliseconds: float | None, simulated: bool, unit: str = "") -> str:
    if milliseconds is None or simulated:
        return _SIMULATED_LATENCY if simulated else _NOT_KNOWN
    return f"{milliseconds / 1000:,.2f}{unit}"


def _milliseconds(value: float | None) -> str:
    return _NOT_KNOWN if value is None else f"{value:,.2f} ms"


def _shares(counts: Sequence[tuple[str, int]]) -> str:
    whole = sum(count for _, count in counts)
    parts = sorted(counts, key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count} ({100 * count / whole:.0f} %)" for name, count in parts) or _NOT_KNOWN


def _listed(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


def _rounded(value: Decimal, digits: int) -> Decimal:
    rounded = value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_EVEN)
    return rounded if rounded else abs(rounded)  # no minus before a zero


def _signed(value: Decimal, digits: int) -> str:
    rounded = _rounded(value, digits)
    return f"{rounded:+,f}" if rounded else f"{rounded:f}"


def _footnotes(comparison: Comparison, digits: int) -> list[str]:
    notes = [comparison.note]
    if comparison.interval is not None:
        interval = comparison.interval
        low, mean, high = (_signed(value, digits) for value in (interval.low, interval.mean, interval.high))
        notes.append(f"mean change of cost by query: {mean} $, {interval.level} interval {low} to {high} $")
    if comparison.assumption:
        notes.append(f"(*) {comparison.assumption}")
    for what, named in (
        (f"only in {comparison.before}", comparison.unmatched_before),
        (f"only in {comparison.after}", comparison.unmatched_after),
        ("left out, not answered in both", comparison.unanswered),
    ):
        if named and comparison.basis == "matched":
            notes.append(f"{what}: {_listed(named)}")
    return ["".join(filter(str.isprintable, note)) for note in notes]


def _token_changes(comparison: Comparison) -> dict[str, Change]:
    return {
        "input": comparison.input,
        "output": comparison.output,
        "cache read": comparison.cache_read,
        "cache write": comparison.cache_write,
    }


def _money_json(pico: int) -> dict[str, Any]:
    return {"usd": f"{pico_to_usd(pico):f}", "pico_usd": pico}


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
        "highest_cost": _money_json(turn.high_pico),
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
        "highest_cost": _money_json(totals.high_pico),
        "unreported_calls": totals.unreported_calls,
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
        "change_percent": None if change.percent is None else f"{_rounded(change.percent, 4):f}",
    }


def _comparison_json(comparison: Comparison, simulated: bool) -> dict[str, Any]:
    interval = comparison.interval
    return {
        "simulated": simulated,
        "before": comparison.before,
        "after": comparison.after,
        "basis": comparison.basis,
        "cost_usd": _change_json(comparison.cost),
        "cost_usd_classifier_repriced": _change_json(comparison.repriced),
        "assumption": comparison.assumption or None,
        "mean_latency_s": None if simulated else _change_json(comparison.latency),
        "tokens": {name.replace(" ", "_"): _change_json(change) for name, change in _token_changes(comparison).items()},
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
