"""What the scoreboard takes as a router: a function from prompts to a score each, or what can be trained to one.

A scorer is ``scores(batch) -> floats``: the higher, the more a prompt needs the capable model. It sees prompt,
conversation, tools and category of a batch and must not look at grades. It may say what its scores are, so that their
calibration can be judged, by an attribute ``meaning``:

- ``"gains"``: the expected gain, by how much the capable model's grade is above the cheap one's (0 where it is not);
  one less it is what Turnout calls P(suffices);
- ``"better"``: the probability that the capable model's grade is above the cheap one's, by however little;
- ``"fails"``: the expected shortfall of the cheap model's answer, by how much its grade is below 1.

Of answers that are right or wrong the first two are the same.

It may also have ``usd_scores(batch)``: other scores, by which prompts are ranked for figures in USD.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, runtime_checkable

from turnout.config.extras import require
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.outcomes.pair import EXTRA, Pair
from turnout.evaluate.outcomes.prompts import Prompts
from turnout.evaluate.outcomes.table import Batch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Meaning = Literal["gains", "better", "fails"]
"""What a score says, 0 to 1."""

Scorer = Callable[[Batch], Any]
"""From a batch to a score for each of its rows, higher for more need of the capable model."""

Progress = Callable[[int], None]
"""Is told how many prompts were worked on since the last time."""


class Examples(NamedTuple):
    """Prompts with both answers' grades, to train on; iterated a batch at a time, as often as wanted.

    Attributes:
        texts: Where the texts come from.
        rows: Which prompts of the pair these are, ascending.
    """

    texts: Texts
    rows: Any

    @property
    def pair(self) -> Pair:
        """The grades, costs, groups and weights of these prompts, ordered by key."""
        return self.texts.pair.take(self.rows)

    def __len__(self) -> int:
        """How many prompts."""
        return len(self.rows)

    def batches(self) -> Iterator[tuple[Batch, Any]]:
        """Batches of these prompts, each with its prompts' places in `pair`."""
        np = require("numpy", extra=EXTRA)
        for batch, places in self.texts.batches(self.rows):
            yield batch, np.searchsorted(self.rows, places)


@runtime_checkable
class Router(Protocol):
    """A router that knows all that it knows: it has ``scores``."""

    @property
    def name(self) -> str:
        """The name in tables."""

    def scores(self, batch: Batch) -> Any:
        """A score for each row of the batch."""


@runtime_checkable
class TrainedRouter(Protocol):
    """A router that learns from outcomes: it has ``fit``."""

    @property
    def name(self) -> str:
        """The name in tables."""

    def fit(self, examples: Examples) -> Scorer:
        """Learn from these prompts, and from nothing else."""


class Texts:
    """The texts of a pair's prompts, each once, as batches.

    Args:
        source: The table that the pair was made of.
        pair: The pair.

    Attributes:
        source: The same table, with the answers of all models.
        pair: The pair.
    """

    def __init__(self, source: Source, pair: Pair) -> None:
        self.source = source
        self.pair = pair
        self._prompts = Prompts(source, pair.keys, pair.cheap)

    def batches(self, rows: Any | None = None) -> Iterator[tuple[Batch, NDArray[np.int64]]]:
        """Batches of prompts, each with its prompts' places in the pair.

        Args:
            rows: Only these prompts; default: all.
        """
        return self._prompts.batches(rows)


def scored(
    scorer: Scorer, texts: Texts, rows: Any | None = None, *, progress: Progress = lambda prompts: None
) -> NDArray[np.float64]:
    """The scores of a pair's prompts, in the pair's order; NaN for prompts that are not among ``rows``.

    Args:
        scorer: The function.
        texts: The prompts.
        rows: Only these; default: all.
        progress: Is told of each batch.

    Raises:
        ValueError: The scorer does not give one finite number for each row.
    """
    numpy = require("numpy", extra=EXTRA)
    out: NDArray[np.float64] = numpy.full(len(texts.pair), numpy.nan)
    for batch, places in texts.batches(rows):
        out[places] = checked_scores(numpy, scorer(batch), len(batch))
        progress(len(batch))
    return out


def checked_scores(np: Any, given: Any, count: int) -> Any:
    """What a scorer gave, as floats.

    Raises:
        ValueError: It is not one finite number for each row.
    """
    values = np.asarray(given, np.float64)
    if values.shape != (count,):
        raise ValueError(f"a router must give one score for each of {count} rows, got an array of shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"a router's scores must be finite, got {values[~np.isfinite(values)][0]}")
    return values


def meaning_of(scorer: object) -> Meaning | None:
    """What the scores say, if the scorer says so.

    Raises:
        ValueError: It says something that is not known.
    """
    meaning = getattr(scorer, "meaning", None)
    if meaning not in (None, "gains", "better", "fails"):
        raise ValueError(f"a scorer's meaning must be 'gains', 'better' or 'fails', got {meaning!r}")
    return meaning
