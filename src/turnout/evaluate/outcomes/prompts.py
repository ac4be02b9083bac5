"""The texts of prompts whose numbers are in memory: each prompt once, a batch at a time, as often as wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from turnout.config.extras import require
from turnout.evaluate.outcomes.content import row_keys
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.table import Batch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXTRA = "embedding"
"""The extra that brings numpy."""

KEPT_PROMPTS = 50_000
"""Up to so many prompts their texts are kept in memory; of more they are read from the file each time."""


def places_of(keys: Any, batch: Batch) -> NDArray[np.int64]:
    """For each row of a batch its prompt's place among ascending keys, or -1."""
    numpy = require("numpy", extra=EXTRA)
    wanted = numpy.array(row_keys(batch), numpy.uint64)
    near = numpy.minimum(numpy.searchsorted(keys, wanted), len(keys) - 1)
    places: NDArray[np.int64] = numpy.where(keys[near] == wanted, near, -1)
    return places


class Prompts:
    """The texts of some prompts.

    Args:
        source: The table that they were read from.
        keys: What each prompt is found by, ascending.
        model: A model that answered all of them: its rows are read.
    """

    def __init__(self, source: Source, keys: Any, model: str) -> None:
        self._source = source._replace(models=frozenset({model}))
        self._keys = keys
        self._kept: list[tuple[Batch, Any]] | None = None

    def batches(self, rows: Any | None = None) -> Iterator[tuple[Batch, NDArray[np.int64]]]:
        """Batches of prompts, each with its prompts' places among the keys.

        Args:
            rows: Only the prompts at these places; default: all.
        """
        numpy = require("numpy", extra=EXTRA)
        wanted = numpy.ones(len(self._keys), bool)
        if rows is not None:
            wanted[:] = False
            wanted[rows] = True
        for batch, places in self._all(numpy):
            kept = wanted[places]
            if kept.all():
                yield batch, places
            elif kept.any():
                chosen = numpy.flatnonzero(kept)
                yield batch.take(chosen.tolist()), places[chosen]

    def _all(self, numpy: Any) -> Iterator[tuple[Batch, Any]]:
        if self._kept is not None:
            yield from self._kept
            return
        keep: list[tuple[Batch, Any]] | None = [] if len(self._keys) <= KEPT_PROMPTS else None
        left = numpy.ones(len(self._keys), bool)
        for batch in self._source.batches():
            places = places_of(self._keys, batch)
            # The first row of each prompt: a model may have answered it several times.
            _, first = numpy.unique(places, return_index=True)
            fresh = numpy.zeros(len(places), bool)
            fresh[first] = True
            chosen = numpy.flatnonzero(fresh & (places >= 0) & left[places])
            if not len(chosen):
                continue
            left[places[chosen]] = False
            part = (batch.take(chosen.tolist()), places[chosen])
            if keep is not None:
                keep.append(part)
            yield part
        self._kept = keep
