"""How like the prompts of training a request is, and which are unlike them.

With MiniLM's vectors it is the cosine to the nearest of some centres of the training prompts; in the mode ``ngrams``
the share of a request's n-grams that two or more training prompts had. Both are at most 1, and higher for more alike.

A number alone says nothing, so training measures it on its own prompts too, each against centres and frequencies of
folds that it is not in, and keeps some quantiles. A request below the lowest of them is called unlike: of requests like
those of training one in twenty is.

Known limitations: it looks at the query alone. Requests on the same things that are harder than those of training are
not unlike them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from turnout.classify.learned.features import Raw, rounded
from turnout.classify.learned.ngrams import BUCKETS
from turnout.config.extras import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARES: tuple[float, ...] = (0.05, 0.25, 0.5, 0.75)
"""Which quantiles of the training prompts' likeness are kept."""

UNLIKE = SHARES[0]
"""The share of requests like those of training that are called unlike."""

MOST_CENTRES = 64
"""So many centres at the most."""

MOST_LOOKED_AT = 5_000
"""On so many prompts at the most centres are found."""

_PROMPTS_A_CENTRE = 8
_ROUNDS = 12


class Likeness(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The likeness of training prompts to each other.

    Attributes:
        quantiles: Of the training prompts' likeness, one for each of `SHARES`, ascending.
    """

    quantiles: tuple[float, ...]

    @property
    def cut(self) -> float:
        """Below it a request is called unlike."""
        return self.quantiles[0]


def likeness_of(raw: Raw, idf: Any, centres: Any) -> Any:
    """How like the prompts of training some requests are: shape (requests,).

    Args:
        raw: What was looked at in the requests.
        idf: Of the buckets; 0 for what fewer than two training prompts had.
        centres: Shape (centres, 384), rows of unit length; none in the mode ``ngrams``.
    """
    np = require("numpy", extra="embedding")
    if centres is not None:
        return (np.asarray(raw.vectors) @ np.asarray(centres, np.float64).T).max(axis=1)
    grams, count = raw.grams, len(raw.categories)
    known = np.bincount(grams.texts, weights=idf[grams.buckets] > 0.0, minlength=count)
    return known / np.maximum(np.bincount(grams.texts, minlength=count), 1.0)


def fitted_likeness(raw: Raw, folds: Any, *, seed: int) -> tuple[Likeness, NDArray[Any] | None]:
    """What is usual among some prompts, and their centres.

    Args:
        raw: What was looked at in the prompts of training.
        folds: The fold of each; prompts of one text are in one fold.
        seed: Of the draw of prompts and of the first centres.

    Returns:
        The likeness, and the centres; none in the mode ``ngrams``.
    """
    np = require("numpy", extra="embedding")
    count = len(raw.categories)
    usual = np.empty(count)
    for fold in np.unique(folds):
        inside = folds == fold
        if raw.vectors is not None:
            found = centres_of(raw.vectors[~inside], seed=seed)
            usual[inside] = (raw.vectors[inside] @ found.T).max(axis=1)
        else:
            usual[inside] = _known_share(np, raw, inside)
    quantiles = tuple(float(one) for one in rounded(np.quantile(usual, SHARES)))
    return Likeness(quantiles), None if raw.vectors is None else centres_of(raw.vectors, seed=seed)


def centres_of(vectors: Any, *, seed: int) -> NDArray[Any]:
    """Centres of vectors of unit length, by spherical k-means: shape (centres, width), rows of unit length.

    Source: I. Dhillon and D. Modha, Concept decompositions for large sparse text data using clustering (2001).
    """
    np = require("numpy", extra="embedding")
    random = np.random.default_rng(seed)
    if len(vectors) > MOST_LOOKED_AT:
        vectors = vectors[np.sort(random.choice(len(vectors), MOST_LOOKED_AT, replace=False))]
    wanted = max(1, min(MOST_CENTRES, len(vectors) // _PROMPTS_A_CENTRE))
    centres = vectors[np.sort(random.choice(len(vectors), wanted, replace=False))]
    for _ in range(_ROUNDS):
        owners = np.argmax(vectors @ centres.T, axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, owners, vectors)
        lengths = np.linalg.norm(sums, axis=1)
        kept = lengths > 1e-9
        centres = np.where(kept[:, None], sums / np.where(kept, lengths, 1.0)[:, None], centres)
    found: NDArray[Any] = rounded(centres).astype(np.float32)
    return found


def _known_share(np: Any, raw: Raw, inside: Any) -> Any:
    """For the prompts inside a fold: the share of their n-grams that two or more prompts outside have."""
    grams = raw.grams
    within = inside[grams.texts]
    outside = np.bincount(grams.buckets[~within], minlength=BUCKETS)
    known = np.bincount(grams.texts[within], weights=outside[grams.buckets[within]] > 1, minlength=len(inside))
    many = np.bincount(grams.texts[within], minlength=len(inside))
    return (known / np.maximum(many, 1.0))[inside]
