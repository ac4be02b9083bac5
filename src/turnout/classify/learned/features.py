"""From requests to the numbers that heads work on.

Two tables come out. ``plain`` is for trees: structure, tools and category, as they are. ``wide`` is for the ridge:
blocks whose rows have a squared length of about one each, so that one penalty is fair to all of them:

- ``plain``, standardised over what was trained on (constant columns are left out);
- the embedding of the query by MiniLM's first five layers;
- the IDF of the hashed n-grams that a text has, folded by signs into some thousand columns, which keeps scalar
  products about as they are: a half for words and pairs of words, a half for runs of characters, each of length one;
- random Fourier features of the embedding and of the standardised numbers, whose scalar products are about a Gaussian
  kernel of the width of the median distance: they make a linear head a smooth non-linear one.

Which blocks there are depends on the mode: ``embedding`` has all, ``ngrams`` has none of the embedding's.

Sources: K. Weinberger et al., Feature hashing for large scale multitask learning (2009); A. Rahimi and B. Recht, Random
features for large-scale kernel machines (2007).

Known limitations: the query is looked at alone, apart from the number of turns before it; MiniLM reads 256 tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from turnout.classify.learned import structure, tooling
from turnout.classify.learned.ngrams import BUCKETS, FIRST_RUN, Grams, grams_of
from turnout.classify.learned.rows import Row
from turnout.config.extras import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

Mode = Literal["embedding", "ngrams"]
"""With MiniLM's vectors, or without."""

LAYERS = 5
"""MiniLM's layers that are run: see `turnout.classify.embedding`."""

FOLDED = {"few": 2_048, "many": 512}
"""Columns of each half of the folded n-grams. Few prompts get more: folding adds noise, and there columns are cheap."""

FEW = 4_000
"""Up to so many prompts are few."""

WAVES = {"embedding": 512, "plain": 256}
"""Random Fourier features of each block."""

MOST_CATEGORIES = 200
"""So many categories are told apart, the most frequent ones; the others count as none."""

Embed = Callable[[Sequence[str]], Any]
"""From texts to their vectors of unit length: shape (texts, 384)."""

_KEPT_BITS = 14

_PLAIN_NAMES = (*structure.NAMES, *tooling.NAMES)


