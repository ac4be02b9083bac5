"""The figures of one router on one pair, for many weightings of the prompts at once; their names and meanings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA, Pair
from turnout.evaluate.scoreboard import metrics
from turnout.evaluate.scoreboard.judging import Judged
from turnout.evaluate.scoreboard.router import Meaning
from turnout.evaluate.scoreboard.sweep import Order, curves, order_of, thinned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Unit = Literal["score", "percent", "share"]
"""How a figure is written: with three digits, as per cent already, or as a share that is shown as per cent."""


class Metric(NamedTuple):
    """A figure of the scoreboard.

    Attributes:
        name: Its name in JSON and in ``--require``.
        heading: Its heading in tables.
        better: Whether more or less of it is better; none: neither.
        unit: How it is written.
        meaning: In words.
    """

    name: str
    heading: str
    better: Literal["more", "less"] | None
    unit: Unit
    meaning: str


METRICS: tuple[Metric, ...] = (
    Metric("apgr", "APGR", "more", "score", "average performance gap recovered, exact curve"),
    Metric("apgr_bins", "APGR, 10 bins", "more", "score", "the same by RouteLLM's ten bins"),
    Metric("cpt50", "CPT(50) %", "less", "percent", "calls to the capable model that recover 50 % of the gap"),
    Metric("cpt80", "CPT(80) %", "less", "percent", "calls to the capable model that recover 80 % of the gap"),
    Metric("cpt50_bins", "CPT(50) %, 10 bins", "less", "percent", "the same by RouteLLM's ten bins"),
    Metric("cpt80_bins", "CPT(80) %, 10 bins", "less", "percent", "the same by RouteLLM's ten bins"),
    Metric("saved_95", "saved at 95 %", "more", "share", "cost saved; threshold for 95 % chosen on training folds"),
    Metric("kept_95", "kept at 95 %", None, "share", "quality that this threshold kept"),
    Metric("calls_95", "calls at 95 %", "less", "share", "calls to the capable model by this threshold"),
    Metric("saved_98", "saved at 98 %", "more", "share", "cost saved; threshold for 98 % chosen on training folds"),
    Metric("kept_98", "kept at 98 %", None, "share", "quality that this threshold kept"),
    Metric("calls_98", "calls at 98 %", "less", "share", "calls to the capable model by this threshold"),
    Metric("saved_95_curve", "on curve, 95 %", "more", "share", "cost saved at 95 %, threshold from the same prompts"),
    Metric("saved_98_curve", "on curve, 98 %", "more", "share", "cost saved at 98 %, threshold from the same prompts"),
    Metric("aiq", "AIQ", "more", "score", "RouterBench's average improvement in quality"),
    Metric("arena", "arena", "more", "score", "RouterArena's score at the threshold for 95 %"),
    Metric("ece", "ECE", "less", "score", "calibration error: how far scores are from what came, ten bins"),
)
"""All figures, in the order of tables."""

METRIC_NAMES: tuple[str, ...] = tuple(metric.name for metric in METRICS)
"""Their names."""

AREA, GAP = "area", "gap"
"""What APGR is one over the other of. Pairs are pooled by them; tables do not show them."""


def came_of(meaning: Meaning, pair: Pair) -> Floats:
    """For each prompt what came of what a score says, 0 to 1: grades between right and wrong count as what they are."""
    np = require("numpy", extra=EXTRA)
    if meaning == "fails":
        shortfall: Floats = 1.0 - pair.cheap_scores
        return shortfall
    gain: Floats = np.maximum(pair.capable_scores - pair.cheap_scores, 0.0)
    return gain if meaning == "gains" else (gain > 0.0).astype(float)


class Measured:
    """One router on one pair, ready to be measured under any weighting of the prompts.

    Args:
        judged: What the router did.
        pair: The answers.
    """

    def __init__(self, judged: Judged, pair: Pair) -> None:
        np = require("numpy", extra=EXTRA)
        self._pair = pair
        self._judged = judged
        self._order: Order | None = None
        self._usd_order: Order | None = None
        if judged.ranks:
            self._order = order_of(judged.order_by)
            self._points = metrics.bin_points(self._order)
            self._drawn_order, self._drawn_points = thinned(self._order, self._points)
            if (by_usd := judged.usd_order_by) is not None and pair.costs_known:
                self._usd_order = order_of(by_usd)
                self._drawn_usd_order, _ = thinned(self._usd_order, [])
        self._calibration: tuple[Any, Any] | None = None
        if judged.meaning is not None:
            said = np.clip(judged.scores, 0.0, 1.0)
            self._calibration = metrics.calibration_sums(said, came_of(judged.meaning, pair), pair.weights)

    def figures(self, weights: Any | None = None) -> dict[str, Floats]:
        """Every figure of `METRICS`, and `AREA` and `GAP`, one value a weighting; NaN where it is not defined.

        Args:
            weights: Shape (weightings, prompts); default: one weighting, by the pair's own weights.
        """
        np = require("numpy", extra=EXTRA)
        count = 1 if weights is None else len(weights)
        found = dict.fromkeys((*METRIC_NAMES, AREA, GAP), np.full(count, np.nan))
        if self._order is not None:
            found |= self._of_curve(weights)
        for keep, sent in self._judged.sent.items():
            found |= self._of_threshold(np, f"{round(100 * keep)}", sent, weights)
        if self._calibration is not None:
            found["ece"] = self._of_probabilities(np, weights)
        return found

    def _of_curve(self, weights: Any | None) -> dict[str, Floats]:
        assert self._order is not None
        many = weights is not None
        points = self._drawn_points if many else self._points
        drawn = curves(self._pair, self._drawn_order if many else self._order, weights)
        found = {
            AREA: metrics.area(drawn),
            GAP: drawn.capable - drawn.cheap,
            "apgr": metrics.apgr(drawn),
            "apgr_bins": metrics.apgr_bins(drawn, points),
            "cpt50": metrics.cpt(drawn, 0.5),
            "cpt80": metrics.cpt(drawn, 0.8),
            "cpt50_bins": metrics.cpt_bins(drawn, points, 0.5),
            "cpt80_bins": metrics.cpt_bins(drawn, points, 0.8),
        }
        if self._usd_order is not None:
            drawn = curves(self._pair, self._drawn_usd_order if many else self._usd_order, weights)
        if self._pair.costs_known:
            found["aiq"] = metrics.aiq(drawn)
        found["saved_95_curve"] = 1.0 - metrics.spent_share(drawn, 0.95)
        found["saved_98_curve"] = 1.0 - metrics.spent_share(drawn, 0.98)
        return found

    def _of_threshold(self, np: Any, keep: str, sent: Any, weights: Any | None) -> dict[str, Floats]:
        pair = self._pair
        drawn = (pair.weights if weights is None else weights * pair.weights).reshape(-1, len(pair))
        total = drawn.sum(axis=1)

        def mean(cheap: Any, capable: Any) -> Any:
            return drawn @ (cheap + sent * (capable - cheap)) / total

        quality = mean(pair.cheap_scores, pair.capable_scores)
        calls = drawn @ sent / total
        with np.errstate(divide="ignore", invalid="ignore"):
            found = {
                f"calls_{keep}": calls,
                f"kept_{keep}": quality / (drawn @ pair.capable_scores / total),
                f"saved_{keep}": 1.0 - calls,
            }
            if pair.costs_known:
                usd = mean(pair.cheap_usd, pair.capable_usd)
                found[f"saved_{keep}"] = 1.0 - usd / (drawn @ pair.capable_usd / total)
                if keep == "95":
                    found["arena"] = metrics.arena(quality, usd)
        return found

    def _of_probabilities(self, np: Any, weights: Any | None) -> Floats:
        assert self._calibration is not None
        where, excess = self._calibration
        by_bin = np.zeros((len(where), metrics.BINS))
        by_bin[np.arange(len(where)), where] = excess
        drawn = np.ones((1, len(where))) if weights is None else weights
        return metrics.calibration_error(drawn @ by_bin, drawn @ self._pair.weights)
