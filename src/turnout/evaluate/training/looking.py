"""What features look at, computed once for some prompts and taken apart for folds as often as wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from turnout.classify.learned.features import Embed, Raw, looked_at
from turnout.classify.learned.ngrams import Grams
from turnout.classify.learned.rows import Row
from turnout.config.extras import require
from turnout.evaluate.outcomes.pair import EXTRA

_AT_ONCE = 256

Progress = Callable[[int], None]
"""Is told how many prompts were looked at since the last time."""


class Looked:
    """What was looked at in some prompts.

    Args:
        rows: The prompts.
        embed: Gives MiniLM's vectors; none: the mode ``ngrams``.
        progress: Is told of each batch.
    """

    def __init__(self, rows: Sequence[Row], embed: Embed | None, *, progress: Progress = lambda prompts: None) -> None:
        np = require("numpy", extra=EXTRA)
        self._np = np
        parts = []
        for start in range(0, len(rows), _AT_ONCE):
            part = looked_at(rows[start : start + _AT_ONCE], embed)
            # 600 n-grams a prompt: these take six bytes each instead of sixteen.
            grams = part.grams._replace(
                buckets=part.grams.buckets.astype(np.int32), times=part.grams.times.astype(np.int16)
            )
            parts.append(part._replace(grams=grams))
            progress(len(part.categories))
        counts = [np.bincount(part.grams.texts, minlength=len(part.categories)) for part in parts]
        self._ends = np.cumsum(np.concatenate(counts))
        self._starts = self._ends - np.concatenate(counts)
        self._buckets = np.concatenate([part.grams.buckets for part in parts])
        self._times = np.concatenate([part.grams.times for part in parts])
        self._columns = {
            name: np.concatenate([getattr(part.grams, name) for part in parts])
            for name in ("bytes_", "words", "numbers", "longest")
        }
        self._plain = np.concatenate([part.plain for part in parts])
        self._categories = [name for part in parts for name in part.categories]
        self._vectors = None if embed is None else np.concatenate([part.vectors for part in parts])

    def __len__(self) -> int:
        """How many prompts."""
        return len(self._categories)

    def take(self, places: Any) -> Raw:
        """What was looked at in the prompts at these places, in their order."""
        np = self._np
        places = np.asarray(places, np.int64)
        sizes = self._ends[places] - self._starts[places]
        owners = np.repeat(np.arange(len(places)), sizes)
        within = np.arange(len(owners)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        cells = self._starts[places][owners] + within
        buckets, times = self._buckets[cells].astype(np.int64), self._times[cells]
        columns = {name: values[places] for name, values in self._columns.items()}
        return Raw(
            grams=Grams(buckets=buckets, texts=owners, times=times, **columns),
            plain=self._plain[places],
            categories=tuple(self._categories[place] for place in places.tolist()),
            vectors=None if self._vectors is None else self._vectors[places],
        )
