"""Whether a stream of figures is still like a sample: a test that may be looked at as often as wanted.

For each new figure its rank among the sample and all figures before it is taken, ties broken by lot. As long as sample
and stream are exchangeable these ranks are independent and uniform, whatever the figures' distribution (V. Vovk, A.
Gammerman, G. Shafer, Algorithmic Learning in a Random World, 2005, theorem 8.1). A bettor then cannot win: the
probability that wealth ever reaches 1 / level is at most level (Ville's inequality). So a job may look every day, and
stop at the first alarm, without more false ones.

Half of the wealth bets on whatever the ranks have come as most often so far (a histogram of ten bins, one half added to
each), half goes up with high or low ranks and changes its mind now and then (the simple jumper of V. Vovk, I.
Nouretdinov, I. Petej, E. Ahlberg, L. Carlsson, A. Gammerman, Retrain or not retrain: conformal test martingales for
change-point detection, 2021).

Known limitations: requests that come in bursts are not exchangeable, and may raise an alarm without a lasting change.
Whoever drifts slowly becomes a part of the sample. It sees what verdicts say, not how good answers are.
"""

from __future__ import annotations

import bisect
import math
import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

BINS = 10
"""Bins of the histogram of ranks, and of the population stability index."""

_JUMP = 0.01
_SEED = 20_261_123


class Evidence(NamedTuple):
    """What a stream says against being like the sample.

    Attributes:
        figures: How many figures came.
        p: The probability that a stream like the sample would ever have said so much against it, at the most.
        now: The wealth at the end: what speaks against it by now; 1 is nothing.
        psi: The population stability index of the stream to the sample: below 0.1 is little, above 0.25 much (a rule
            of thumb of credit scoring, for people; nothing is decided by it).
    """

    figures: int
    p: float
    now: float
    psi: float


def evidence(sample: Sequence[float], stream: Iterable[float]) -> Evidence:
    """Test a stream, in its order, against a sample.

    Args:
        sample: The figures that it should be like, at least one.
        stream: The figures that came.
    """
    if not sample:
        raise ValueError("a sample of at least one figure is needed")
    draw = random.Random(_SEED)
    seen = sorted(sample)
    counts = [0.5] * BINS
    histogram = 0.0
    jumpers = {-1.0: 1.0 / 3.0, 0.0: 1.0 / 3.0, 1.0: 1.0 / 3.0}
    scale = 0.0
    most = now = 0.0
    came: list[float] = []
    for figure in stream:
        low, high = bisect.bisect_left(seen, figure), bisect.bisect_right(seen, figure)
        rank = (low + draw.random() * (high - low + 1)) / (len(seen) + 1)
        seen.insert(high, figure)
        came.append(figure)
        bin_ = min(int(rank * BINS), BINS - 1)
        histogram += math.log(counts[bin_] * BINS / sum(counts))
        counts[bin_] += 1.0
        whole = sum(jumpers.values())
        jumpers = {
            slope: ((1.0 - _JUMP) * wealth + _JUMP * whole / 3.0) * (1.0 + slope * (rank - 0.5))
            for slope, wealth in jumpers.items()
        }
        whole = sum(jumpers.values())
        # Kept near 1, so that it neither overflows nor vanishes in a long stream.
        scale += math.log(whole)
        jumpers = {slope: wealth / whole for slope, wealth in jumpers.items()}
        top = max(histogram, scale)
        now = top + math.log(0.5 * (math.exp(histogram - top) + math.exp(scale - top)))
        most = max(most, now)
    return Evidence(len(came), math.exp(-most), math.exp(min(now, 700.0)), _psi(sorted(sample), came))


def together(found: Sequence[Evidence]) -> float:
    """The probability that any of these streams would ever have said so much against it, at the most."""
    return min(1.0, len(found) * min(one.p for one in found)) if found else 1.0


def _psi(sample: list[float], stream: list[float]) -> float:
    if not stream:
        return 0.0
    edges = sorted({sample[len(sample) * part // BINS] for part in range(1, BINS)})

    def shares(figures: Sequence[float]) -> list[float]:
        counts = [0.5] * (len(edges) + 1)
        for figure in figures:
            counts[bisect.bisect_right(edges, figure)] += 1.0
        whole = sum(counts)
        return [count / whole for count in counts]

    pairs = zip(shares(sample), shares(stream), strict=True)
    return sum((after - before) * math.log(after / before) for before, after in pairs)
