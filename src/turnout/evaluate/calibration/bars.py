"""Bars and whom they let serve: from "always capable" downwards, for two candidates or more.

Under a bar every candidate serves that clears it, or the most capable one. Which of those that clear it does, prices
and caches settle. So there are two ways to count quality:

- ``cheapest``: the least capable of those that clear the bar. That is whom a price without caches chooses. What serves
  instead because its cache is warm is more capable.
- ``any``: the worst answer of all who clear the bar. It holds whatever is chosen among them, and needs a higher bar.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from turnout.config.extras import require
from turnout.evaluate.guarantee.pvalues import Test
from turnout.evaluate.guarantee.sequence import Step, Units, in_order
from turnout.evaluate.guarantee.threshold import room_of
from turnout.evaluate.outcomes.pair import EXTRA

Served = Literal["cheapest", "any"]
"""Whom quality is counted for."""

GRID = 1_000
"""Bars on probabilities are laid out once and for all: this many steps from 1 to 0."""


class Bars(NamedTuple):
    """Bars to test, descending, and what is said of the prompts.

    Attributes:
        laid: The bars.
        said: For each prompt and each cheaper candidate what is said: shape (prompts, cheaper candidates).
        scores: Of each prompt and candidate: shape (prompts, candidates).
        ends: Bars that let the same candidates serve the same prompts are one: the place of the last of each.
    """

    laid: Any
    said: Any
    scores: Any
    ends: Any

    def clears(self, place: int) -> Any:
        """Who clears a bar: shape (prompts, cheaper candidates)."""
        return self.said >= self.laid[place]

    def chosen(self, bar: float | None) -> Any:
        """Each prompt's candidate under a bar, the least capable that clears it; none: nobody clears it."""
        np = require("numpy", extra=EXTRA)
        many = self.scores.shape[1]
        if bar is None:
            return np.full(len(self.said), many - 1)
        clears = np.hstack([self.said >= bar, np.ones((len(self.said), 1), bool)])
        return clears.argmax(axis=1)

    def served_scores(self, place: int, served: Served) -> Any:
        """The score that counts for each prompt."""
        np = require("numpy", extra=EXTRA)
        if served == "cheapest":
            return self.scores[np.arange(len(self.scores)), self.chosen(float(self.laid[place]))]
        counted = np.where(self.clears(place), self.scores[:, :-1], np.inf)
        return np.minimum(counted.min(axis=1), self.scores[:, -1])


def bars_on(said: Any, scores: Any, laid: Any) -> Bars:
    """The bars, those put together that are the same for these prompts.

    Args:
        said: As of `Bars`.
        scores: As of `Bars`.
        laid: The bars, descending, laid out without these prompts.

    Raises:
        ValueError: The bars do not descend.
    """
    np = require("numpy", extra=EXTRA)
    laid = np.asarray(laid, float)
    if not len(laid) or (np.diff(laid) >= 0.0).any():
        raise ValueError("bars must descend")
    ordered = np.sort(said, axis=0)
    counts = np.stack([len(said) - np.searchsorted(column, laid, side="left") for column in ordered.T], axis=1)
    changes = (counts[1:] != counts[:-1]).any(axis=1)
    ends = np.append(np.flatnonzero(changes), len(laid) - 1)
    return Bars(laid, said, scores, ends)


def grid() -> Any:
    """The bars on probabilities: 1, 0.999, ..., 0."""
    np = require("numpy", extra=EXTRA)
    return np.arange(GRID, -1, -1) / GRID


def laid_by(said: Any) -> Any:
    """Bars at what is said of other prompts, where that is no probability."""
    np = require("numpy", extra=EXTRA)
    return np.unique(said)[::-1]


def bars_in_order(
    bars: Bars,
    weights: Any,
    units: Units,
    *,
    keep: float,
    delta: float,
    served: Served = "cheapest",
    test: Test = "betting",
) -> Iterator[tuple[float, Step]]:
    """Test bars from the highest downwards, up to the first that does not pass, which is given too.

    The loss of a prompt is ``keep x score of the most capable - score that counts``. That a bar passed means: with
    probability at least 1 - delta its mean loss, and that of all before it, is not above 0.

    Args:
        bars: The bars.
        weights: 1 over the probability with which each prompt was sampled, times the least there can be: at most 1.
        units: The prompts' groups.
        keep: Which share of the most capable candidate's mean score is to be kept.
        delta: The probability with which the statement may be wrong.
        served: Whom quality is counted for.
        test: Which p-value.
    """
    np = require("numpy", extra=EXTRA)
    capable = bars.scores[:, -1]

    def losses(places: range) -> Any:
        counted = np.stack([bars.served_scores(bars.ends[place], served) for place in places])
        return weights * (keep * capable - counted)

    steps = in_order(len(bars.ends), losses, units, delta=delta, most=keep, room=room_of(keep), test=test)
    for step in steps:
        yield float(bars.laid[bars.ends[step.place]]), step
