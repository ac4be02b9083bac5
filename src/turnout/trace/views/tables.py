"""Metrics and comparisons as tables for people; for machines: `turnout.trace.views.documents`.

Whatever comes from simulated models says so first, in the title of the table. A caller may set that label where the
values do not carry it, and cannot take it away.

A total says how much of it is exact: in a note below the table where all of it is, in rows of its own where calls were
not reported in full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from turnout.core.cost import pico_to_usd
from turnout.core.usage import Usage
from turnout.trace.views.compare import Change, Comparison, CostBounds
from turnout.trace.views.exactness import cost_range
from turnout.trace.views.exactness_text import (
    bounded_usd,
    comparison_notes,
    exactness_note,
    exactness_rows,
    failed_calls,
    inexact_calls,
)
from turnout.trace.views.figures import NOT_KNOWN, between, percent, signed, usd, usd_range
from turnout.trace.views.fitting import FittingTable
from turnout.trace.views.metrics import RunMetrics

SIMULATED = "simulated models"
"""The label of everything that simulated models had a part in."""

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
        model = NOT_KNOWN if turn.model is None else _model_name(turn.model, names)
        _row(
            table,
            turn.name,
            model if turn.status == "answered" else f"{model} ({turn.status})",
            turn.reason or NOT_KNOWN,
            _seconds(turn.latency_ms, simulated),
            usd_range(turn.range, digits),
            *_token_cells(turn.usage),
        )
    totals = metrics.totals
    cost, exactness = totals.range, totals.exactness
    table.add_section()
    _row(
        table,
        f"total ({totals.turns}), mean latency",
        "",
        "",
        _seconds(totals.latency_ms, simulated),
        usd_range(cost, digits),
        *_token_cells(totals.usage),
        style="bold",
    )
    if exactness.settled:
        _caption(table, [exactness_note(exactness)])
        return table
    none = ("", "", "")
    _row(table, f"exact part, calls: {exactness.exact_calls:,}", *none, usd(pico_to_usd(cost.exact_pico), digits))
    _row(table, f"bounded part, calls: {exactness.inexact_calls:,}", *none, bounded_usd(cost, digits))
    _caption(table, [f"bounded: {inexact_calls(exactness)}", failed_calls(exactness)])
    return table


def summary_table(
    metrics: RunMetrics, *, simulated: bool = False, names: Mapping[str, str] | None = None, digits: int = 6
) -> Table:
    """What stands behind a run's totals: the classifier's part, shares, reasons, expected against actual cost.

    Parts of the cost that are not exact stand here; that all is exact is said below `metrics_table`.

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
    _row(table, "cost", f"{usd_range(totals.range, digits)} $")
    if not totals.exactness.settled:
        for name, text in exactness_rows(totals.range, totals.exactness, digits):
            _row(table, name, text)
    classifier = cost_range(totals.classifier_cost.total_pico, totals.classifier_exactness)
    _row(table, "of which classifier", f"{usd_range(classifier, digits)} $")
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
            _row(table, name, NOT_KNOWN, usd(change.after, decimals), NOT_KNOWN, NOT_KNOWN)
            return
        figures = (usd(value, decimals) for value in (change.before, change.after))
        _row(table, name, *figures, signed(change.difference, decimals), percent(change))

    def cost(name: str, change: Change, bounds: CostBounds | None) -> None:
        if bounds is None:
            row(name, change, digits)
            return
        ends = (between(end, digits) for end in (bounds.before, bounds.after))
        percents = between(bounds.percent, 1, sign=True, unit=" %")
        _row(table, name, *ends, between(bounds.difference, digits, sign=True), percents)

    cost("cost $, as run", comparison.cost, comparison.bounds)
    if comparison.repriced is not None:
        cost("cost $, classifier repriced (*)", comparison.repriced, comparison.repriced_bounds)
    if comparison.latency is not None and not simulated:
        row("mean latency s", comparison.latency, 2)
    else:
        unknown = _seconds(None, simulated)
        _row(table, "mean latency s", unknown, unknown, NOT_KNOWN, NOT_KNOWN)
    for name, change in comparison.tokens.items():
        row(name, change, 0)
    _caption(table, _footnotes(comparison, digits))
    return table


def _table(title: str, simulated: bool, left: Sequence[str], right: Sequence[str]) -> Table:
    table = FittingTable(title=_text(f"{SIMULATED} · {title}" if simulated else title), title_justify="left")
    for heading in left:
        table.add_column(_text(heading), overflow="fold")
    for heading in right:
        table.add_column(_text(heading), justify="right")
    return table


def _caption(table: Table, notes: Sequence[str]) -> None:
    """Lines below a table; none where there is nothing to say."""
    lines = ["".join(filter(str.isprintable, note)) for note in notes if note]
    if lines:
        table.caption = Text("\n".join(lines))
        table.caption_justify = "left"


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
        return _SIMULATED_LATENCY if simulated else NOT_KNOWN
    return f"{milliseconds / 1000:,.2f}{unit}"


def _milliseconds(value: float | None) -> str:
    return NOT_KNOWN if value is None else f"{value:,.2f} ms"


def _shares(counts: Sequence[tuple[str, int]]) -> str:
    whole = sum(count for _, count in counts)
    parts = sorted(counts, key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {count} ({100 * count / whole:.0f} %)" for name, count in parts) or NOT_KNOWN


def _listed(names: list[str] | tuple[str, ...]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


def _footnotes(comparison: Comparison, digits: int) -> list[str]:
    notes = [comparison.note, *comparison_notes(comparison, digits)]
    if comparison.interval is not None:
        interval = comparison.interval
        low, mean, high = (signed(value, digits) for value in (interval.low, interval.mean, interval.high))
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
    return notes
