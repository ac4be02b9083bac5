"""The published figures of a router's curve, for many weightings of the prompts at once.

- APGR, CPT(50), CPT(80): I. Ong et al., RouteLLM (arXiv 2406.18665 v4, 2025-03), section 3; the ten bins are those of
  its code, ``routellm/evals/evaluate.py`` and ``benchmarks.py`` of lm-sys/RouteLLM (read 2026-11-23). `apgr` and `cpt`
  are the same on the exact curve.
- AIQ: Q. J. Hu et al., RouterBench (arXiv 2403.12031 v2, 2024-03), section 3: the mean over the range of costs of the
  non-decreasing convex hull. Its published code (``evaluation/AIQ.py`` of withmartian/routerbench, read 2026-11-23)
  integrates from the least cost on and divides by the greatest cost instead of the range; ours is the paper's.
- RouterArena's score: ``compute_arena_score`` of RouteWorks/RouterArena (read 2026-11-23), arXiv 2510.00202.
- Calibration error: M. P. Naeini, G. F. Cooper, M. Hauskrecht, Obtaining well calibrated probabilities using Bayesian
  binning (2015), with ten bins of equal width.

Everything is a function of arrays; nothing here draws or reads anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.scoreboard.sweep import Curves, Order, cheapest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BINS = 10
"""Bins of RouteLLM's code, and of the calibration error."""

_ARENA_BETA = 0.1
_ARENA_MOST_USD = 200.0
_ARENA_LEAST_USD = 0.0044
_HULL_POINTS = 256


def apgr(drawn: Curves) -> Floats:
    """The average performance gap recovered on the exact curve: its mean over all shares, 0.5 if blind.

    NaN where both models score the same. Above 1 or below 0 where a mix is better than both or worse.
    """
    return _over(require("numpy", extra=EXTRA), area(drawn), drawn.capable - drawn.cheap)


def area(drawn: Curves) -> Floats:
    """What the exact curve has above the cheap model's mean score, on the mean over all shares: APGR times the gap."""
    np = require("numpy", extra=EXTRA)
    height = (drawn.quality[:, 1:] + drawn.quality[:, :-1]) / 2 - drawn.cheap[:, None]
    found: Floats = (np.diff(drawn.share, axis=1) * height).sum(axis=1)
    return found


def cpt(drawn: Curves, recovered: float) -> Floats:
    """The call-performance threshold on the exact curve, in per cent.

    The least share of calls to the capable model at which the curve first recovers that share of the gap between the
    models. NaN where the capable model is not the better one.

    Args:
        drawn: The curves.
        recovered: 0.5 for CPT(50), 0.8 for CPT(80).
    """
    np = require("numpy", extra=EXTRA)
    gap = drawn.capable - drawn.cheap
    target = (drawn.cheap + recovered * gap)[:, None]
    reached = drawn.quality >= target - 1e-12
    first = np.argmax(reached, axis=1)
    rows = np.arange(len(first))
    before = np.maximum(first - 1, 0)
    low, high = drawn.quality[rows, before], drawn.quality[rows, first]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(high > low, (target[:, 0] - low) / (high - low), 0.0)
    start = drawn.share[rows, before]
    found = 100.0 * (start + np.clip(part, 0.0, 1.0) * (drawn.share[rows, first] - start))
    known: Floats = np.where(gap > 0.0, found, np.nan)
    return known


def bin_points(order: Order, bins: int = BINS) -> Any:
    """Which points of the exact curve the thresholds of RouteLLM's code are: share ascending.

    Its thresholds are the ends of ``bins`` equally full bins of the scores (pandas' ``qcut``); a prompt goes to the
    capable model if its score is at or above one, and for the last if it is above. Where scores repeat so often that
    two ends are the same, its code stops with an error; here the points fall together.
    """
    np = require("numpy", extra=EXTRA)
    lengths = np.diff(np.append(order.starts, len(order.rows)))
    ascending = np.repeat(order.values, lengths)[::-1]
    edges = np.quantile(ascending, np.linspace(0.0, 1.0, bins + 1))
    # points: how many runs (descending values) are at or above the edge
    points = np.searchsorted(-order.values, -edges, side="right")
    points[-1] = np.searchsorted(-order.values, -edges[-1], side="left")
    return points[::-1]


def at_points(drawn: Curves, points: Any) -> Curves:
    """The curves at some of their points."""
    return Curves(drawn.share[:, points], drawn.quality[:, points], drawn.usd[:, points])


def apgr_bins(drawn: Curves, points: Any) -> Floats:
    """APGR as RouteLLM's code has it: the trapezoids between its thresholds."""
    np = require("numpy", extra=EXTRA)
    binned = at_points(drawn, points)
    height = (binned.quality[:, 1:] + binned.quality[:, :-1]) / 2 - drawn.cheap[:, None]
    area = (np.diff(binned.share, axis=1) * height).sum(axis=1)
    width = binned.share[:, -1] - binned.share[:, 0]
    return _over(np, area, width * (drawn.capable - drawn.cheap))


