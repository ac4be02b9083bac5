"""What was learned, and its arithmetic: from requests to P(suffices) and cost of each candidate.

For each candidate a head predicts the score of its answer, 0 to 1. What a router needs is the difference to the most
capable candidate: where that one is right and the cheaper one wrong. Both heads were trained on the same features with
the same penalties, so the difference of what they say is what a head trained on the difference would say. A candidate
suffices where the most capable one would not have done better; a logistic curve for each, fitted on prompts that the
head had not seen, makes P(suffices) of the difference. So a prompt that nobody can answer is not worth a dear answer.

Where costs were known, a second head predicts the logarithm of what each candidate's answer costs. Prompts then can be
ranked by gain against price, which saves more at a given quality where answers differ in price.

Known limitations: predictions mean something for requests like those of training, and for the same models.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from turnout.classify.blas import one_blas_thread
from turnout.classify.learned.features import Embed, FeatureMap, Raw, looked_at
from turnout.classify.learned.likeness import Likeness, likeness_of
from turnout.classify.learned.rows import Row
from turnout.classify.learned.trees import Trees
from turnout.config.extras import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

Head = Literal["linear", "linear+forest", "linear+boosted"]
"""What predicts the scores: a ridge on everything, alone or averaged with trees on structure, tools and category."""

Ranking = Literal["call", "usd"]
"""By what prompts are ranked: by the gain alone, or by the gain over a power of what the capable model costs more.

