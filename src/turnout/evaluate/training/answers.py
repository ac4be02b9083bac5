"""All models' graded answers to the same prompts as one table of numbers, and the prompts' texts beside it.

The table of outcomes is read a batch at a time. Numbers are kept for every prompt that all candidates answered (four
bytes for each model's score); texts are kept for up to `KEPT_PROMPTS` prompts and read from the file again beyond.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from turnout.classify.learned.rows import Row, row_of
from turnout.config.extras import require
from turnout.core.catalog import unknown
from turnout.evaluate.outcomes.content import conversations, group_keys, row_keys
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.pair import EXTRA, sampled_together
from turnout.evaluate.outcomes.table import Batch, OutcomesError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEPT_PROMPTS = 50_000
"""Up to so many prompts their texts are kept in memory."""

Progress = Callable[[int], None]
"""Is told how many rows were read since the last time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """Graded answers, one entry a prompt, ordered by ``keys``.

    Attributes:
        candidates: The models that are learned, the least capable first.
        others: The other models that answered some of these prompts.
        keys: What each prompt is found by, ascending.
        groups: For each prompt the number of its group: what must not be split.
        group_keys: The hash of each group, by its number.
        scores: Of the candidates: shape (prompts, candidates).
        costs: What the candidates' answers cost in USD: the same shape; NaN where not known.
        other_scores: Of the other models: shape (prompts, others), float32; NaN where there is no answer.
        weights: 1 over the probability with which the answers were sampled.
        digest: SHA-256 of the table's rows as they were read.
        rows: How many rows were read.
    """

    candidates: tuple[str, ...]
    others: tuple[str, ...]
    keys: NDArray[np.uint64]
    groups: NDArray[np.int64]
    group_keys: NDArray[np.uint64]
    scores: NDArray[np.float64]
    costs: NDArray[np.float64]
    other_scores: NDArray[np.float32]
    weights: NDArray[np.float64]
    digest: str
    rows: int

    def __len__(self) -> int:
        """How many prompts."""
        return len(self.keys)

    @property
    def costs_known(self) -> bool:
        """Whether every candidate's cost of every prompt is known and above 0."""
        return bool((self.costs > 0.0).all())

    def take(self, chosen: Any) -> Answers:
        """These prompts, ascending; groups are numbered anew."""
        np = require("numpy", extra=EXTRA)
        chosen = np.sort(np.asarray(chosen, np.int64))
        kept, groups = np.unique(self.groups[chosen], return_inverse=True)
        return Answers(
            candidates=self.candidates,
            others=self.others,
            keys=self.keys[chosen],
            groups=groups,
            group_keys=self.group_keys[kept],
            scores=self.scores[chosen],
            costs=self.costs[chosen],
            other_scores=self.other_scores[chosen],
            weights=self.weights[chosen],
            digest=self.digest,
            rows=self.rows,
        )


class Prompts:
    """The prompts of some answers, each once, as rows that features see.

    Args:
        source: The table that the answers were read from.
        answers: The answers.
    """

    def __init__(self, source: Source, answers: Answers) -> None:
        self._source = source._replace(models=frozenset({answers.candidates[0]}))
        self._keys = answers.keys
        self._kept: list[Row] | None = None

    def rows(self, chosen: Any) -> list[Row]:
        """The prompts at these places, in their order."""
        np = require("numpy", extra=EXTRA)
        chosen = np.asarray(chosen, np.int64)
        if self._kept is not None:
            return [self._kept[place] for place in chosen.tolist()]
        found: dict[int, Row] = {}
        wanted = np.zeros(len(self._keys), bool)
        wanted[chosen] = True
        for places, rows in self.batches(wanted):
            found.update(zip(places.tolist(), rows, strict=True))
        if len(found) == len(self._keys) <= KEPT_PROMPTS:
            self._kept = [found[place] for place in range(len(self._keys))]
        return [found[place] for place in chosen.tolist()]

    def batches(self, wanted: Any) -> Iterator[tuple[Any, list[Row]]]:
        """The wanted prompts, a batch at a time, each with their places.

        Args:
            wanted: For each prompt whether it is.
        """
        np = require("numpy", extra=EXTRA)
        left = wanted.copy()
        for batch in self._source.batches():
            places = places_of(np, self._keys, batch)
            _, first = np.unique(places, return_index=True)
            fresh = np.zeros(len(places), bool)
            fresh[first] = True
            taken = np.flatnonzero(fresh & (places >= 0) & left[places])
            if len(taken):
                left[places[taken]] = False
                yield places[taken], rows_of(batch.take(taken.tolist()))


def places_of(np: Any, keys: Any, batch: Batch) -> Any:
    """For each row of a batch its prompt's place among the keys, or -1."""
    wanted = np.array(row_keys(batch), np.uint64)
    near = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[near] == wanted, near, -1)


