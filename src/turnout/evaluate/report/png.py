"""The charts of a report as PNG files, for a README or a mail; drawn by matplotlib (extra ``plot``)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from turnout.config.extras import require
from turnout.evaluate.report.charts import Chart
from turnout.trace.views.tables import SIMULATED

_COLORS = ("#0b5fa5", "#c4500c", "#2a7f62", "#7b4ba0", "#8a6d00", "#a03060")
_LONGEST_LABEL = 24


def draw(charts: tuple[Chart, ...], directory: Path) -> list[Path]:
    """Write one file a chart, named after it, and give their paths; what is there is overwritten.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OSError: The directory or a file cannot be written.
    """
    matplotlib = require("matplotlib", extra="plot")
    figures = require("matplotlib.figure", extra="plot")
    directory.mkdir(parents=True, exist_ok=True)
    paths = []
    # A dollar in somebody's text must not begin a formula.
    with matplotlib.rc_context({"text.parse_math": False}), warnings.catch_warnings():
        # A letter that the font does not have is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        for chart in charts:
            path = directory / f"{chart.id}.png"
            height = 1.6 + 0.55 * len(chart.labels) if chart.kind == "shares" else 4.2
            figure = figures.Figure(figsize=(9.0, height), layout="constrained")
            _draw(figure.subplots(), chart)
            figure.savefig(path, dpi=120)
            paths.append(path)
    return paths


def _draw(axes: Any, chart: Chart) -> None:
    label = f"{SIMULATED.upper()} – " if chart.simulated else ""
    axes.set_title(f"{label}{chart.title}", fontsize=11, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    if chart.kind == "shares":
        _shares(axes, chart)
    elif chart.kind == "line":
        _lines(axes, chart)
    else:
        _bars(axes, chart)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.12), ncols=3)


def _shares(axes: Any, chart: Chart) -> None:
    places = range(len(chart.labels))
    starts = [0.0] * len(chart.labels)
    for index, series in enumerate(chart.series):
        values = [value or 0.0 for value in series.values]
        axes.barh(places, values, left=starts, height=0.6, label=_short(series.name), color=_color(index))
        starts = [start + value for start, value in zip(starts, values, strict=True)]
    axes.set_yticks(places, [_short(label) for label in chart.labels], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("%", fontsize=8)


def _lines(axes: Any, chart: Chart) -> None:
    measured = -1
    for series in chart.series:
        measured += not series.computed
        places = [int(label) for label, value in zip(chart.labels, series.values, strict=True) if value is not None]
        values = [value for value in series.values if value is not None]
        style = "--" if series.computed else "-"
        axes.plot(
            places,
            values,
            style,
            label=_short(series.name, 60),
            color=_color(max(measured, 0)),
            marker="o" if len(values) < 2 else None,
        )
    axes.set_xlabel(chart.axis, fontsize=8)
    axes.set_ylabel(chart.unit, fontsize=8)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylim(bottom=0)


def _bars(axes: Any, chart: Chart) -> None:
    width = 0.8 / len(chart.series)
    for index, series in enumerate(chart.series):
        places = [place + (index - (len(chart.series) - 1) / 2) * width for place in range(len(chart.labels))]
        values = [float("nan") if value is None else value for value in series.values]
        axes.bar(places, values, width=width * 0.95, label=_short(series.name), color=_color(index))
    size = 8 if len(chart.labels) <= 12 else 6
    labels = [_short(label) for label in chart.labels]
    long = max(map(len, labels), default=0) * len(labels) > 110
    axes.set_xticks(
        range(len(labels)), labels, fontsize=size, rotation=60 if long else 0, ha="right" if long else "center"
    )
    axes.set_ylabel(chart.unit, fontsize=8)


def _color(index: int) -> str:
    return _COLORS[index % len(_COLORS)]


def _short(text: str, longest: int = _LONGEST_LABEL) -> str:
    plain = "".join(one if one.isprintable() else "�" for one in text)
    # A legend leaves out what begins with an underscore.
    plain = plain if len(plain) <= longest else plain[: longest - 1] + "…"
    return f" {plain}" if plain.startswith("_") else plain
