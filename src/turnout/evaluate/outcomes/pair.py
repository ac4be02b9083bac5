"""Two models' graded answers to the same prompts, aligned: numbers only, a few dozen bytes a prompt.

The table is read a batch at a time, and its texts are let go. Whoever needs them again reads the table again and asks
`Pair.places` which prompt a row is.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from turnout.config.extras import require
from turnout.core.catalog import unknown
from turnout.evaluate.outcomes.content import group_keys, row_keys
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.prompts import EXTRA as EXTRA
from turnout.evaluate.outcomes.prompts import places_of
from turnout.evaluate.outcomes.table import Batch, OutcomesError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """What of the table is not in a pair, and what was put together.

    Attributes:
        only_cheap: Prompts that only the cheap model answered.
        only_capable: Prompts that only the capable model answered.
        repeated: Answers beyond the first of a model to a prompt: their scores and costs are averaged.
        other_models: Answers of other models.
    """

    only_cheap: int
    only_capable: int
    repeated: int
    other_models: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """A cheap and a capable model's answers, one entry a prompt, ordered by ``keys``.

    Attributes:
        cheap: The cheap model.
        capable: The capable model.
        keys: What each prompt is found by, ascending.
        groups: For each prompt the number of its group, 0 to the number of groups - 1: what must not be split.
        weights: 1 over the probability with which both answers were sampled: see `sampled_together`.
        cheap_scores: Grades of the cheap model's answers, 0 to 1.
        capable_scores: The same for the capable model.
        cheap_usd: What the cheap model's answers cost in USD; NaN where that is not known.
        capable_usd: The same for the capable model.
        categories: For each prompt an index into ``category_names``.
        category_names: The categories' names, each with its dataset where there are several; empty: none is given.
        group_keys: The hash of each group, by its number: the same in every table.
        left_out: What is not in it.
    """

    cheap: str
    capable: str
    keys: NDArray[np.uint64]
    groups: NDArray[np.int64]
    weights: NDArray[np.float64]
    cheap_scores: NDArray[np.float64]
    capable_scores: NDArray[np.float64]
    cheap_usd: NDArray[np.float64]
    capable_usd: NDArray[np.float64]
    categories: NDArray[np.int64]
    category_names: tuple[str, ...]
    group_keys: NDArray[np.uint64]
    left_out: LeftOut

    def __len__(self) -> int:
        """How many prompts."""
        return len(self.keys)

    @property
    def costs_known(self) -> bool:
        """Whether every answer's cost is known."""
        np = require("numpy", extra=EXTRA)
        return not bool(np.isnan(self.cheap_usd).any() or np.isnan(self.capable_usd).any())

    def places(self, batch: Batch) -> NDArray[np.int64]:
        """For each row of a batch its prompt's index here, or -1."""
        return places_of(self.keys, batch)

    def take(self, rows: Any) -> Pair:
        """These prompts, ascending, as another pair; groups are numbered anew."""
        np = require("numpy", extra=EXTRA)
        rows = np.sort(np.asarray(rows, np.int64))
        kept, groups = np.unique(self.groups[rows], return_inverse=True)
        return Pair(
            cheap=self.cheap,
            capable=self.capable,
            keys=self.keys[rows],
            groups=groups,
            weights=self.weights[rows],
            cheap_scores=self.cheap_scores[rows],
            capable_scores=self.capable_scores[rows],
            cheap_usd=self.cheap_usd[rows],
            capable_usd=self.capable_usd[rows],
            categories=self.categories[rows],
            category_names=self.category_names,
            group_keys=self.group_keys[kept],
            left_out=self.left_out,
        )


