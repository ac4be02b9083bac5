"""How good classifiers are, measured on labelled pairs of look-alikes that none of them has seen.

All figures are taken at a balanced prior: each verdict's P(label is simple) is corrected back from the share that the
classifier was given to one half, and 0.5 is the threshold of the label. A failure counts as a wrong label, and ranks
as P = 0.5. Intervals are 95 % ones: by bootstrap over pairs (2,000 resamples, seeded) for accuracy and AUC, because the
two queries of a pair are alike; Wilson's for the share of pairs that are ranked right, because pairs are independent.

Known limitations: the intervals say how the figures vary with the choice of pairs, not how they would on other traffic.
Sources: E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927); B. Efron, Bootstrap
methods (1979).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from turnout.classify.calibrate import Calibration, fit_calibration, with_share
from turnout.classify.examples import LabelledQuery
from turnout.classify.protocol import Classifier
from turnout.config.extras import require
from turnout.core.cost import Cost, pico_to_usd
from turnout.core.verdict import ClassifierCall, Complexity, Verdict
from turnout.messages.conversation import conversation_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BALANCED = 0.5
"""The prior of all figures, and the threshold of P(label is simple) from which a query is taken as simple."""

_RESAMPLES = 2_000
_SEED = 20_261_101
_Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


class Figure(msgspec.Struct, frozen=True):
    """A figure, such as a share of 0 to 1, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A labelled query and one classifier's verdict on it."""

    query: LabelledQuery
    verdict: Verdict

    def p_simple(self, simple_share: float) -> float:
        """P(label is simple) at the balanced prior; 0.5 for a failure."""
        if self.verdict.p_simple is None:
            return BALANCED
        return with_share(self.verdict.p_simple, set_share=simple_share, simple_share=BALANCED)


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """One classifier's line in the table.

    Attributes:
        classifier: Its name.
        queries: How many it judged.
        failures: On how many of them it gave no label.
        accuracy: The share of right labels.
        auc: The chance that a simple query is ranked above a complex one; ties count one half.
        pairs_right: The share of pairs whose simple query is ranked above its complex one; ties count one half.
        median_ms: The median time to a verdict in milliseconds, the first one (loading included) left out.
        first_ms: The time to the first verdict in milliseconds.
        cost_usd: The mean cost of its calls for a query in USD; none where a call's cost is not known.
    """

    classifier: str
    queries: int
    failures: int
    accuracy: Figure
    auc: Figure
    pairs_right: Figure
    median_ms: float
    first_ms: float
    cost_usd: Decimal | None


async def judge(
    classifier: Classifier,
    queries: Sequence[LabelledQuery],
    *,
    on_verdict: Callable[[Judged], object] = lambda judged: None,
) -> list[Judged]:
    """Ask a classifier for its verdict on each query, one after the other.

    Args:
        classifier: Whom to ask.
        queries: What to ask it.
        on_verdict: Told of each verdict as it comes, to show progress.
    """
    judged = []
    for query in queries:
        one = Judged(query=query, verdict=await classifier.classify(conversation_of(query.text)))
        on_verdict(one)
        judged.append(one)
    return judged


def assess(
    classifier: str,
    judged: Sequence[Judged],
    *,
    simple_share: float,
    cost_of_call: Callable[[ClassifierCall], Cost | None] = lambda call: None,
) -> Assessment:
    """The figures of one classifier.

    Args:
        classifier: Its name.
        judged: Its verdicts on whole pairs.
        simple_share: The share of simple queries that the classifier was given.
        cost_of_call: Prices a call, or none where its price is not known.

    Raises:
        ValueError: There are no verdicts, or a pair is not one simple and one complex query.
        MissingExtraError: numpy is not installed.
    """
    np = require("numpy", extra="embedding")
    pairs = _pairs(judged)
    simple = np.array([pair["simple"].p_simple(simple_share) for pair in pairs])
    complex_ = np.array([pair["complex"].p_simple(simple_share) for pair in pairs])
    right = np.array([_rights(pair, simple_share) for pair in pairs])
    # wins[i, j]: whether the simple query of pair i is ranked above the complex one of pair j
    wins = (simple[:, None] > complex_) + 0.5 * (simple[:, None] == complex_)
    counts = _resamples(np, len(pairs))
    n = len(pairs)
    times = [one.verdict.latency_ms for one in judged]
    return Assessment(
        classifier=classifier,
        queries=len(judged),
        failures=sum(one.verdict.failure is not None for one in judged),
        accuracy=_figure(np, float(right.mean() / 2), counts @ right / (2 * n)),
        auc=_figure(np, float(wins.mean()), ((counts @ wins) * counts).sum(axis=1) / n**2),
        pairs_right=wilson(float(np.trace(wins)), n),
        median_ms=statistics.median(times[1:] or times),
        first_ms=times[0],
        cost_usd=_mean_cost(judged, cost_of_call),
    )


