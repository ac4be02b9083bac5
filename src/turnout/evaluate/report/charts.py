"""The charts of a report as values: drawn on the page by Chart.js, in pictures by matplotlib, and told in tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import Literal

import msgspec

from turnout.core.cost import pico_to_usd
from turnout.evaluate.report.data import Report, ReportedRun
from turnout.trace.views.metrics import TurnMetrics

MOST_BARS = 48
"""More queries than that are shown in groups of neighbours, by their mean."""

MOST_POINTS = 120
"""A line has at most so many points, evenly taken; the last is always there."""

Kind = Literal["bars", "shares", "line"]
"""``bars``: grouped, upright. ``shares``: lying, stacked up to 100 %. ``line``: over the turns in their order."""

Unit = Literal["USD", "s", "%", "turns"]
"""What the values of a chart count."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One line, or one colour of bars; a value is none where it is not known.

    ``computed`` marks what was not measured but worked out: its line is broken.
    """

    name: str
    values: tuple[float | None, ...]
    computed: bool = False


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """One chart.

    Attributes:
        id: A word for it, used in names of files and elements.
        title: What it shows.
        note: How to read it, in a sentence or two.
        kind: How it is drawn.
        unit: What the values count.
        axis: What the labels are.
        labels: One for each value of a series.
        series: The values.
        simulated: Whether simulated models had a part in it.
    """

    id: str
    title: str
    note: str
    kind: Kind
    unit: Unit
    axis: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    simulated: bool


def charts_of(report: Report) -> tuple[Chart, ...]:
    """The charts that the runs of a report give; that of latency only where no model was simulated."""
    made = [_cost(report), _latency(report), _spend(report), _models(report), _cache(report), _reasons(report)]
    return tuple(chart for chart in made if chart is not None)


def _cost(report: Report) -> Chart:
    note = "In US dollars; classifier, cache writes, failed and abandoned calls included."
    return _per_query(
        report,
        id="cost",
        title="Cost per query" + _at_least(report),
        note=note + _inexact(report),
        unit="USD",
        value=lambda turn: float(pico_to_usd(turn.cost_pico)),
    )


def _at_least(report: Report) -> str:
    """The end of a title whose costs are lower ends."""
    return "" if all(run.metrics.totals.exactness.settled for run in report.runs) else " (at least)"


def _inexact(report: Report) -> str:
    """The sentence below a chart whose costs are lower ends."""
    counts = {run.short: run.metrics.totals.exactness.inexact_calls for run in report.runs}
    named = ", ".join(f"{name}: {count:,}" for name, count in counts.items() if count)
    return f" Calls without an exact cost count at their lowest ({named})." if named else ""


def _latency(report: Report) -> Chart | None:
    if report.simulated:
        return None
    return _per_query(
        report,
        id="latency",
        title="Latency per query",
        note="Wall-clock seconds from the first event of a turn to the end of its last call, tools included.",
        unit="s",
        value=lambda turn: None if turn.latency_ms is None else turn.latency_ms / 1000,
    )


def _per_query(
    report: Report, *, id: str, title: str, note: str, unit: Unit, value: Callable[[TurnMetrics], float | None]
) -> Chart:
    by_run = [_by_query(run.metrics.turns, value) for run in report.runs]
    queries = list(dict.fromkeys(query for values in by_run for query in values))
    size = -(-len(queries) // MOST_BARS)
    groups = [queries[start : start + size] for start in range(0, len(queries), size)]
    if size > 1:
        title = f"Mean {title[0].lower()}{title[1:]}"
        note = f"{note} Each bar is the mean of {size} neighbouring queries."
    return Chart(
        id=id,
        title=title,
        note=note,
        kind="bars",
        unit=unit,
        axis="query" if size == 1 else "queries",
        labels=tuple(_group_name(group) for group in groups),
        series=tuple(
            Series(
                name=run.short,
                values=tuple(_mean([values[query] for query in group if query in values]) for group in groups),
            )
            for run, values in zip(report.runs, by_run, strict=True)
        ),
        simulated=report.simulated,
    )


def _by_query(turns: Sequence[TurnMetrics], value: Callable[[TurnMetrics], float | None]) -> dict[str, float | None]:
    """The mean value of each query; a turn without a name is known by its place."""
    gathered: defaultdict[str, list[float | None]] = defaultdict(list)
    for place, turn in enumerate(turns, start=1):
        gathered[turn.query_id or f"turn {place}"].append(value(turn))
    return {query: _mean(values) for query, values in gathered.items()}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _group_name(group: Sequence[str]) -> str:
    return group[0] if len(group) == 1 else f"{group[0]} to {group[-1]}"


def _spend(report: Report) -> Chart:
    """Cumulative spend of each run, and of each routed run without routing."""
    longest = max(len(run.metrics.turns) for run in report.runs)
    step = -(-longest // MOST_POINTS)
    places = [*range(step, longest, step), longest]
    series = []
    for run in report.runs:
        turns = run.metrics.turns
        series.append(Series(name=run.short, values=_cumulative([turn.cost_pico for turn in turns], places)))
        most = [turn.range.most_pico for turn in turns]
        if not run.metrics.totals.exactness.settled and None not in most:
            name = f"{run.short}, at most"
            series.append(Series(name=name, values=_cumulative([pico or 0 for pico in most], places), computed=True))
        if run.not_routing is not None:
            alone = run.not_routing.turns
            costs = [alone.get(turn.turn_id, 0) for turn in turns]
            name = f"{run.short}, if not routed (computed)"
            series.append(Series(name=name, values=_cumulative(costs, places), computed=True))
    note = "Cumulative US dollars over the turns of a run, in their order."
    if any(run.not_routing is not None for run in report.runs):
        note += (
            " The broken line is computed: the same calls on the most capable model alone, with answers of the same "
            "length, under its prices and cache rules."
        )
    note += _inexact(report)
    return Chart(
        id="spend",
        title="Cumulative spend against not routing" + _at_least(report),
        note=note,
        kind="line",
        unit="USD",
        axis="turns",
        labels=tuple(str(place) for place in places),
        series=tuple(series),
        simulated=report.simulated,
    )


def _cumulative(costs_pico: Sequence[int], places: Sequence[int]) -> tuple[float | None, ...]:
    sums = list(accumulate(costs_pico))
    return tuple(float(pico_to_usd(sums[place - 1])) if place <= len(sums) else None for place in places)


def _models(report: Report) -> Chart:
    models = list(dict.fromkeys(model for run in report.runs for model in run.metrics.totals.models))
    names = [report.name(model) for model in models]
    return _shares(
        report,
        id="models",
        title="Share of answered turns by model",
        note="By the model of the last call for the answer.",
        # Two profiles of one model have the same short name: then the ids tell them apart.
        parts={
            report.name(model) if names.count(report.name(model)) == 1 else model: partial(_answered_by, model)
            for model in models
        },
    )


def _answered_by(model: str, run: ReportedRun) -> int:
    return run.metrics.totals.models.get(model, 0)


def _cache(report: Report) -> Chart:
    return _shares(
        report,
        id="cache",
        title="Prompt tokens: read from the cache, written to it, fresh",
        note="Of all prompt tokens of answers; what was read from a cache is its hit share.",
        parts={
            "read from the cache": lambda run: run.metrics.totals.answer_usage.cache_read_tokens,
            "written to the cache": lambda run: run.metrics.totals.answer_usage.cache_write_tokens,
            "fresh": lambda run: run.metrics.totals.answer_usage.input_tokens,
        },
    )


def _shares(report: Report, *, id: str, title: str, note: str, parts: dict[str, Callable[[ReportedRun], int]]) -> Chart:
    wholes = [sum(count(run) for count in parts.values()) for run in report.runs]
    return Chart(
        id=id,
        title=title,
        note=note,
        kind="shares",
        unit="%",
        axis="run",
        labels=tuple(run.short for run in report.runs),
        series=tuple(
            Series(
                name=name,
                values=tuple(
                    100 * count(run) / whole if whole else None for run, whole in zip(report.runs, wholes, strict=True)
                ),
            )
            for name, count in parts.items()
        ),
        simulated=report.simulated,
    )


def _reasons(report: Report) -> Chart | None:
    reasons = sorted({reason for run in report.runs for reason in run.metrics.totals.reasons})
    if not reasons:
        return None
    return Chart(
        id="reasons",
        title="Decisions by reason",
        note="Turns, by the reason of the decision that was free to choose. To read one in words: turnout explain ID.",
        kind="bars",
        unit="turns",
        axis="reason",
        labels=tuple(reason.replace("_", " ") for reason in reasons),
        series=tuple(
            Series(
                name=run.short,
                values=tuple(float(run.metrics.totals.reasons.get(reason, 0)) for reason in reasons),
            )
            for run in report.runs
        ),
        simulated=report.simulated,
    )


def shown(value: float | None, unit: Unit) -> str:
    """A value in words: ``0.004500 $``, ``1.25 s``, ``61.5 %``, ``12``; a dash where it is not known."""
    if value is None:
        return "–"
    match unit:
        case "USD":
            return f"{value:,.6f} $"
        case "s":
            return f"{value:,.2f} s"
        case "%":
            return f"{value:.1f} %"
        case "turns":
            return f"{value:,.0f}"
