"""Cost-quality curves with bands, one panel a pair, as a PNG or SVG file by matplotlib (extra ``plot``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.scoreboard.board import Judgements
from turnout.evaluate.scoreboard.judging import Judged
from turnout.evaluate.scoreboard.resampling import draws_for
from turnout.evaluate.scoreboard.sweep import curves, order_of

POINTS = 201
"""Points of a drawn curve."""

_BAND_DRAWS = 300
_WIDTH, _HEIGHT = 9.0, 5.5
_STYLES = {"router": ("-", 2.0), "baseline": ("--", 1.1), "bound": (":", 1.4)}


def draw(done: Sequence[Judgements], path: Path) -> None:
    """Write one file with a panel for each pair; what is there is overwritten.

    Across is USD for 1,000 prompts, or the share of calls to the capable model where costs are not known; up is the
    score. Bands hold 95 % of the curves of resampled prompts and are drawn for routers under test.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OSError: The file cannot be written.
        ValueError: The file's ending is none that matplotlib writes.
    """
    matplotlib = require("matplotlib", extra="plot")
    figures = require("matplotlib.figure", extra="plot")
    with matplotlib.rc_context({"text.parse_math": False, "svg.hashsalt": "turnout"}):
        figure = figures.Figure(figsize=(_WIDTH, _HEIGHT * len(done)), layout="constrained")
        panels = figure.subplots(len(done), squeeze=False)
        for (axes,), one in zip(panels, done, strict=True):
            _panel(axes, one)
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else None
        figure.savefig(path, dpi=120, metadata=metadata)


def _panel(axes: Any, one: Judgements) -> None:
    pair = one.pair
    for judged in one.judged:
        if not judged.ranks:
            continue
        across, up, low, high = line_of(one, judged)
        style, width = _STYLES[judged.kind]
        (drawn,) = axes.plot(across, up, style, linewidth=width, label=judged.name)
        if judged.kind == "router":
            axes.fill_between(across, low, high, color=drawn.get_color(), alpha=0.15, linewidth=0)
    axes.set_title(f"{one.wanted.title} ({len(pair):,} prompts)", fontsize=10, loc="left")
    axes.set_xlabel("USD for 1,000 prompts" if pair.costs_known else "calls to the capable model, %")
    axes.set_ylabel("mean score")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)


def line_of(one: Judgements, judged: Judged) -> tuple[Any, Any, Any, Any]:
    """For a plot: where across, the score there, and the ends of its band, at `POINTS` shares of calls."""
    np = require("numpy", extra=EXTRA)
    pair = one.pair
    by_usd = judged.usd_order_by
    order = order_of(by_usd if by_usd is not None and pair.costs_known else judged.order_by)
    shares = np.linspace(0.0, 1.0, POINTS)
    exact = curves(pair, order)
    across = 1000.0 * np.interp(shares, exact.share[0], exact.usd[0]) if pair.costs_known else 100.0 * shares
    up = np.interp(shares, exact.share[0], exact.quality[0])
    if judged.kind != "router":
        return across, up, up, up
    resampled = []
    for (drawn,) in draws_for([pair], resamples=_BAND_DRAWS).chunks():
        some = curves(pair, order, drawn)
        resampled += [
            np.interp(shares, share, quality) for share, quality in zip(some.share, some.quality, strict=True)
        ]
    low, high = np.quantile(np.array(resampled), [0.025, 0.975], axis=0)
    return across, up, np.minimum(low, up), np.maximum(high, up)
