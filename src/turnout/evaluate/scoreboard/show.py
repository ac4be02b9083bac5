"""A scoreboard for people: tables for a terminal, and Markdown for a README."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from turnout.classify.assess import Figure
from turnout.evaluate.scoreboard.board import Board, Line, PairBoard
from turnout.evaluate.scoreboard.figures import METRICS, Metric, Unit
from turnout.evaluate.scoreboard.resampling import Difference

SHORT: tuple[str, ...] = ("apgr", "cpt50", "cpt80", "saved_95", "kept_95", "saved_98", "kept_98", "aiq", "arena", "ece")
"""The figures of the short table; the others are shown by ``--all``, and are always in JSON."""

NOTHING = "–"
BY_GAP = "APGR by gap"
"""Heading of the difference over all pairs, each weighted by the gap between its models."""


def tables(board: Board, *, every: bool = False) -> Iterator[Table]:
    """A table a pair, then the differences, then all pairs together.

    Args:
        board: The scoreboard.
        every: All figures instead of `SHORT`.
    """
    shown = metrics_shown(every)
    for one in board.pairs:
        table = Table(
            title=Text(title_of(one)), title_justify="left", caption=caption_of(board, one), caption_justify="left"
        )
        table.add_column("router", no_wrap=True)
        for metric in shown:
            table.add_column(metric.heading, justify="right", overflow="fold")
        for line in one.lines:
            cells = (two_lines(line.figures[metric.name], metric.unit) for metric in shown)
            table.add_row(Text(label_of(line)), *cells)
        yield table
        yield _differences(f"more than {board.reference}: {one.pair.title}", one.differences)
    if board.pooled is not None:
        medians = Table(title=f"medians over {len(board.pairs)} pairs", title_justify="left")
        medians.add_column("router", no_wrap=True)
        for metric in shown:
            medians.add_column(metric.heading, justify="right")
        for name, values in board.pooled.medians.items():
            medians.add_row(Text(name), *(number_text(values[metric.name], metric.unit) for metric in shown))
        yield medians
        yield _differences(
            f"more than {board.reference}: mean over {len(board.pairs)} pairs",
            board.pooled.differences,
            board.pooled.by_gap,
        )


def markdown(board: Board, *, every: bool = False) -> str:
    """The scoreboard as Markdown: a table a pair, with intervals.

    Args:
        board: The scoreboard.
        every: All figures instead of `SHORT`.
    """
    shown = metrics_shown(every)
    blocks = []
    for one in board.pairs:
        head = ["router", *(metric.heading for metric in shown)]
        rows = [head, ["---", *("---:" for _ in shown)]]
        rows += [
            [label_of(line), *(figure_text(line.figures[metric.name], metric.unit) for metric in shown)]
            for line in one.lines
        ]
        blocks.append(f"**{title_of(one)}**\n\n" + _rows(rows) + f"\n\n{caption_of(board, one)}")
    if board.pooled is not None:
        by_gap = board.pooled.by_gap
        rows = [["router", *(metric.heading for metric in shown)], ["---", *("---:" for _ in shown)]]
        rows += [
            [name, *(number_text(values[metric.name], metric.unit) for metric in shown)]
            for name, values in board.pooled.medians.items()
        ]
        blocks.append(f"**Medians over {len(board.pairs)} pairs**\n\n" + _rows(rows))
        compared = [metric for metric in METRICS if metric.name in _COMPARED]
        rows = [["router", *(metric.heading for metric in compared), BY_GAP], ["---", *("---:" for _ in range(4))]]
        rows += [
            [name, *(figure_text(found[one.name], one.unit) for one in compared), figure_text(by_gap[name], "score")]
            for name, found in board.pooled.differences.items()
        ]
        blocks.append(f"**More than {board.reference}, mean over {len(board.pairs)} pairs**\n\n" + _rows(rows))
    return "\n\n".join(blocks) + "\n"


def metrics_shown(every: bool) -> list[Metric]:
    """The figures that tables show."""
    return [metric for metric in METRICS if every or metric.name in SHORT]


def title_of(one: PairBoard) -> str:
    """The pair, how many prompts, how good and how dear both models are."""
    cost = (
        "costs not known"
        if one.cheap_usd is None or one.capable_usd is None
        else f"{1000 * one.cheap_usd:.3g} -> {1000 * one.capable_usd:.3g} USD for 1,000"
    )
    return (
        f"{one.pair.title}: {one.prompts:,} prompts ({one.groups:,} different), score {one.cheap_score:.3f} -> "
        f"{one.capable_score:.3f}, {cost}"
    )


def caption_of(board: Board, one: PairBoard) -> str:
    """How the figures came about."""
    lost = one.left_out
    parts = [f"{board.split}; 95 % intervals of {board.resamples:,} draws of prompts"]
    if lost.only_cheap or lost.only_capable:
        parts.append(
            f"left out: {lost.only_cheap:,} prompts of the cheap model only, {lost.only_capable:,} of the other"
        )
    if lost.repeated:
        parts.append(f"{lost.repeated:,} repeated answers averaged")
    return "; ".join([*parts, *one.notes])


def label_of(line: Line) -> str:
    """A router's name, marked where it is a baseline or a bound."""
    return {"router": line.router, "baseline": f"{line.router} *", "bound": f"{line.router} **"}[line.kind]


def figure_text(figure: Figure | Difference | None, unit: Unit) -> str:
    """A figure with its interval."""
    if figure is None:
        return NOTHING
    scale, digits = _SCALES[unit]
    low, high = (f"{scale * end:.{digits}f}" for end in (figure.low, figure.high))
    return number_text(figure.value, unit) + ("" if low == high else f" [{low}, {high}]")


def two_lines(figure: Figure | None, unit: Unit) -> str:
    """A figure with its interval below it, in two digits, for narrow columns."""
    if figure is None:
        return NOTHING
    scale, digits = _SCALES[unit]
    low, high = (f"{scale * end:.{digits - 1}f}".replace("0.", ".", 1) for end in (figure.low, figure.high))
    return number_text(figure.value, unit) + ("" if low == high else f"\n{low}–{high}")


def number_text(value: float | None, unit: Unit) -> str:
    """A figure alone."""
    if value is None:
        return NOTHING
    scale, digits = _SCALES[unit]
    return f"{scale * value:.{digits}f}" + (" %" if unit == "share" else "")


_SCALES: dict[Unit, tuple[float, int]] = {"score": (1.0, 3), "percent": (1.0, 1), "share": (100.0, 1)}
_COMPARED: Sequence[str] = ("apgr", "saved_95", "saved_98")


def _differences(
    title: str,
    differences: dict[str, dict[str, Difference | None]],
    by_gap: dict[str, Difference | None] | None = None,
) -> Table:
    table = Table(title=Text(title), title_justify="left")
    table.add_column("router", no_wrap=True)
    compared = [metric for metric in METRICS if metric.name in _COMPARED]
    for metric in compared:
        table.add_column(metric.heading, justify="right")
        table.add_column("p", justify="right")
    if by_gap is not None:
        table.add_column(BY_GAP, justify="right")
        table.add_column("p", justify="right")
    for name, found in differences.items():
        cells: list[str] = []
        for metric in compared:
            one = found[metric.name]
            cells += [figure_text(one, metric.unit), NOTHING if one is None else f"{one.p:.3f}"]
        if by_gap is not None:
            one = by_gap[name]
            cells += [figure_text(one, "score"), NOTHING if one is None else f"{one.p:.3f}"]
        table.add_row(Text(name), *cells)
    return table


def _rows(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)
