"""p-values for "the mean loss is above 0", valid for every finite number of losses and whatever their distribution.

Losses lie between -1 and ``most`` (0 < most <= 1) and are drawn independently from one distribution, or without
replacement from a population. A p-value is valid: if the mean loss really is above 0, it is at or below delta with a
probability of at most delta.

- `hoeffding_bentkus`: the lesser of Hoeffding's and Bentkus' bound for the rescaled mean, as in A. N. Angelopoulos,
  S. Bates, E. J. Candes, M. I. Jordan, L. Lei, Learn then Test (arXiv 2110.01052 v5, 2022), proposition 4. Knows only
  the mean: it needs many prompts where the room below 0 is small. Holds without replacement too: both bounds come from
  convex functions of the sum (W. Hoeffding, 1963, theorem 4).
- `betting`: one over the wealth of a bettor against the hypothesis, who risks the same share of it on every loss; the
  mean wealth of some bettors with shares that are fixed beforehand (`bets`), so that none has to be guessed right.
  Wealth is the product of ``1 - share x loss`` over all losses. Under the hypothesis its expectation is at most 1, so
  by Markov's inequality it reaches 1 / delta with a probability of at most delta. It profits from losses that vary
  little, and does not hang on their order. Without replacement it holds exactly: wealth is a convex function of the sum
  of ``log(1 - share x loss)`` (Hoeffding, 1963, theorem 4). After I. Waudby-Smith, A. Ramdas, Estimating means of
  bounded random variables by betting (2024), who mix bettors too.
- `betting_in_order`: one over the greatest wealth on the way of one bettor who learns: the bet is their approximate
  growth-optimal one, by the losses before. Ville's inequality. It wants the losses in an order that was drawn. Without
  replacement it holds only where the population is much larger than the draw.

Pure functions of arrays, on numpy.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Test = Literal["betting", "betting_in_order", "hoeffding_bentkus"]
"""A test: by its p-value."""

BOLDEST = 0.95
"""The greatest share of the wealth that a bettor with a fixed share risks."""

_BOLDEST_IN_ORDER = 0.75


def hoeffding_bentkus(losses: Any, *, most: float = 1.0) -> NDArray[np.float64]:
    """The Hoeffding-Bentkus p-value of each row of losses.

    Args:
        losses: Shape (rows, losses), each loss between -1 and ``most``.
        most: The greatest loss that there can be.

    Raises:
        ValueError: A loss is out of range, or there is none.
    """
    numpy = require("numpy", extra=EXTRA)
    rows = _checked(numpy, losses, most)
    count = rows.shape[1]
    # rescaled to 0..1, the hypothesis is: the mean is above `bar`
    bar = 1.0 / (1.0 + most)
    means = (rows.mean(axis=1) + 1.0) * bar
    found: NDArray[np.float64] = numpy.array([_p_of_mean(float(mean), count, bar) for mean in means])
    return found


def bets(count: int, *, most: float, room: float, delta: float) -> NDArray[np.float64]:
    """The shares that bettors risk: half an octave apart, from the least that could be of use to the boldest.

    With losses of ``-room`` at the least on average, a share below ``log(1 / delta) / (count x room)`` cannot reach
    1 / delta. They depend on nothing that is drawn.

    Args:
        count: How many losses there are.
        most: The greatest loss that there can be.
        room: How far below 0 the mean loss can be expected at best, above 0.
        delta: What p is to reach.
    """
    numpy = require("numpy", extra=EXTRA)
    boldest = BOLDEST / most
    least = min(boldest, math.log(1.0 / delta) / (count * room)) if room > 0.0 else boldest
    laid: NDArray[np.float64] = numpy.geomspace(least, boldest, 1 + math.ceil(2.0 * math.log2(boldest / least)))
    return laid


def betting(losses: Any, *, most: float = 1.0, room: float = 0.02, delta: float = 0.05) -> NDArray[np.float64]:
    """The betting p-value of each row of losses, with the mean wealth of `bets`.

    Args:
        losses: Shape (rows, losses), each loss between -1 and ``most``.
        most: The greatest loss that there can be.
        room: As of `bets`; any value gives a valid p-value.
        delta: As of `bets`, likewise.

    Raises:
        ValueError: A loss is out of range, or there is none.
    """
    numpy = require("numpy", extra=EXTRA)
    rows = _checked(numpy, losses, most)
    shares = bets(rows.shape[1], most=most, room=room, delta=delta)
    wealth = numpy.stack([numpy.log1p(-share * rows).sum(axis=1) for share in shares], axis=1)
    best = wealth.max(axis=1)
    mean = best + numpy.log(numpy.exp(wealth - best[:, None]).mean(axis=1))
    found: NDArray[np.float64] = numpy.exp(-numpy.maximum(mean, 0.0))
    return found


def betting_in_order(losses: Any, *, most: float = 1.0) -> NDArray[np.float64]:
    """The p-value of one bettor who learns, of each row of losses, read from first to last.

    Args:
        losses: Shape (rows, losses), each loss between -1 and ``most``.
        most: The greatest loss that there can be.

    Raises:
        ValueError: A loss is out of range, or there is none.
    """
    numpy = require("numpy", extra=EXTRA)
    rows = _checked(numpy, losses, most)
    count = rows.shape[1]
    # What the bettor knows before each loss: those before it, and to begin with one loss of 0 with variance 1/4.
    seen = numpy.arange(1, count + 1)
    totals = numpy.cumsum(rows, axis=1) - rows
    means = totals / seen
    squares = 0.25 + numpy.cumsum(rows * rows, axis=1) - rows * rows
    variances = numpy.maximum(squares / seen - means * means, 1e-6)
    bets = numpy.clip(-means / (variances + means * means), 0.0, _BOLDEST_IN_ORDER / most)
    wealth = numpy.cumsum(numpy.log1p(-bets * rows), axis=1)
    best = numpy.maximum(wealth.max(axis=1), 0.0)
    found: NDArray[np.float64] = numpy.exp(-best)
    return found


def p_values(
    losses: Any, *, most: float = 1.0, test: Test = "betting", room: float = 0.02, delta: float = 0.05
) -> NDArray[np.float64]:
    """The p-values of a test; see `betting`, `betting_in_order` and `hoeffding_bentkus`."""
    match test:
        case "betting":
            return betting(losses, most=most, room=room, delta=delta)
        case "betting_in_order":
            return betting_in_order(losses, most=most)
        case "hoeffding_bentkus":
            return hoeffding_bentkus(losses, most=most)


def _p_of_mean(mean: float, count: int, bar: float) -> float:
    if mean >= bar:
        return 1.0
    hoeffding = math.exp(-count * _divergence(mean, bar))
    # A mean is a sum of floats: what is meant as a whole number must not be rounded up to the next.
    bentkus = math.e * binomial_cdf(math.ceil(count * mean - 1e-9), count, bar)
    return min(1.0, hoeffding, bentkus)


def _divergence(low: float, high: float) -> float:
    """The Kullback-Leibler divergence of two coins."""
    first = 0.0 if low == 0.0 else low * math.log(low / high)
    return first + (1.0 - low) * math.log((1.0 - low) / (1.0 - high))


def binomial_cdf(most: int, trials: int, p: float) -> float:
    """The probability of at most ``most`` successes in ``trials``.

    Args:
        most: How many successes.
        trials: How many trials.
        p: The probability of a success, above 0 and below 1.
    """
    if most < 0:
        return 0.0
    if most >= trials:
        return 1.0
    numpy = require("numpy", extra=EXTRA)
    # Terms from k = most downwards, each by its ratio to the one above: the largest is the first below the mean.
    down = numpy.arange(most, 0, -1, dtype=float)
    ratios = numpy.log(down) - numpy.log(trials - down + 1.0) + math.log((1.0 - p) / p)
    terms = numpy.concatenate([[0.0], numpy.cumsum(ratios)])
    first = (
        math.lgamma(trials + 1)
        - math.lgamma(most + 1)
        - math.lgamma(trials - most + 1)
        + most * math.log(p)
        + (trials - most) * math.log1p(-p)
    )
    top = float(terms.max())
    # Rounded up: a p-value must not be too small.
    return min(1.0, (1.0 + 1e-9) * math.exp(first + top) * float(numpy.exp(terms - top).sum()))


def _checked(numpy: Any, losses: Any, most: float) -> Any:
    rows = numpy.atleast_2d(numpy.asarray(losses, numpy.float64))
    if not 0.0 < most <= 1.0:
        raise ValueError(f"most must be above 0 and at most 1, got {most}")
    if rows.ndim != 2 or not rows.shape[1]:
        raise ValueError("there are no losses")
    if not (numpy.isfinite(rows).all() and rows.min() >= -1.0 - 1e-12 and rows.max() <= most + 1e-12):
        raise ValueError(f"losses must be between -1 and {most}")
    return numpy.clip(rows, -1.0, most)
