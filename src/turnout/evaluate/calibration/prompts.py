"""The calibration's prompts: their texts, which of them are set aside, and which a classifier was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from turnout.classify.learned.rows import Row, row_of
from turnout.config.extras import require
from turnout.evaluate.outcomes.content import conversations, text_key
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.outcomes.table import Batch
from turnout.evaluate.training.answers import Answers, places_of

KEPT_PROMPTS = 50_000
"""Up to so many prompts their texts are kept in memory; of more they are read from the file each time."""

MOST_ASIDE, FEWEST_ASIDE = 256, 60
"""How many groups are set aside: a tenth, within these."""

LEAST_TESTED = 3
"""Nothing is set aside where that would leave less than so many times as much to test on."""


class Prompts:
    """The prompts of some answers, each once, a batch at a time.

    Args:
        source: The table that the answers were read from.
        answers: The answers.
    """

    def __init__(self, source: Source, answers: Answers) -> None:
        self._source = source._replace(models=frozenset({answers.candidates[0]}))
        self._keys = answers.keys
        self._kept: list[tuple[Batch, Any]] | None = None

    def batches(self) -> Iterator[tuple[Batch, Any]]:
        """Batches of prompts, each with its prompts' places among the answers."""
        if self._kept is not None:
            yield from self._kept
            return
        np = require("numpy", extra=EXTRA)
        keep: list[tuple[Batch, Any]] | None = [] if len(self._keys) <= KEPT_PROMPTS else None
        left = np.ones(len(self._keys), bool)
        for batch in self._source.batches():
            places = places_of(np, self._keys, batch)
            _, first = np.unique(places, return_index=True)
            fresh = np.zeros(len(places), bool)
            fresh[first] = True
            chosen = np.flatnonzero(fresh & (places >= 0) & left[places])
            if not len(chosen):
                continue
            left[places[chosen]] = False
            part = (batch.take(chosen.tolist()), places[chosen])
            if keep is not None:
                keep.append(part)
            yield part
        self._kept = keep

    def known_to(self, keys: Any, answers: Answers) -> Any:
        """For each prompt whether its group or its text is among some hashes, ascending."""
        np = require("numpy", extra=EXTRA)
        if not len(keys):
            return np.zeros(len(answers), bool)
        known = _among(np, answers.group_keys, keys)[answers.groups]
        for batch, places in self.batches():
            texts = [text_key(*both) for both in zip(batch.prompt, batch.conversation, strict=True)]
            known[places] |= _among(np, np.array(texts, np.uint64), keys)
        # A group is trained on as a whole.
        groups = np.unique(answers.groups[known])
        return np.isin(answers.groups, groups)


def rows_of(batch: Batch) -> list[Row]:
    """Each prompt as a classifier sees the request that it came with."""
    return [row_of(conversation) for conversation in conversations(batch)]


def set_aside(answers: Answers, *, needed: bool) -> Any:
    """For each group whether it is set aside: those with the least hashes, so that the same groups always are.

    Args:
        answers: The answers.
        needed: Whether some must be, however few groups there are.
    """
    np = require("numpy", extra=EXTRA)
    count = len(answers.group_keys)
    aside = int(min(MOST_ASIDE, max(FEWEST_ASIDE, count // 10)))
    chosen = np.zeros(count, bool)
    if count < (LEAST_TESTED + 1) * aside:
        aside = max(1, count // 10) if needed and count > 1 else 0
    if aside:
        # Hashes of groups, stirred: a table may have been put together by them.
        stirred = answers.group_keys * np.uint64(0x9E3779B97F4A7C15)
        chosen[np.argsort(stirred ^ (stirred >> np.uint64(31)), kind="stable")[:aside]] = True
    return chosen


def _among(np: Any, some: Any, keys: Any) -> Any:
    near = np.minimum(np.searchsorted(keys, some), len(keys) - 1)
    return keys[near] == some