def rows_of(batch: Batch) -> list[Row]:
    """Each row of a batch as features see it."""
    return [
        row_of(conversation, category)._replace(text=prompt)
        for conversation, category, prompt in zip(conversations(batch), batch.category, batch.prompt, strict=True)
    ]


def read_answers(source: Source, candidates: Sequence[str], *, progress: Progress = lambda rows: None) -> Answers:
    """Read the answers of all models to the prompts that all candidates answered.

    Several answers of a model to a prompt are averaged.

    Args:
        source: The table; it is read once.
        candidates: The models that are learned, the least capable first.
        progress: Is told how many rows were read.

    Raises:
        OutcomesError: There are fewer than two candidates, one is named twice or not in the table, or no prompt was
            answered by all.
        MissingExtraError: numpy is not installed.
    """
    np = require("numpy", extra=EXTRA)
    names = list(candidates)
    if len(names) < 2 or len(set(names)) < len(names):
        raise OutcomesError(f"two different candidates are needed at the least, got {', '.join(names) or 'none'}")
    read = _Read({name: index for index, name in enumerate(names)})
    for batch in source.batches():
        progress(len(batch))
        read.add(batch)
    for name in names:
        if name not in read.answered:
            raise OutcomesError(f"{source.named()}: no answer of {name!r}; {unknown('model', name, [*read.answered])}")
    answers = read.table(np, names)
    if not len(answers):
        raise OutcomesError(f"{source.named()}: no prompt was answered by all of {', '.join(names)}")
    return answers


class _Read:
    """What was read so far: for each answer its prompt's and its model's number, score, cost and propensity."""

    def __init__(self, models: dict[str, int]) -> None:
        self.answered: set[str] = set()
        self._models = models
        self._prompts: dict[int, int] = {}
        self._groups = array("Q")
        self._prompt, self._model = array("q"), array("i")
        self._score, self._cost, self._propensity = array("f"), array("d"), array("f")
        self._digest = hashlib.sha256()

    def add(self, batch: Batch) -> None:
        keys = row_keys(batch)
        for row, (key, group) in enumerate(zip(keys, group_keys(batch), strict=True)):
            place = self._prompts.setdefault(key, len(self._prompts))
            if place == len(self._groups):
                self._groups.append(group)
            cost = batch.cost_usd[row]
            self._prompt.append(place)
            self._model.append(self._models.setdefault(batch.model[row], len(self._models)))
            self._score.append(batch.score[row])
            self._cost.append(float("nan") if cost is None else cost)
            self._propensity.append(batch.propensity[row])
        self.answered.update(batch.model)
        facts = (keys, batch.category, batch.group, batch.model, batch.score, batch.cost_usd, batch.propensity)
        self._digest.update(msgspec.msgpack.encode(facts))

    def table(self, np: Any, candidates: list[str]) -> Answers:
        prompts, count = np.frombuffer(self._prompt, np.int64), len(self._prompts)
        models = np.frombuffer(self._model, np.int32).astype(np.int64)
        names = list(self._models)
        many = len(candidates)

        def averaged(column: Any, model: int) -> Any:
            mine = models == model
            with np.errstate(invalid="ignore"):
                return np.bincount(prompts[mine], weights=column[mine], minlength=count) / np.bincount(
                    prompts[mine], minlength=count
                )

        scores_read = np.frombuffer(self._score, np.float32)
        own = np.column_stack([averaged(scores_read, model) for model in range(many)])
        keys = np.fromiter(self._prompts, np.uint64, count)
        complete = np.flatnonzero(~np.isnan(own).any(axis=1))
        complete = complete[np.argsort(keys[complete], kind="stable")]
        kept_others, columns = [], []
        for model in range(many, len(names)):
            column = averaged(scores_read, model)[complete].astype(np.float32)
            if not np.isnan(column).all():
                kept_others.append(names[model])
                columns.append(column)
        costs_read = np.frombuffer(self._cost, np.float64)
        propensity = np.frombuffer(self._propensity, np.float32)
        sampled = sampled_together(*(averaged(propensity, model)[complete] for model in range(many)))
        found_groups, groups = np.unique(np.frombuffer(self._groups, np.uint64)[complete], return_inverse=True)
        order = sorted(range(len(kept_others)), key=kept_others.__getitem__)
        return Answers(
            candidates=tuple(candidates),
            others=tuple(kept_others[index] for index in order),
            keys=keys[complete],
            groups=groups,
            group_keys=found_groups,
            scores=own[complete],
            costs=np.column_stack([averaged(costs_read, model)[complete] for model in range(many)]),
            other_scores=np.column_stack([columns[index] for index in order])
            if columns
            else np.empty((len(complete), 0), np.float32),
            weights=1.0 / sampled,
            digest=self._digest.hexdigest(),
            rows=len(prompts),
        )
