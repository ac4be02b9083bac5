"""The calibration's prompts: as a classifier sees them, which are set aside, and which a classifier was trained on."""

from __future__ import annotations

from typing import Any

from turnout.classify.learned.rows import Row, row_of
from turnout.config.extras import require
from turnout.evaluate.outcomes.content import conversations, text_key
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.outcomes.prompts import Prompts
from turnout.evaluate.outcomes.table import Batch
from turnout.evaluate.training.answers import Answers

MOST_ASIDE, FEWEST_ASIDE = 256, 60
"""How many groups are set aside: a tenth, within these."""

LEAST_TESTED = 3
"""Nothing is set aside where that would leave less than so many times as much to test on."""


def known_to(prompts: Prompts, keys: Any, answers: Answers) -> Any:
    """For each prompt whether its group or its text is among some hashes, ascending.

    Args:
        prompts: The texts of the answers' prompts.
        keys: Hashes of groups and texts.
        answers: The answers.
    """
    np = require("numpy", extra=EXTRA)
    if not len(keys):
        return np.zeros(len(answers), bool)
    known = _among(np, answers.group_keys, keys)[answers.groups]
    for batch, places in prompts.batches():
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
