"""Cost and quality over all thresholds of a router score, for many weightings of the prompts at once.

The score says how much a prompt needs the capable model. From "nobody" on, prompts change to the capable model in the
order of their score, the neediest first; prompts of one score cannot be told apart and change together. So a curve has
a point before the first change and one after each. Between two points it goes straight: there a part of the prompts of
one score, drawn blindly, has changed.

A weighting is a row of the matrix ``weights``: ones, or how often a resample drew each prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA, Pair

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST_RUNS = 4_000
"""So many runs of prompts of one score are told apart where a curve is drawn many times."""


class Order(NamedTuple):
    """In which order prompts change to the capable model.

    Attributes:
        rows: The prompts, the neediest first.
        starts: Where in ``rows`` each run of prompts of one score begins.
        values: The score of each run, descending.
    """

    rows: Any
    starts: Any
    values: Any


class Curves(NamedTuple):
    """Curves, one a weighting: arrays of shape (weightings, points), each point a mean over the prompts.

    Attributes:
        share: The share of prompts on the capable model, from 0 to 1.
        quality: The score of the answers.
        usd: USD a prompt; NaN where costs are not known.
    """

    share: Floats
    quality: Floats
    usd: Floats

    @property
    def cheap(self) -> Floats:
        """The cheap model's mean score, one a weighting."""
        return self.quality[:, 0]

    @property
    def capable(self) -> Floats:
        """The capable model's mean score, one a weighting."""
        return self.quality[:, -1]

    @property
    def spent(self) -> Floats:
        """What to save on: USD where costs are known, else the share of calls to the capable model."""
        np = require("numpy", extra=EXTRA)
        return self.share if np.isnan(self.usd).any() else self.usd


def order_of(scores: Any) -> Order:
    """The order that router scores give.

    Raises:
        ValueError: There is no score, or one is not finite.
    """
    np = require("numpy", extra=EXTRA)
    scores = np.asarray(scores, np.float64)
    if not len(scores) or not np.isfinite(scores).all():
        raise ValueError("router scores must be finite numbers, one for each prompt")
    rows = np.argsort(-scores, kind="stable")
    ranked = scores[rows]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(ranked)) + 1])
    return Order(rows, starts, ranked[starts])


def thinned(order: Order, points: Any, *, most: int = MOST_RUNS) -> tuple[Order, Any]:
    """The same order with runs put together where there are more than ``most``: for curves of very many prompts.

    Between the points that are left the curve goes straight; of 500,000 prompts each run is 125, a 4,000th part.

    Args:
        order: The order.
        points: Points of its curve that are to stay.
        most: How many runs may be left, those of ``points`` not counted.

    Returns:
        The order, and where ``points`` are among the points of its curve.
    """
    np = require("numpy", extra=EXTRA)
    runs = len(order.starts)
    points = np.asarray(points, np.int64)
    if runs <= most:
        return order, points
    # A point's number is that of the run behind it; the point behind the last run always stays.
    kept = np.unique(
        np.concatenate([np.linspace(0, runs, most, endpoint=False).astype(np.int64), points[points < runs]])
    )
    return Order(order.rows, order.starts[kept], order.values[kept]), np.searchsorted(kept, points)


def curves(pair: Pair, order: Order, weights: Any | None = None) -> Curves:
    """The curves of an order.

    Args:
        pair: The answers.
        order: The order of its prompts.
        weights: Shape (weightings, prompts); default: one weighting, by the pair's own weights.
    """
    np = require("numpy", extra=EXTRA)
    drawn = (pair.weights if weights is None else weights * pair.weights).reshape(-1, len(pair))[:, order.rows]
    total = drawn.sum(axis=1, keepdims=True)

    def along(cheap: Any, capable: Any) -> Any:
        changes = np.add.reduceat(drawn * (capable - cheap)[order.rows], order.starts, axis=1)
        before = (drawn * cheap[order.rows]).sum(axis=1, keepdims=True)
        return (before + np.concatenate([np.zeros((len(drawn), 1)), np.cumsum(changes, axis=1)], axis=1)) / total

    moved = np.cumsum(np.add.reduceat(drawn, order.starts, axis=1), axis=1)
    share = np.concatenate([np.zeros((len(drawn), 1)), moved / total], axis=1)
    share[:, -1] = 1.0
    quality = along(pair.cheap_scores, pair.capable_scores)
    usd = along(pair.cheap_usd, pair.capable_usd) if pair.costs_known else np.full_like(share, np.nan)
    return Curves(share, quality, usd)


class Cut(NamedTuple):
    """A threshold: prompts with a score above ``at`` go to the capable model, of those exactly there a share does.

    Attributes:
        at: The score.
        share_at: Of the prompts with that very score the share that goes to the capable model, drawn blindly.
    """

    at: float
    share_at: float

    def on_capable(self, scores: Any) -> Floats:
        """For each prompt the probability that it goes to the capable model."""
        np = require("numpy", extra=EXTRA)
        sent: Floats = np.where(scores > self.at, 1.0, np.where(scores == self.at, self.share_at, 0.0))
        return sent


def cheapest_cut(pair: Pair, scores: Any, keep: float) -> Cut:
    """The cheapest threshold that keeps a share of the capable model's quality on these prompts.

    Cheapest in USD where costs are known, else in calls to the capable model. On the prompts that it was chosen on it
    looks better than it is.

    Args:
        pair: The answers.
        scores: The router's score of each prompt.
        keep: Which share of the capable model's mean score is to be kept, such as 0.95.
    """
    np = require("numpy", extra=EXTRA)
    order = order_of(scores)
    drawn = curves(pair, order)
    spent, at, part = (one[0] for one in cheapest(drawn, keep))
    del spent
    if at < 0:
        return Cut(float(np.inf), 0.0)
    return Cut(float(order.values[at]), float(part))


def cheapest(drawn: Curves, keep: float) -> tuple[Floats, Any, Floats]:
    """Where each curve spends least of those points that keep a share of the capable model's quality.

    Returns:
        For each weighting: what is spent there (see `Curves.spent`); the last run of prompts that changes, -1 for none;
        and which part of that run does.
    """
    np = require("numpy", extra=EXTRA)
    target = keep * drawn.capable[:, None]
    spent, quality = drawn.spent, drawn.quality
    good = quality >= target - 1e-12
    rows = np.arange(len(spent))
    corners = np.where(good, spent, np.inf)
    corner = np.argmin(corners, axis=1)
    # Where a straight piece goes through the target, the crossing can be cheaper than both of its ends that are good.
    left, right = quality[:, :-1], quality[:, 1:]
    crosses = good[:, 1:] != good[:, :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(crosses, (target - left) / (right - left), 0.0)
        part = np.clip(np.nan_to_num(part), 0.0, 1.0)
    crossing_spent = np.where(crosses, spent[:, :-1] + part * (spent[:, 1:] - spent[:, :-1]), np.inf)
    if crossing_spent.shape[1] == 0:
        return corners[rows, corner], corner - 1, np.ones(len(rows))
    crossing = np.argmin(crossing_spent, axis=1)
    through = crossing_spent[rows, crossing] < corners[rows, corner]
    least = np.where(through, crossing_spent[rows, crossing], corners[rows, corner])
    run = np.where(through, crossing, corner - 1)
    return least, run, np.where(through, part[rows, crossing], 1.0)
