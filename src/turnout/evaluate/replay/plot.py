"""Comparisons as a PNG file: what each policy cost, drawn by matplotlib (extra ``plot``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from turnout.config.extras import require
from turnout.core.cost import pico_to_usd
from turnout.evaluate.replay.compared import FORESIGHT_POLICIES, TURNOUT_POLICIES
from turnout.evaluate.replay.comparison import SIMULATED, Comparison

_SIMPLE, _TURNOUT, _FORESIGHT = "#8a9099", "#0b5fa5", "#c4500c"


def draw(comparisons: Sequence[Comparison], path: Path) -> None:
    """Write one file with a panel for each comparison; what is there is overwritten.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OSError: The file cannot be written.
    """
    matplotlib = require("matplotlib", extra="plot")
    figures = require("matplotlib.figure", extra="plot")
    rows = max(len(one.outcomes) for one in comparisons)
    # A dollar in somebody's text must not begin a formula.
    with matplotlib.rc_context({"text.parse_math": False}):
        figure = figures.Figure(figsize=(9.0, len(comparisons) * (1.4 + 0.32 * rows)), layout="constrained")
        panels = figure.subplots(len(comparisons), squeeze=False)
        for (axes,), comparison in zip(panels, comparisons, strict=True):
            _panel(axes, comparison)
        figure.savefig(path, dpi=120, format="png")


def _panel(axes: Any, comparison: Comparison) -> None:
    outcomes = comparison.outcomes
    costs = [float(one.whole.usd) for one in outcomes]
    places = range(len(outcomes))
    axes.barh(places, costs, height=0.65, color=[_color(one.policy) for one in outcomes])
    axes.set_yticks(places, [one.policy for one in outcomes], fontsize=8)
    axes.invert_yaxis()
    for place, cost, outcome in zip(places, costs, outcomes, strict=True):
        text = f" {cost:,.2f} $, {outcome.whole.hit_share:.0%} cache hits, {outcome.whole.cheap_share:.0%} on cheap"
        axes.text(cost, place, text, va="center", fontsize=7)
    axes.set_xlim(0, max(costs, default=1.0) * 1.45)
    if comparison.lower_bound_pico is not None:
        bound = float(pico_to_usd(comparison.lower_bound_pico))
        axes.axvline(bound, color=_FORESIGHT, linestyle="--", linewidth=1)
    axes.spines[["top", "right"]].set_visible(False)
    names = f"{comparison.names[comparison.cheap]} / {comparison.names[comparison.capable]}"
    axes.set_title(
        f"{SIMULATED.upper()} – {comparison.trace}, {names}\n{comparison.verdicts}, convention {comparison.convention}",
        fontsize=9,
        loc="left",
    )
    axes.set_xlabel("USD; dashed: what no policy can fall below", fontsize=8)


def _color(policy: str) -> str:
    if policy in TURNOUT_POLICIES:
        return _TURNOUT
    return _FORESIGHT if policy in FORESIGHT_POLICIES else _SIMPLE
