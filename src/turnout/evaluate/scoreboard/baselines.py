"""What a router is shown beside: what costs nothing to build, and what nobody can build.

- random: blind; sends any share.
- length: the number of words of the prompt; more words, more need.
- keyword: the weights of the packaged keyword rules.
- category: knows each prompt's category, and from the training prompts how much the capable model gains in it.
- oracle: knows all grades beforehand. By calls it sends what gains most, by USD what gains most for its extra cost.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from turnout.classify.keyword import KeywordClassifier
from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA, Pair
from turnout.evaluate.outcomes.table import Batch
from turnout.evaluate.scoreboard.router import Examples, Scorer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class RandomRouter:
    """Knows nothing: every prompt has the same score, and shares of them are drawn blindly."""

    name = "random"

    def scores(self, batch: Batch) -> Any:
        """Zeros."""
        return require("numpy", extra=EXTRA).zeros(len(batch))


class LengthRouter:
    """The number of words of the prompt."""

    name = "length"

    def scores(self, batch: Batch) -> Any:
        """How many words each prompt has."""
        return require("numpy", extra=EXTRA).array([len(text.split()) for text in batch.prompt], float)


class KeywordRouter:
    """The packaged keyword rules: what speaks for a simple query speaks against the capable model."""

    name = "keyword"

    def __init__(self, classifier: KeywordClassifier | None = None) -> None:
        self._classifier = classifier or KeywordClassifier()

    def scores(self, batch: Batch) -> Any:
        """The rules' weights, negated."""
        score = self._classifier.score
        return -require("numpy", extra=EXTRA).array([score(text) for text in batch.prompt], float)


class CategoryRouter:
    """Knows each prompt's category (with its dataset) and the capable model's mean gain in it."""

    name = "category"
    few_parameters = True

    def fit(self, examples: Examples) -> Scorer:
        """The mean gain of each category among these prompts; a category without one has the mean of all."""
        pair = examples.pair
        gain = (pair.capable_scores - pair.cheap_scores) * pair.weights
        totals: dict[tuple[str, str], float] = defaultdict(float)
        weights: dict[tuple[str, str], float] = defaultdict(float)
        for batch, places in examples.batches():
            for key, place in zip(zip(batch.dataset, batch.category, strict=True), places.tolist(), strict=True):
                totals[key] += float(gain[place])
                weights[key] += float(pair.weights[place])
        means = {key: totals[key] / weights[key] for key in totals}
        overall = float(gain.sum() / pair.weights.sum())

        def scores(batch: Batch) -> Any:
            keys = zip(batch.dataset, batch.category, strict=True)
            return require("numpy", extra=EXTRA).array([means.get(key, overall) for key in keys])

        return scores


def oracle_by_calls(pair: Pair) -> NDArray[np.float64]:
    """Scores in the order of what the capable model gains; of equal gains the cheapest change comes first."""
    np = require("numpy", extra=EXTRA)
    gain = pair.capable_scores - pair.cheap_scores
    extra = np.nan_to_num(pair.capable_usd - pair.cheap_usd)
    return _descending(np, np.lexsort((extra, -gain)))


def oracle_by_usd(pair: Pair) -> NDArray[np.float64]:
    """Scores in the order of gain for extra cost: the best that can be had for any amount of USD.

    First what gains, or loses nothing, and costs no more; then what gains, the most for a dollar first; then what
    gains nothing; then what loses and saves, the least loss for a dollar first; at last what loses and costs more.
    """
    np = require("numpy", extra=EXTRA)
    gain = pair.capable_scores - pair.cheap_scores
    extra = pair.capable_usd - pair.cheap_usd
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.abs(gain) / np.abs(extra)
    kind = np.select([(gain >= 0) & (extra <= 0), gain > 0, gain == 0, extra < 0], [0, 1, 2, 3], default=4)
    within = np.where(kind == 1, -rate, np.where(kind == 3, rate, 0.0))
    return _descending(np, np.lexsort((within, kind)))


def _descending(numpy: Any, order: Any) -> NDArray[np.float64]:
    scores: NDArray[np.float64] = numpy.empty(len(order))
    scores[order] = numpy.arange(len(order), 0, -1)
    return scores
