"""How good a side's answers are estimated to be, and where that is known from.

- From graded answers (``outcomes``): the mean score that each side's models have on them. Grades of answers in the
  ledger (the table's ``prompt_id`` names a turn, a call or the caller's query) are sorted by the verdict of their turn,
  so that a model that is given easy queries is not judged by hard ones; each class starts from the model's mean, which
  counts as much as ten grades. Grades of other prompts count for the model's mean alone. Grades weigh one over the
  propensity that they were sampled with.
- From the verdicts (``classifier``): the mean of the chances that the chosen models' answers suffice. It is the
  classifier's own estimate and no measurement: the most capable model counts as sufficing always, and of a verdict on
  labels it is the chance that the label is simple, which says nothing of answers.

Both are of recorded requests with recorded verdicts.

Known limitations: the interval of the first is a normal approximation with cells taken as independent, and holds for
prompts like those that were graded; that of the second supposes that the chances are right.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from turnout.config.policy_lock import QualitySource
from turnout.core.catalog import Model, unknown
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.plan.recorded import Recorded
from turnout.evaluate.plan.tally import Cell, Tally, bucket_of

_PRIOR = 10.0
_Z = 1.96
_LEAST_VARIANCE = 1e-4
"""Of scores, where a few grades happen to be alike."""


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """An estimate of quality, 0 to 1.

    Attributes:
        source: Where it is known from.
        value: The estimate; none: nothing is known.
        low: The lower end of its 95 % interval.
        high: The upper end.
        known: On how many decisions it rests.
        grades: On how many graded answers.
        missing: Models that serve and that nobody graded.
    """

    source: QualitySource
    value: float | None = None
    low: float | None = None
    high: float | None = None
    known: int = 0
    grades: int = 0
    missing: tuple[str, ...] = ()


class _Grade(NamedTuple):
    model: str
    score: float
    weight: float


class _Mean:
    """A weighted mean and its spread."""

    def __init__(self) -> None:
        self.count = 0
        self._weights = self._squares = self._sum = self._sum_squares = 0.0

    def add(self, score: float, weight: float) -> None:
        self.count += 1
        self._weights += weight
        self._squares += weight * weight
        self._sum += weight * score
        self._sum_squares += weight * score * score

    @property
    def mean(self) -> float:
        return self._sum / self._weights

    @property
    def variance(self) -> float:
        """Of one score."""
        return max(_LEAST_VARIANCE, self._sum_squares / self._weights - self.mean**2)

    @property
    def effective(self) -> float:
        """As many grades of equal weight would say as much."""
        return self._weights**2 / self._squares


class Grades:
    """Graded answers, sorted by model and, where they are those of the ledger, by verdict.

    Args:
        source: The table.
        models: The models of both sides.
        of_column: For each name in the table's column ``model`` that is not a model's own, the catalog id.

    Attributes:
        others: Grades of models that are on neither side.
        digest: A hash over what of the table counts: models, scores, propensities, and what they are the answers to.

    Raises:
        OutcomesError: The table cannot be read, or none of its grades is of one of these models.
    """

    def __init__(self, source: Source, models: Iterable[Model], of_column: Mapping[str, str] | None = None) -> None:
        names = {name: model.id for model in models for name in (model.id, model.model_id, model.name)}
        names |= dict(of_column or {})
        self.others = 0
        self._models: defaultdict[str, _Mean] = defaultdict(_Mean)
        self._cells: defaultdict[Cell, _Mean] = defaultdict(_Mean)
        self._waiting: defaultdict[str, list[_Grade]] = defaultdict(list)
        seen: set[str] = set()
        digest = hashlib.sha256()
        for batch in source.batches():
            rows = list(zip(batch.model, batch.score, batch.propensity, batch.prompt_id, strict=True))
            digest.update(msgspec.msgpack.encode(rows))
            for name, score, propensity, prompt_id in rows:
                seen.add(name)
                if name not in names:
                    self.others += 1
                    continue
                grade = _Grade(names[name], score, 1.0 / propensity)
                self._models[grade.model].add(score, grade.weight)
                if prompt_id:
                    self._waiting[prompt_id].append(grade)
        self.digest = digest.digest()
        if not self._models:
            raise OutcomesError(
                f"{source.named()}: no row grades a model that routes: {unknown('model', min(seen, default=''), names)}"
            )

    def meet(self, one: Recorded, verdict_p: float | None) -> None:
        """Sort the grades of a decision's turn by its verdict."""
        event = one.event
        for name in (event.turn_id, event.query_id, *[call.event_id for call in one.answers]):
            if name and name in self._waiting:
                for grade in self._waiting.pop(name):
                    self._cells[Cell(grade.model, bucket_of(verdict_p))].add(grade.score, grade.weight)

    def quality(self, tally: Tally) -> Quality:
        """The mean score of a side's answers."""
        served = sum(tally.cells.values())
        missing = sorted({cell.model for cell in tally.cells if cell.model not in self._models})
        grades = sum(mean.count for mean in self._models.values())
        if missing or not served:
            return Quality(source="outcomes", grades=grades, missing=tuple(missing))
        value = 0.0
        # The share of each estimate in the value: cells share their model's mean, whose error counts in all of them.
        of_models: defaultdict[str, float] = defaultdict(float)
        variance = 0.0
        for cell, count in tally.cells.items():
            share, whole, own = count / served, self._models[cell.model], self._cells.get(cell)
            weight = 0.0 if own is None else own.effective / (own.effective + _PRIOR)
            if own is not None:
                value += share * weight * own.mean
                variance += (share * weight) ** 2 * whole.variance / own.effective
            value += share * (1 - weight) * whole.mean
            of_models[cell.model] += share * (1 - weight)
        for model, share in of_models.items():
            variance += share**2 * self._models[model].variance / self._models[model].effective
        half = _Z * math.sqrt(variance)
        return Quality(
            source="outcomes",
            value=value,
            low=max(0.0, value - half),
            high=min(1.0, value + half),
            known=served,
            grades=grades,
        )


def by_verdicts(tally: Tally) -> Quality:
    """The expected share of answers that suffice, by the classifier's own probabilities."""
    if not tally.p_known:
        return Quality(source="none")
    value = tally.p_sum / tally.p_known
    half = _Z * math.sqrt(tally.p_spread) / tally.p_known
    return Quality(
        source="classifier",
        value=value,
        low=max(0.0, value - half),
        high=min(1.0, value + half),
        known=tally.p_known,
    )
