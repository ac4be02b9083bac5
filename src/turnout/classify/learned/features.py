"""From requests to the numbers that heads work on.

Two tables come out. ``plain`` is for trees: structure, tools and category, as they are. ``wide`` is for the ridge:
blocks whose rows have a squared length of about one each, so that one penalty is fair to all of them:

- ``plain``, standardised over what was trained on (constant columns are left out);
- the embedding of the query by MiniLM's first five layers;
- TF-IDF of the hashed n-grams of a text, (1 + log of how often) times IDF: a half for words and pairs of words, a half
  for runs of characters, each of length one. Where prompts are few, each n-gram that two of them have is a column of
  its own; where they are many, n-grams are folded by signs into some hundred columns, which keeps scalar products about
  as they are;
- random Fourier features of the embedding and of the standardised numbers, whose scalar products are about a Gaussian
  kernel of the width of the median distance: they make a linear head a smooth non-linear one. Each category shifts
  them by random phases of its own, so that products across categories are about zero: what is like each other is so
  within a category, and what a number means may differ from one to the next.

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
from turnout.classify.learned.ngrams import BUCKETS, FIRST_RUN, MOST_BYTES, Grams, grams_of
from turnout.classify.learned.rows import Row
from turnout.config.extras import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

Mode = Literal["embedding", "ngrams"]
"""With MiniLM's vectors, or without."""

LAYERS = 5
"""MiniLM's layers that are run: see `turnout.classify.embedding`."""

FOLDED = {"few": 2_048, "many": 512}
"""Columns of each half of the folded n-grams."""

FEW = 4_000
"""Up to so many prompts are few."""

MOST_CELLS = 32_000_000
"""N-grams of few prompts are not folded, which adds noise, where prompts times known n-grams are at most so many."""

WAVES = {"embedding": 512, "plain": 256}
"""Random Fourier features of each block."""

MOST_CATEGORIES = 200
"""So many categories are told apart, the most frequent ones; the others count as none."""

Embed = Callable[[Sequence[str]], Any]
"""From texts to their vectors of unit length: shape (texts, 384)."""

_KEPT_BITS = 14
_AT_ONCE = 256

_PLAIN_NAMES = (*structure.NAMES, *tooling.NAMES)