class Layout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is in the tables.

    Attributes:
        mode: With or without MiniLM's vectors.
        categories: The categories that are told apart; each is a column.
        plain: The names of the columns of numbers that are used.
        folded: Columns of each half of the folded n-grams, a power of two.
    """

    mode: Mode
    folded: int
    categories: tuple[str, ...]
    plain: tuple[str, ...]


class Raw(NamedTuple):
    """What is looked at in some requests, before any training.

    Attributes:
        grams: N-grams and counts of the queries.
        plain: Structure and tools: shape (requests, columns).
        categories: The category of each request.
        vectors: MiniLM's vectors, or none in the mode ``ngrams``.
    """

    grams: Grams
    plain: Any
    categories: tuple[str, ...]
    vectors: Any


def looked_at(rows: Sequence[Row], embed: Embed | None) -> Raw:
    """Look at some requests.

    Args:
        rows: The requests.
        embed: Gives the vectors; none: the mode ``ngrams``.
    """
    np = require("numpy", extra="embedding")
    texts = [row.text for row in rows]
    grams = grams_of(texts)
    plain = np.empty((len(rows), len(_PLAIN_NAMES)))
    split = len(structure.NAMES)
    plain[:, :split] = structure.structure(grams, [row.turns for row in rows])
    if any(row.tools for row in rows):
        plain[:, split:] = [tooling.tooling(row.text, row.tools) for row in rows]
    else:
        plain[:, split:] = 0.0
    vectors = None if embed is None else np.asarray(embed(texts), np.float64)
    return Raw(grams, plain, tuple(row.category for row in rows), vectors)


class FeatureMap:
    """From what was looked at to the two tables.

    Args:
        layout: What is in the tables.
        numbers: ``mean`` and ``scale`` of the plain columns, ``idf`` of the buckets, and for each block of waves its
            ``directions`` and ``phases``.
    """

    def __init__(self, layout: Layout, numbers: dict[str, NDArray[Any]]) -> None:
        np = require("numpy", extra="embedding")
        self._np = np
        self.layout = layout
        self.numbers = numbers
        self._columns = np.array([_PLAIN_NAMES.index(name) for name in layout.plain], np.int64)
        self._category = {name: index for index, name in enumerate(layout.categories)}
        self._idf = numbers["idf"].astype(np.float64)
        self._signed = np.where(np.arange(BUCKETS) & layout.folded, -self._idf, self._idf)
        self._squared = self._idf**2
        # As float64 once: a product of two kinds of floats copies the larger table each time.
        self._directions = {
            block: (numbers[f"{block}_directions"].astype(np.float64), numbers[f"{block}_phases"].astype(np.float64))
            for block in WAVES
            if f"{block}_directions" in numbers
        }
        self.blocks = self._blocks()

    def _blocks(self) -> dict[str, slice]:
        widths = {
            "plain": len(self.layout.plain),
            "category": len(self.layout.categories),
            "ngrams": 2 * self.layout.folded,
        }
        widths["plain_waves"] = WAVES["plain"]
        if self.layout.mode == "embedding":
            widths["embedding"] = len(self.numbers["embedding_directions"])
            widths["embedding_waves"] = WAVES["embedding"]
        blocks, start = {}, 0
        for name, width in widths.items():
            blocks[name] = slice(start, start + width)
            start += width
        return blocks

    @property
    def width(self) -> int:
        """Columns of the wide table."""
        return max(int(block.stop) for block in self.blocks.values())

    def plain(self, raw: Raw) -> Any:
        """The table for trees: shape (requests, plain columns and categories), float32."""
        np = self._np
        hot = self._hot(raw)
        return np.hstack([raw.plain[:, self._columns], hot]).astype(np.float32)

    def dense(self, raw: Raw) -> dict[str, Any]:
        """The blocks of the wide table but for the n-grams, by name."""
        numbers = self.numbers
        plain = (raw.plain[:, self._columns] - numbers["mean"]) / numbers["scale"]
        dense = {"plain": plain, "plain_waves": self._waves("plain", plain)}
        if self.layout.categories:
            dense["category"] = self._hot(raw)
        if self.layout.mode == "embedding":
            dense["embedding"] = raw.vectors
            dense["embedding_waves"] = self._waves("embedding", raw.vectors)
        return dense

    def wide(self, raw: Raw) -> Any:
        """The table for the ridge: shape (requests, `width`), float32."""
        np = self._np
        out = np.zeros((len(raw.categories), self.width), np.float32)
        for name, values in self.dense(raw).items():
            out[:, self.blocks[name]] = values
        grams = raw.grams
        width = self.layout.folded
        cells = grams.texts * (2 * width) + self._columns_of(grams.buckets)
        values = self._signed[grams.buckets] * self.gram_scales(grams, len(out))
        folded = np.bincount(cells, weights=values, minlength=len(out) * 2 * width)
        out[:, self.blocks["ngrams"]] = folded.reshape(len(out), 2 * width)
        return out

    def gram_scales(self, grams: Grams, count: int) -> Any:
        """What each n-gram of some texts is multiplied by, so that words and runs of a text each have length one.

        It is 1 over the root of the sum of their squared weights, at the most 1: shape (n-grams,).
        """
        np = self._np
        squared = self._squared[grams.buckets]
        halves = (grams.buckets >= FIRST_RUN).astype(np.int64) if count == 1 else self._halves(grams)
        return (1.0 / np.sqrt(np.maximum(np.bincount(halves, weights=squared, minlength=2 * count), 1.0)))[halves]

    @staticmethod
    def _halves(grams: Grams) -> Any:
        return grams.texts * 2 + (grams.buckets >= FIRST_RUN)

    def bucket_weights(self, weights: Any) -> Any:
        """For each bucket what it adds, given the weights of the folded columns: shape (buckets, targets)."""
        return weights[self._columns_of(self._np.arange(BUCKETS))] * self._signed[:, None]

    def _columns_of(self, buckets: Any) -> Any:
        width = self.layout.folded
        return (buckets & (width - 1)) + width * (buckets >= FIRST_RUN)

    def _hot(self, raw: Raw) -> Any:
        hot = self._np.zeros((len(raw.categories), len(self._category)))
        for row, name in enumerate(raw.categories):
            if (column := self._category.get(name)) is not None:
                hot[row, column] = 1.0
        return hot

    def _waves(self, block: str, values: Any) -> Any:
        np = self._np
        directions, phases = self._directions[block]
        return np.cos(values @ directions + phases) * np.sqrt(2.0 / len(phases))


def rounded(values: Any) -> Any:
    """The values with 14 bits of their mantissas, a relative error of 3e-5 at the most, as float64.

    All that is learned is rounded so: processors differ in the last bits of sums, and the artefact must not.
    """
    np = require("numpy", extra="embedding")
    mantissas, exponents = np.frexp(np.asarray(values, np.float64))
    return np.ldexp(np.round(mantissas * 2.0**_KEPT_BITS), exponents - _KEPT_BITS)


def fitted_map(raw: Raw, *, seed: int, prompts: int | None = None, categories: bool = True) -> FeatureMap:
    """The map whose means, scales, frequencies and widths are those of these requests.

    Args:
        raw: What was looked at in the requests.
        seed: Of the random directions.
        prompts: How many requests the ridge will be fitted on; default: these.
        categories: Whether categories are used.
    """
    np = require("numpy", extra="embedding")
    count = len(raw.categories)
    scale = raw.plain.std(axis=0)
    used = np.flatnonzero(scale > 1e-9)
    names, sizes = np.unique([name for name in raw.categories if name], return_counts=True)
    # A category of one request says nothing of the next; one that all share says nothing at all.
    frequent = [
        str(names[index])
        for index in np.lexsort((names, -sizes))[:MOST_CATEGORIES]
        if categories and 1 < sizes[index] < count
    ]
    layout = Layout(
        mode="ngrams" if raw.vectors is None else "embedding",
        categories=tuple(sorted(frequent)),
        plain=tuple(_PLAIN_NAMES[index] for index in used),
        folded=FOLDED["few" if (prompts or count) <= FEW else "many"],
    )
    width = max(len(used), 1)
    numbers = {
        "mean": rounded(raw.plain[:, used].mean(axis=0)),
        "scale": rounded(scale[used] * np.sqrt(width)),
        "idf": rounded(_idf(np, raw.grams, count)).astype(np.float32),
    }
    random = np.random.default_rng(seed)
    standard = (raw.plain[:, used] - numbers["mean"]) / numbers["scale"]
    for block, values in (("plain", standard), ("embedding", raw.vectors)):
        if values is None:
            continue
        distance = _median_distance(np, values, random)
        directions = random.standard_normal((values.shape[1], WAVES[block])) * np.sqrt(2.0 / distance)
        numbers[f"{block}_directions"] = directions.astype(np.float16)
        numbers[f"{block}_phases"] = rounded(random.uniform(0.0, 2.0 * np.pi, WAVES[block])).astype(np.float32)
    return FeatureMap(layout, numbers)


def _idf(np: Any, grams: Grams, count: int) -> Any:
    """log((1 + texts) / (1 + texts that have it)) + 1, and 0 for what fewer than two texts have."""
    having = np.bincount(grams.buckets, minlength=BUCKETS)
    return np.where(having < 2, 0.0, np.log((1.0 + count) / (1.0 + having)) + 1.0)


def _median_distance(np: Any, values: Any, random: Any) -> float:
    """The median squared distance of some thousand pairs of rows."""
    pairs = random.integers(0, len(values), (2, 4_096))
    distances = ((values[pairs[0]] - values[pairs[1]]) ** 2).sum(axis=1)
    apart = distances[distances > 1e-12]
    return float(np.median(apart)) if len(apart) else 1.0
