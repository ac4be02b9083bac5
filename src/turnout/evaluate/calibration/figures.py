"""What a bar does to the calibration's requests: shares, costs and quality, with intervals by bootstrap over groups."""

from __future__ import annotations

from typing import Any, NamedTuple

from turnout.config.calibration import Range
from turnout.config.extras import require
from turnout.evaluate.calibration.bars import Bars
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.scoreboard.resampling import Draws, figure
from turnout.evaluate.training.answers import Answers

RESAMPLES = 1_000
"""Draws for intervals; fewer above 20,000 groups, 200 at the least."""

_SEED = 20_261_123


class Figures(NamedTuple):
    """What a bar does.

    Attributes:
        shares: For each candidate the share of requests that it serves.
        usd: What a request costs in USD; none where costs are not known.
        capable_usd: What it costs on the most capable candidate.
        ratio: The one over the other.
        kept: The share of the most capable candidate's mean score that is kept.
    """

    shares: tuple[Range, ...]
    usd: Range | None
    capable_usd: Range | None
    ratio: Range | None
    kept: Range | None


class Measured:
    """The calibration's requests, ready to be asked what a bar does to them.

    Args:
        bars: What is said of them.
        answers: Their grades, costs and groups.
        weights: How much each counts.
    """

    def __init__(self, bars: Bars, answers: Answers, weights: Any) -> None:
        np = require("numpy", extra=EXTRA)
        self._np = np
        self._bars = bars
        self._answers = answers
        self._weights = weights
        self.costs_known = not bool(np.isnan(answers.costs).any())
        groups = len(answers.group_keys)
        draws = Draws((answers.groups,), groups, int(min(RESAMPLES, max(200, 20_000_000 // groups))), _SEED)
        self._counts = [counts for (counts,) in draws.chunks()]

    def under(self, bar: float | None) -> Figures:
        """The figures under a bar; none: only the most capable candidate clears it."""
        np, answers = self._np, self._answers
        chosen = self._bars.chosen(bar)
        many = answers.scores.shape[1]
        rows = np.arange(len(chosen))
        columns = [chosen == candidate for candidate in range(many)]
        columns += [answers.scores[rows, chosen], answers.scores[:, -1]]
        if self.costs_known:
            columns += [answers.costs[rows, chosen], answers.costs[:, -1]]
        weighted = np.stack(columns, axis=1) * self._weights[:, None]
        whole = weighted.sum(axis=0)
        total = self._weights.sum()
        drawn = np.vstack([counts @ np.column_stack([weighted, self._weights]) for counts in self._counts])
        drawn, totals = drawn[:, :-1], drawn[:, -1]

        def mean(column: int) -> Range | None:
            return _range(whole[column] / total, drawn[:, column] / totals)

        def ratio(above: int, below: int) -> Range | None:
            if not whole[below] > 0.0:
                return None
            with np.errstate(invalid="ignore", divide="ignore"):
                return _range(whole[above] / whole[below], drawn[:, above] / drawn[:, below])

        shares = [mean(candidate) for candidate in range(many)]
        return Figures(
            shares=tuple(share for share in shares if share is not None),
            usd=mean(many + 2) if self.costs_known else None,
            capable_usd=mean(many + 3) if self.costs_known else None,
            ratio=ratio(many + 2, many + 3) if self.costs_known else None,
            kept=ratio(many, many + 1),
        )


def _range(value: float, drawn: Any) -> Range | None:
    found = figure(float(value), drawn)
    return None if found is None else Range(found.value, found.low, found.high)