def calibration_of(judged: Sequence[Judged]) -> Calibration:
    """Platt scaling of a classifier that was run without one, at the balanced prior: its odds are the score.

    For an LLM classifier give it ``simple_share=0.5``, ``logprobs=Calibration()`` and ``answers=Calibration()``, and
    what comes back is its ``logprobs``, or its ``answers`` where the model reports no log-probabilities. Failures are
    left out.

    Raises:
        ValueError: A label is missing among the verdicts.
    """
    given = [one for one in judged if one.verdict.p_simple is not None]
    # A certainty has no finite odds; no calibration set is large enough to tell it from 1 in 10 million.
    bounded = [min(max(one.p_simple(BALANCED), 1e-7), 1.0 - 1e-7) for one in given]
    return fit_calibration([math.log(p / (1.0 - p)) for p in bounded], [one.query.label for one in given])


def wilson(successes: float, trials: int) -> Figure:
    """A share and its 95 % Wilson score interval.

    Raises:
        ValueError: Not 0 <= successes <= trials, or no trial.
    """
    if trials < 1 or not 0.0 <= successes <= trials:
        raise ValueError(f"there cannot be {successes} successes in {trials} trials")
    share = successes / trials
    scale = 1.0 + _Z**2 / trials
    middle = (share + _Z**2 / (2 * trials)) / scale
    half = _Z * math.sqrt(share * (1.0 - share) / trials + _Z**2 / (4 * trials**2)) / scale
    # Rounding must not put the share itself outside.
    return Figure(share, max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share)))


def _pairs(judged: Sequence[Judged]) -> list[dict[Complexity, Judged]]:
    if not judged:
        raise ValueError("there are no verdicts to assess")
    pairs: dict[str | int, dict[Complexity, Judged]] = {}
    for one in judged:
        pair = pairs.setdefault(one.query.pair, {})
        if one.query.label in pair:
            raise ValueError(f"pair {one.query.pair!r} has two {one.query.label} queries")
        pair[one.query.label] = one
    for name, pair in pairs.items():
        if len(pair) != 2:
            raise ValueError(f"pair {name!r} is not whole: it needs one simple and one complex query")
    return list(pairs.values())


def _rights(pair: dict[Complexity, Judged], simple_share: float) -> int:
    """How many of a pair's two queries are labelled right."""
    return sum(
        one.verdict.failure is None and (one.p_simple(simple_share) >= BALANCED) == (label == "simple")
        for label, one in pair.items()
    )


def _resamples(np: Any, pairs: int) -> NDArray[np.int64]:
    """How often each pair is in each resample: shape (resamples, pairs)."""
    counts: NDArray[np.int64] = np.random.default_rng(_SEED).multinomial(pairs, [1 / pairs] * pairs, size=_RESAMPLES)
    return counts


def _figure(np: Any, value: float, resampled: Any) -> Figure:
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Figure(value, min(float(low), value), max(float(high), value))


def _mean_cost(judged: Sequence[Judged], cost_of_call: Callable[[ClassifierCall], Cost | None]) -> Decimal | None:
    total_pico = 0
    for one in judged:
        for call in one.verdict.calls:
            cost = cost_of_call(call)
            if cost is None:
                return None
            total_pico += cost.total_pico
    return pico_to_usd(total_pico) / len(judged)