def cpt_bins(drawn: Curves, points: Any, recovered: float) -> Floats:
    """CPT as RouteLLM's code has it, in per cent: numpy's ``interp`` of share over quality at its thresholds.

    ``interp`` wants quality to ascend. Where it does not, what it gives is not a crossing; the exact curve's `cpt` is.
    """
    np = require("numpy", extra=EXTRA)
    binned = at_points(drawn, points)
    targets = recovered * (drawn.capable - drawn.cheap) + drawn.cheap
    found: Floats = np.array(
        [
            np.interp(target, quality, 100.0 * share)
            for target, quality, share in zip(targets, binned.quality, binned.share, strict=True)
        ]
    )
    return found


def spent_share(drawn: Curves, keep: float) -> Floats:
    """What the cheapest point that keeps a share of the capable model's quality spends, as a share of always-capable.

    In USD where costs are known, else in calls. On-curve: the threshold is chosen on the same prompts.
    """
    np = require("numpy", extra=EXTRA)
    return _over(np, cheapest(drawn, keep)[0], drawn.spent[:, -1])


def aiq(drawn: Curves) -> Floats:
    """RouterBench's average improvement in quality, over the costs between the cheap and the capable model's.

    NaN where costs are not known, or the capable model is not the dearer one.
    """
    np = require("numpy", extra=EXTRA)
    out: Floats = np.full(len(drawn.usd), np.nan)
    points = drawn.usd.shape[1]
    # One curve is taken exactly. Of many, the hull of 256 of its points is within what an interval can show.
    kept = np.arange(points)
    if len(drawn.usd) > 1 and points > _HULL_POINTS:
        kept = np.unique(np.linspace(0, points - 1, _HULL_POINTS).astype(np.int64))
    for row, (usd, quality) in enumerate(zip(drawn.usd[:, kept], drawn.quality[:, kept], strict=True)):
        low, high = usd[0], usd[-1]
        if high > low:
            out[row] = _hull_mean(np, usd, quality, low, high)
    return out


def arena(quality: Any, usd: Any) -> Floats:
    """RouterArena's score, 0 to 1: quality and the logarithm of the cost of 1,000 prompts, with beta 0.1.

    NaN where nothing was spent. Outside of its range of costs, 0.0044 to 200 USD, the cost counts as that end.
    """
    np = require("numpy", extra=EXTRA)
    with np.errstate(divide="ignore", invalid="ignore"):
        bounded = np.clip(1000.0 * np.asarray(usd), _ARENA_LEAST_USD, _ARENA_MOST_USD)
        cheapness = np.log2(_ARENA_MOST_USD / bounded) / np.log2(_ARENA_MOST_USD / _ARENA_LEAST_USD)
        score = (1.0 + _ARENA_BETA) * quality * cheapness / (_ARENA_BETA * quality + cheapness)
    known: Floats = np.where(np.asarray(usd) > 0.0, score, np.nan)
    return known


def calibration_sums(said: Any, came: Any, weights: Any, bins: int = BINS) -> tuple[Any, Any]:
    """What `calibration_error` adds up, for each prompt: its bin, and its weight times what was said too much.

    Args:
        said: Probabilities.
        came: What happened, 0 to 1.
        weights: The prompts' weights.
        bins: Bins of equal width; a probability on a border is in the upper bin, 1 in the last.
    """
    np = require("numpy", extra=EXTRA)
    where = np.minimum((np.asarray(said) * bins).astype(np.int64), bins - 1)
    return where, weights * (np.asarray(said) - came)


def calibration_error(excess: Any, total: Any) -> Floats:
    """The expected calibration error: the sum over bins of how far its mean probability is from what came, weighted.

    Args:
        excess: For each weighting and bin the sum of what `calibration_sums` gives; shape (weightings, bins).
        total: The sum of weights of each weighting.
    """
    np = require("numpy", extra=EXTRA)
    error: Floats = np.abs(excess).sum(axis=1) / total
    return error


def _over(numpy: Any, part: Any, whole: Any) -> Floats:
    with numpy.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = numpy.where(whole != 0.0, part / whole, numpy.nan)
    return ratio


def _hull_mean(np: Any, usd: Any, quality: Any, low: float, high: float) -> float:
    """The mean height between ``low`` and ``high`` of the least concave, non-decreasing curve over the points."""
    order = np.lexsort((-quality, usd))
    hull: list[tuple[float, float]] = []
    for x, y in zip(usd[order].tolist(), quality[order].tolist(), strict=True):
        if hull and (y <= hull[-1][1] or x == hull[-1][0]):
            continue  # no better than what costs no more
        while len(hull) > 1 and (hull[-1][1] - hull[-2][1]) * (x - hull[-1][0]) <= (y - hull[-1][1]) * (
            hull[-1][0] - hull[-2][0]
        ):
            hull.pop()
        hull.append((x, y))
    xs = np.array([x for x, _ in hull])
    ys = np.array([y for _, y in hull])
    grid = np.unique(np.concatenate([xs[(xs > low) & (xs < high)], [low, high]]))
    heights = np.interp(grid, xs, ys)
    return float((np.diff(grid) * (heights[1:] + heights[:-1]) / 2).sum() / (high - low))