class Layout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is in the tables.

    Attributes:
        mode: With or without MiniLM's vectors.
        categories: The categories that are told apart; each is a column.
        plain: The names of the columns of numbers that are used.
        folded: Columns of each half of the folded n-grams, a power of two; 0: each known n-gram has its own.
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
            ``directions`` and ``phases``; where requests have categories, ``category_shares``, and ``category_phases``
            of each block: shape (categories, waves).
    """

    def __init__(self, layout: Layout, numbers: dict[str, NDArray[Any]]) -> None:
        np = require("numpy", extra="embedding")
        self._np = np
        self.layout = layout
        self.numbers = numbers
        self._columns = np.array([_PLAIN_NAMES.index(name) for name in layout.plain], np.int64)
        self._category = {name: index for index, name in enumerate(layout.categories)}
        self._shares = numbers["category_shares"] if layout.categories else None
        self._idf = numbers["idf"].astype(np.float64)
        self._signed = np.where(np.arange(BUCKETS) & layout.folded, -self._idf, self._idf)
        self._frequency = 1.0 + np.log(np.maximum(np.arange(MOST_BYTES + 1), 1))
        self._places = self._columns_of_buckets()
        # As float64 once: a product of two kinds of floats copies the larger table each time.
        self._directions = {
            block: (numbers[f"{block}_directions"].astype(np.float64), numbers[f"{block}_phases"].astype(np.float64))
            for block in WAVES
            if f"{block}_directions" in numbers
        }
        self._shifts = {
            block: (np.cos(shifts), np.sin(shifts))
            for block in (self._directions if layout.categories else ())
            for shifts in [numbers[f"{block}_category_phases"].astype(np.float64)]
        }
        self.blocks = self._blocks()

    def _blocks(self) -> dict[str, slice]:
        widths = {
            "plain": len(self.layout.plain),
            "category": len(self.layout.categories),
            "ngrams": 2 * self.layout.folded or max(int(self._np.count_nonzero(self._idf)), 1),
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
        hot = self._hot(raw)
        dense = {"plain": plain, "plain_waves": self._waves("plain", plain, hot)}
        if self.layout.categories:
            dense["category"] = hot
        if self.layout.mode == "embedding":
            dense["embedding"] = raw.vectors
            dense["embedding_waves"] = self._waves("embedding", raw.vectors, hot)
        return dense

    def wide(self, raw: Raw) -> Any:
        """The table for the ridge: shape (requests, `width`), float32."""
        np = self._np
        out = np.zeros((len(raw.categories), self.width), np.float32)
        for name, values in self.dense(raw).items():
            out[:, self.blocks[name]] = values
        grams, block = raw.grams, self.blocks["ngrams"]
        width = block.stop - block.start
        # A part at a time: what is computed for each n-gram of 20,000 texts would take more memory than the table.
        for start in range(0, len(out), _AT_ONCE):
            rows = out[start : start + _AT_ONCE]
            begin, end = np.searchsorted(grams.texts, (start, start + len(rows)))
            part = grams._replace(
                buckets=grams.buckets[begin:end], texts=grams.texts[begin:end] - start, times=grams.times[begin:end]
            )
            cells = part.texts * width + self._places[part.buckets]
            values = self._signed[part.buckets] * self.gram_scales(part, len(rows))
            rows[:, block] = np.bincount(cells, weights=values, minlength=len(rows) * width).reshape(len(rows), width)
        return out

    def gram_scales(self, grams: Grams, count: int) -> Any:
        """What the IDF of each n-gram of some texts is multiplied by: shape (n-grams,).

        It is 1 + the logarithm of how often the text has it, scaled so that the words and the runs of a text each have
        length one, or less where they are hardly known.
        """
        np = self._np
        often = self._frequency[grams.times]
        squared = (often * self._idf[grams.buckets]) ** 2
        halves = (grams.buckets >= FIRST_RUN).astype(np.int64) if count == 1 else self._halves(grams)
        lengths = np.sqrt(np.maximum(np.bincount(halves, weights=squared, minlength=2 * count), 1.0))
        return often / lengths[halves]

    @staticmethod
    def _halves(grams: Grams) -> Any:
        return grams.texts * 2 + (grams.buckets >= FIRST_RUN)

    def bucket_weights(self, weights: Any) -> Any:
        """For each bucket what it adds, given the weights of the n-grams' columns: shape (buckets, targets)."""
        return weights[self._places] * self._signed[:, None]

    def _columns_of_buckets(self) -> Any:
        """For each bucket its column; for one that is not known any, since it adds nothing."""
        np = self._np
        if width := self.layout.folded:
            buckets = np.arange(BUCKETS)
            return (buckets & (width - 1)) + width * (buckets >= FIRST_RUN)
        return np.maximum(np.cumsum(self._idf > 0.0) - 1, 0)

    def _hot(self, raw: Raw) -> Any:
        """A column a category; a request without one that is known is as much of each as requests are on the whole."""
        hot = self._np.zeros((len(raw.categories), len(self._category)))
        for row, name in enumerate(raw.categories):
            if (column := self._category.get(name)) is not None:
                hot[row, column] = 1.0
            elif self._shares is not None:
                hot[row] = self._shares
        return hot

    def _waves(self, block: str, values: Any, hot: Any) -> Any:
        np = self._np
        directions, phases = self._directions[block]
        angles = values @ directions + phases
        if not self.layout.categories:
            return np.cos(angles) * np.sqrt(2.0 / len(phases))
        # The mean, over a request's categories, of the cosine of the angle and the category's own phase.
        cosines, sines = self._shifts[block]
        return (np.cos(angles) * (hot @ cosines) - np.sin(angles) * (hot @ sines)) * np.sqrt(2.0 / len(phases))


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
    idf = rounded(_idf(np, raw.grams, count)).astype(np.float32)
    few = (prompts or count) <= FEW
    exact = few and count * np.count_nonzero(idf) <= MOST_CELLS
    layout = Layout(
        mode="ngrams" if raw.vectors is None else "embedding",
        categories=tuple(sorted(frequent)),
        plain=tuple(_PLAIN_NAMES[index] for index in used),
        folded=0 if exact else FOLDED["few" if few else "many"],
    )
    width = max(len(used), 1)
    numbers: dict[str, Any] = {
        "mean": rounded(raw.plain[:, used].mean(axis=0)),
        "scale": rounded(scale[used] * np.sqrt(width)),
        "idf": idf,
    }
    if layout.categories:
        counts = dict(zip(names.tolist(), sizes.tolist(), strict=True))
        kept = np.array([counts[name] for name in layout.categories], np.float64)
        numbers["category_shares"] = rounded(kept / kept.sum())
    random = np.random.default_rng(seed)
    standard = (raw.plain[:, used] - numbers["mean"]) / numbers["scale"]
    for block, values in (("plain", standard), ("embedding", raw.vectors)):
        if values is None:
            continue
        distance = _median_distance(np, values, random)
        directions = random.standard_normal((values.shape[1], WAVES[block])) * np.sqrt(2.0 / distance)
        numbers[f"{block}_directions"] = directions.astype(np.float16)
        numbers[f"{block}_phases"] = rounded(random.uniform(0.0, 2.0 * np.pi, WAVES[block])).astype(np.float32)
        if layout.categories:
            shifts = random.uniform(0.0, 2.0 * np.pi, (len(layout.categories), WAVES[block]))
            numbers[f"{block}_category_phases"] = rounded(shifts).astype(np.float32)
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
