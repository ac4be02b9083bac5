"""Small tables of outcomes for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from turnout.evaluate.outcomes.files import Source, source_of, write
from turnout.evaluate.outcomes.pair import LeftOut, Pair
from turnout.evaluate.outcomes.rows import checked_row
from turnout.evaluate.outcomes.table import Batch


def batch_of(*rows: dict[str, Any]) -> Batch:
    """A batch of these rows, checked as those of a file."""
    batch = Batch()
    for row in rows:
        batch.append(checked_row(row, "test"))
    return batch


def answers(prompt: str, cheap: float, capable: float, **common: Any) -> list[dict[str, Any]]:
    """The answers of the models "cheap" and "capable" to one prompt."""
    return [
        {"prompt": prompt, "model": model, "score": score, "cost_usd": usd, **common}
        for model, score, usd in (("cheap", cheap, 0.001), ("capable", capable, 0.01))
    ]


def file_of(path: Path, *rows: dict[str, Any]) -> Source:
    """A file of these rows, and a source that reads it."""
    write([batch_of(*rows)], path)
    return source_of([path])


def pair_of(
    cheap: ArrayLike,
    capable: ArrayLike,
    *,
    usd: tuple[ArrayLike, ArrayLike] | None = None,
    groups: Sequence[int] | None = None,
    weights: ArrayLike | None = None,
) -> Pair:
    """A pair of these grades; each prompt costs 1 and 10 USD if nothing else is said."""
    count = np.size(cheap)
    numbered = np.arange(count) if groups is None else np.unique(np.array(groups), return_inverse=True)[1]
    costs = usd or ([1.0] * count, [10.0] * count)
    return Pair(
        cheap="cheap",
        capable="capable",
        keys=np.arange(count, dtype=np.uint64),
        groups=numbered.astype(np.int64),
        weights=np.ones(count) if weights is None else np.array(weights, float),
        cheap_scores=np.array(cheap, float),
        capable_scores=np.array(capable, float),
        cheap_usd=np.array(costs[0], float),
        capable_usd=np.array(costs[1], float),
        categories=np.zeros(count, np.int64),
        category_names=(),
        group_keys=np.unique(numbered).astype(np.uint64),
        left_out=LeftOut(only_cheap=0, only_capable=0, repeated=0, other_models=0),
    )
