"""How far a request is from those of a calibration, and the cut beyond which it is unlike them.

A request's distance is the mean of its distances to the `NEAREST` references that are nearest. The cut is the conformal
quantile of the references' own distances, each to the others: a request that is exchangeable with them is beyond it
with a probability of at most the share that was asked for (V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a
Random World, 2005; against more references than each of them had, a request is nearer if anything).

Two spaces, whichever the classifier has anyway:

- ``minilm``: MiniLM's vector of the query, as `turnout.classify.embedding` has it.
- ``ngrams``: what the learned classifier looks at without MiniLM: hashed n-grams of the query, folded into some
  columns, and numbers of structure and tools, standardised over the references; both count alike.

Known limitations: it looks at the query, the tools and the number of turns; a request may be near in this space and
need another answer. With few references only what is far away is seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from turnout.classify.learned.features import Embed, looked_at
from turnout.classify.learned.model import minilm_vectors
from turnout.classify.learned.rows import Row, row_of
from turnout.config.calibration import References
from turnout.config.extras import require
from turnout.messages.conversation import Conversation

NEAREST = 5
"""So many references are looked at; of fewer all."""

FOLDED = 256
"""Columns of the folded n-grams, a power of two."""

_CLIP = 4.0


class Likeness:
    """The references of a calibration, ready to be asked.

    Args:
        references: As the calibration has them.
        embed: Gives vectors instead of MiniLM.
    """

    def __init__(self, references: References, *, embed: Embed | None = None) -> None:
        np = require("numpy", extra="embedding")
        self._references = references
        self._embed = embed
        vectors = np.frombuffer(references.vectors, "<f2").astype(np.float32)
        self._vectors = vectors.reshape(-1, references.width)
        self._squares = (self._vectors**2).sum(axis=1)

    @property
    def share(self) -> float:
        """The share of like requests that is beyond the cut, at the most."""
        return self._references.share

    @property
    def embeds(self) -> bool:
        """Whether it takes some milliseconds, which an event loop should not wait for."""
        return self._references.space == "minilm"

    def unlikeness(self, conversation: Conversation) -> float:
        """The distance of a request, 1 being the cut.

        Raises:
            MissingExtraError: The extra ``embedding`` is not installed.
            WeightsError: MiniLM's weights are needed and not installed.
        """
        return float(self.of_rows([row_of(conversation)])[0])

    def of_rows(self, rows: Sequence[Row]) -> Any:
        """The distances of some requests, 1 being the cut."""
        np = require("numpy", extra="embedding")
        plain = (np.array(self._references.mean), np.array(self._references.scale))
        vectors = _vectors(np, rows, self._references.space, plain, self._embed)
        apart = _apart(np, vectors, self._vectors, self._squares)
        return _nearest(np, apart) / self._references.cut


def references_of(
    rows: Sequence[Row], *, space: Literal["minilm", "ngrams"], share: float, embed: Embed | None = None
) -> References | None:
    """What tells requests that are unlike these; none where there are too few to tell that share.

    Args:
        rows: The references; no two of one group.
        space: ``minilm`` or ``ngrams``.
        share: The share of like requests that may be beyond the cut, above 0 and below 1.
        embed: Gives vectors instead of MiniLM.

    Raises:
        MissingExtraError: The extra ``embedding`` is not installed.
        WeightsError: MiniLM's weights are needed and not installed.
    """
    np = require("numpy", extra="embedding")
    rank = math.ceil((1.0 - share) * (len(rows) + 1))
    if len(rows) < 2 or rank > len(rows):
        return None
    plain: tuple[Any, Any] = (np.empty(0), np.empty(0))
    if space != "minilm":
        numbers = looked_at(rows, None).plain
        plain = (numbers.mean(axis=0), numbers.std(axis=0) + 0.1)
    vectors = _vectors(np, rows, space, plain, embed).astype("<f2")
    wide = vectors.astype(np.float32)
    apart = _apart(np, wide, wide, (wide**2).sum(axis=1))
    np.fill_diagonal(apart, np.inf)
    distances = np.sort(_nearest(np, apart, most=len(rows) - 1))
    return References(
        space=space,
        share=share,
        cut=max(float(distances[rank - 1]), 1e-6),
        width=vectors.shape[1],
        mean=tuple(plain[0].tolist()),
        scale=tuple(plain[1].tolist()),
        vectors=vectors.tobytes(),
    )


def _vectors(np: Any, rows: Sequence[Row], space: str, plain: tuple[Any, Any], embed: Embed | None) -> Any:
    if space == "minilm":
        # The classifier asks for the vector of the same text: it is computed once.
        return (embed or minilm_vectors())([row.text for row in rows])
    raw = looked_at(rows, None)
    mean, scale = plain
    numbers = np.clip((raw.plain - mean) / scale, -_CLIP, _CLIP) / np.sqrt(raw.plain.shape[1])
    buckets = raw.grams.buckets
    cells = raw.grams.texts * FOLDED + (buckets & (FOLDED - 1))
    signs = np.where(buckets & FOLDED, -1.0, 1.0)
    grams = np.bincount(cells, signs, minlength=len(rows) * FOLDED).reshape(len(rows), FOLDED)
    grams /= np.maximum(np.sqrt((grams**2).sum(axis=1)), 1e-9)[:, None]
    return np.hstack([grams, numbers]).astype(np.float32)


def _apart(np: Any, some: Any, references: Any, squares: Any) -> Any:
    """Half the squared distance of each of some to each reference: for unit vectors one less their cosine."""
    products = some @ references.T
    return np.maximum(0.5 * ((some**2).sum(axis=1)[:, None] + squares) - products, 0.0)


def _nearest(np: Any, apart: Any, most: int | None = None) -> Any:
    count = min(NEAREST, apart.shape[1] if most is None else most)
    return np.partition(apart, count - 1, axis=1)[:, :count].mean(axis=1)
