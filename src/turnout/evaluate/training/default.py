"""The packaged default, made from the packaged queries: one command, the same bytes.

Queries of the splits ``examples`` and ``calibration`` become a table of outcomes: a simple one is answered well by both
candidates, a complex one by the capable candidate alone. The rest is `turnout.evaluate.training.training.train`, with a
linear head. Pairs of look-alikes stay together in folds. The split ``held_out`` has no part in it.

MiniLM's vectors of the queries are packaged too, as whole numbers of 1/8192: MiniLM's own sums differ a little between
kinds of processors, and the artefact must not. `vectors_of` makes them.
"""

from __future__ import annotations

import importlib.resources
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from turnout.classify.examples import LabelledQuery, load_queries
from turnout.classify.learned.features import Embed, rounded
from turnout.config.extras import require
from turnout.evaluate.outcomes.files import source_of
from turnout.evaluate.training.selection import FAST
from turnout.evaluate.training.training import Labels, Trained, train

VECTORS = "support_vectors.safetensors"
"""The packaged vectors, in ``turnout/classify/data``: a row for each query that is learned from, in their order."""

COMMAND = "python -m scripts.train_default"

MOST_WRONG = 0.1
"""Of queries that it calls simple at most so large a share may be complex, where half of all queries are."""

CANDIDATES = ("cheap", "capable")

_GRID = 8_192


def learned_from() -> tuple[LabelledQuery, ...]:
    """The packaged queries that the default learns from."""
    return tuple(query for query in load_queries() if query.split != "held_out")


def train_default(folder: Path) -> Trained:
    """Make the packaged default.

    Args:
        folder: Where it goes.

    Raises:
        MissingExtraError: The extra ``embedding`` is not installed.
    """
    queries = learned_from()
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "support_queries.jsonl"
        table.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in _rows(queries)))
        return train(
            source_of([table]),
            CANDIDATES,
            folder,
            features="embedding",
            heads=FAST,
            embed=packaged_vectors(queries),
            labels=Labels(command=COMMAND, caution=cautious),
        )


def vectors_of(texts: Sequence[str], embed: Embed) -> Any:
    """Vectors as they are packaged: int16, of 1/8192 each."""
    np = require("numpy", extra="embedding")
    return np.round(np.asarray(embed(texts)) * _GRID).astype(np.int16)


def packaged_vectors(queries: Sequence[LabelledQuery]) -> Embed:
    """What gives the packaged vectors of these queries."""
    np = require("numpy", extra="embedding")
    data = (importlib.resources.files("turnout.classify") / "data" / VECTORS).read_bytes()
    vectors = require("safetensors.numpy", extra="embedding").load(data)["vectors"].astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    places = {query.text: place for place, query in enumerate(queries)}
    return lambda texts: vectors[[places[text] for text in texts]]


def cautious(p_simple: Any, simple: Any) -> float:
    """By how much log-odds are lowered: the least amount at which few of those called simple are not.

    Args:
        p_simple: P(label is simple) of queries that were not seen: shape (queries,).
        simple: Whether they are.
    """
    np = require("numpy", extra="embedding")
    odds = np.log(p_simple) - np.log1p(-p_simple)
    order = np.argsort(-odds, kind="stable")
    called = np.arange(1, len(order) + 1)
    # One more than was seen, since the next one may be wrong too.
    wrong = (np.cumsum(~simple[order]) + 1) / (called + 1)
    good = np.flatnonzero((wrong <= MOST_WRONG) & simple[order])
    lowest = odds[order[good[-1]]] if len(good) else odds.max() + 1.0
    return float(rounded(max(lowest, 0.0)))


def _rows(queries: Sequence[LabelledQuery]) -> list[dict[str, Any]]:
    return [
        {"prompt": query.text, "group": str(query.pair), "model": model, "score": score}
        for query in queries
        for model, score in zip(CANDIDATES, (float(query.label == "simple"), 1.0), strict=True)
    ]