def aligned(
    source: Source,
    cheap: str,
    capable: str,
    *,
    call_usd: tuple[float, float] | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> Pair:
    """Align two models' answers.

    Args:
        source: The table; it is read once.
        cheap: The cheap model.
        capable: The capable model.
        call_usd: What a call of the cheap and of the capable model costs, for answers whose cost is not known.
        progress: Is told how many rows were read.

    Raises:
        OutcomesError: A model is not in the table, or no prompt was answered by both.
        MissingExtraError: numpy is not installed.
    """
    np = require("numpy", extra=EXTRA)
    if cheap == capable:
        raise OutcomesError(f"a pair is two models, got {cheap!r} twice")
    found = {cheap: _Answers(), capable: _Answers()}
    others: Counter[str] = Counter()
    categories: dict[tuple[str, str], int] = {}
    for batch in source.batches():
        progress(len(batch))
        wanted = [row for row, model in enumerate(batch.model) if model in found]
        if len(wanted) < len(batch):
            others.update(model for model in batch.model if model not in found)
            batch = batch.take(wanted)
        for row, (key, group) in enumerate(zip(row_keys(batch), group_keys(batch), strict=True)):
            code = categories.setdefault((batch.dataset[row], batch.category[row]), len(categories))
            found[batch.model[row]].add(key, group, code, batch, row)
    for model, answers in found.items():
        if not answers.keys:
            known = [*others, *(other for other in found if found[other].keys)]
            raise OutcomesError(f"{source.named()}: no answer of {model!r}; {unknown('model', model, known)}")
    tables = [answers.tables(np) for answers in found.values()]
    (cheap_keys, cheap_columns, cheap_repeats), (capable_keys, capable_columns, capable_repeats) = tables
    keys, at_cheap, at_capable = np.intersect1d(cheap_keys, capable_keys, assume_unique=True, return_indices=True)
    if not len(keys):
        raise OutcomesError(
            f"{source.named()}: no prompt was answered by both {cheap!r} ({len(cheap_keys)} prompts) and {capable!r} "
            f"({len(capable_keys)}): prompts belong together where dataset, prompt_id, text and tools are the same"
        )
    group_hashes, groups = np.unique(cheap_columns["groups"][at_cheap], return_inverse=True)
    usd = [cheap_columns["usd"][at_cheap], capable_columns["usd"][at_capable]]
    if call_usd is not None:
        usd = [np.where(np.isnan(known), given, known) for known, given in zip(usd, call_usd, strict=True)]
    return Pair(
        cheap=cheap,
        capable=capable,
        keys=keys,
        groups=groups,
        weights=1.0
        / sampled_together(cheap_columns["propensity"][at_cheap], capable_columns["propensity"][at_capable]),
        cheap_scores=cheap_columns["scores"][at_cheap],
        capable_scores=capable_columns["scores"][at_capable],
        cheap_usd=usd[0],
        capable_usd=usd[1],
        categories=cheap_columns["categories"][at_cheap],
        category_names=_category_names(list(categories)),
        group_keys=group_hashes,
        left_out=LeftOut(
            only_cheap=len(cheap_keys) - len(keys),
            only_capable=len(capable_keys) - len(keys),
            repeated=cheap_repeats + capable_repeats,
            other_models=others.total(),
        ),
    )


def sampled_together(*propensities: Any) -> Any:
    """For each prompt the probability with which all of its answers were sampled: the least of theirs.

    One draw decides for a prompt and not for an answer: `turnout collect` takes a request with all its answers or not
    at all, and an answer that was there anyway has the propensity 1. Whoever draws answers one by one writes the
    product into each row.

    Args:
        propensities: Of each model's answers to the prompts: an array a model.
    """
    np = require("numpy", extra=EXTRA)
    return np.min(propensities, axis=0)


class _Answers:
    """One model's answers as they are read: 48 bytes each."""

    def __init__(self) -> None:
        self.keys = array("Q")
        self._groups = array("Q")
        self._categories = array("q")
        self._scores = array("d")
        self._usd = array("d")
        self._propensity = array("d")

    def add(self, key: int, group: int, category: int, batch: Batch, row: int) -> None:
        """Take a row in."""
        cost = batch.cost_usd[row]
        self.keys.append(key)
        self._groups.append(group)
        self._categories.append(category)
        self._scores.append(batch.score[row])
        self._usd.append(float("nan") if cost is None else cost)
        self._propensity.append(batch.propensity[row])

    def tables(self, np: Any) -> tuple[Any, dict[str, Any], int]:
        """Keys, ascending, each once; for each its columns, scores and costs averaged; how many were repeats."""
        keys, first, which, counts = np.unique(
            np.frombuffer(self.keys, np.uint64), return_index=True, return_inverse=True, return_counts=True
        )

        def mean(values: Any) -> Any:
            return np.bincount(which, weights=np.frombuffer(values, np.float64), minlength=len(keys)) / counts

        columns = {
            "groups": np.frombuffer(self._groups, np.uint64)[first],
            "categories": np.frombuffer(self._categories, np.int64)[first],
            "scores": mean(self._scores),
            "usd": mean(self._usd),
            "propensity": mean(self._propensity),
        }
        return keys, columns, len(self.keys) - len(keys)


def _category_names(found: list[tuple[str, str]]) -> tuple[str, ...]:
    """Empty where nothing tells two categories apart."""
    if len(found) < 2:
        return tuple(category for _, category in found if category)
    if len({dataset for dataset, _ in found}) == 1:
        return tuple(category for _, category in found)
    return tuple(f"{dataset}: {category}" if category else dataset for dataset, category in found)