Gain per USD, the power 1, would be best if both were known. They are predicted, and costs better than gains, so that
dividing by all of the cost ranks mostly by cost: training chooses the power.
"""

_AT_ONCE = 512
_LEAST_SHARE = 0.05


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From a predicted gain to P(the most capable candidate does better).

    It is 1 / (1 + exp(-(intercept + slope * gain))).
    """

    slope: float
    intercept: float


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How costs count in the ranking by USD: as (cost / unit) to a power.

    Attributes:
        power: 0: not at all; 1: gain per USD.
        unit: A usual cost in USD, so that rankings of several trainings are on one scale.
    """

    power: float
    unit: float


class Predicted(NamedTuple):
    """What a model says of some requests; candidates in their order, the least capable first.

    Attributes:
        scores: The heads' predictions of the scores: shape (requests, candidates).
        suffices: P(the most capable candidate does no better): the same shape, 1 for the most capable one.
        costs: What each candidate's answer costs in USD: the same shape; none where costs were not known.
        price: How costs count in the ranking by USD.
        likeness: How like the prompts of training each request is: shape (requests,); none where that was not asked.
    """

    scores: Any
    suffices: Any
    costs: Any
    price: Price
    likeness: Any = None

    def need(self, ranking: Ranking = "call", candidate: int = 0) -> Any:
        """How much the most capable candidate is needed instead of another: higher for more.

        Args:
            ranking: By what; by calls where costs are not known.
            candidate: The place of the other candidate.
        """
        np = require("numpy", extra="embedding")
        gain = self.scores[:, -1] - self.scores[:, candidate]
        if ranking == "call" or self.costs is None:
            return gain
        capable = self.costs[:, -1]
        # An answer that seems to cost next to nothing more must not outrank every gain.
        more = np.maximum(capable - self.costs[:, candidate], _LEAST_SHARE * capable)
        return gain / (more / self.price.unit) ** self.price.power


class LearnedModel:
    """What was learned.

    Args:
        candidates: The models' names, the least capable first.
        features: From requests to numbers.
        head: What predicts the scores.
        weights: Of the ridge: shape (width, targets), the candidates' scores and, if known, the logarithms of costs.
        intercepts: One a target.
        calibrations: One a candidate, but for the most capable one.
        price: How costs count in the ranking by USD.
        likeness: How like each other the prompts of training are.
        centres: Of their vectors; none in the mode ``ngrams``.
        trees: The trees, where the head has some.
        embed: Gives vectors for the mode ``embedding``.
    """

    def __init__(
        self,
        *,
        candidates: Sequence[str],
        features: FeatureMap,
        head: Head,
        weights: NDArray[Any],
        intercepts: NDArray[Any],
        calibrations: Sequence[Calibration],
        price: Price,
        likeness: Likeness,
        centres: NDArray[Any] | None = None,
        trees: Trees | None = None,
        embed: Embed | None = None,
    ) -> None:
        np = require("numpy", extra="embedding")
        self._np = np
        self.candidates = tuple(candidates)
        self.features = features
        self.head = head
        self.weights = weights
        self.intercepts = intercepts
        self.calibrations = tuple(calibrations)
        self.price = price
        self.likeness = likeness
        self.centres = centres
        self.trees = trees
        self._embed = embed
        self._slopes = np.array([one.slope for one in self.calibrations])
        self._offsets = np.array([one.intercept for one in self.calibrations])
        wide = weights.astype(np.float64)
        self._dense = {name: wide[block] for name, block in features.blocks.items() if name != "ngrams"}
        # Looked up at random places: half as large, it is twice as often in the processor's cache.
        self._buckets = features.bucket_weights(wide[features.blocks["ngrams"]]).astype(np.float32)

    @property
    def knows_costs(self) -> bool:
        """Whether it predicts costs."""
        return int(self.weights.shape[1]) > len(self.candidates)

    def predict(self, rows: Sequence[Row], *, likeness: bool = False) -> Predicted:
        """What it says of some requests.

        Args:
            rows: The requests.
            likeness: Whether it also says how like those of training they are.

        Raises:
            MissingExtraError: The extra ``embedding`` is not installed.
            WeightsError: It needs MiniLM, whose weights are not installed.
        """
        np = self._np
        targets, alike = [], []
        for start in range(0, len(rows), _AT_ONCE):
            raw = looked_at(rows[start : start + _AT_ONCE], self._embedding())
            # Products with one row are no work for threads, and telling BLAS so takes longer than they do.
            with nullcontext() if len(rows) == 1 else one_blas_thread():
                targets.append(self._targets(raw))
                if likeness:
                    alike.append(likeness_of(raw, self.features.numbers["idf"], self.centres))
        if not targets:
            targets, alike = [np.empty((0, self.weights.shape[1]))], [np.empty(0)]
        said = self.predicted(targets[0] if len(targets) == 1 else np.vstack(targets))
        return said._replace(likeness=np.concatenate(alike)) if likeness else said

    def predicted(self, targets: Any) -> Predicted:
        """What predictions of all targets mean."""
        np = self._np
        count = len(self.candidates)
        scores = targets[:, :count]
        gains = scores[:, -1:] - scores[:, :-1]
        suffices = np.ones_like(scores)
        suffices[:, :-1] = 1.0 / (1.0 + np.exp(np.clip(self._offsets + self._slopes * gains, -30.0, 30.0)))
        return Predicted(scores, suffices, np.exp(targets[:, count:]) if self.knows_costs else None, self.price)

    def _embedding(self) -> Embed | None:
        if self.features.layout.mode == "ngrams":
            return None
        if self._embed is None:
            self._embed = minilm_vectors()
        return self._embed

    def _targets(self, raw: Raw) -> Any:
        np = self._np
        count = len(raw.categories)
        grams = raw.grams
        sums = np.empty((count, self.weights.shape[1]))
        picked, scales = self._buckets[grams.buckets], self.features.gram_scales(grams, count)
        if count == 1:
            sums[0] = scales @ picked
        else:
            for target in range(sums.shape[1]):
                sums[:, target] = np.bincount(grams.texts, weights=picked[:, target] * scales, minlength=count)
        out = sums + self.intercepts
        for name, values in self.features.dense(raw).items():
            out += values @ self._dense[name]
        if self.trees is not None:
            candidates = len(self.candidates)
            by_trees = self.trees.predict(self.features.plain(raw))
            out[:, :candidates] = (out[:, :candidates] + by_trees) / 2.0
        return out


def minilm_vectors() -> Embed:
    """What gives the vectors of MiniLM's first five layers.

    Raises:
        MissingExtraError: The extra ``embedding`` is not installed.
        WeightsError: The weights are not installed, or are not the expected ones.
    """
    from turnout.classify.learned.features import LAYERS
    from turnout.classify.minilm import shared_minilm
    from turnout.classify.query import bounded

    model = shared_minilm()
    return lambda texts: model.embed([bounded(text, _MOST_CHARS) for text in texts], layers=LAYERS)


_MOST_CHARS = 8_000
