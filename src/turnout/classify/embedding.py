"""A classifier by example: MiniLM's vector of the query, and a logistic regression over labelled examples.

The vector is that of the fifth of the six layers. The last one says what a text is about, and two queries on one topic
can be one simple, one complex. Chosen by 8-fold cross-validation over the pairs of the examples split, before anything
was measured on the held-out one: AUC 0.87 with five layers, 0.82 with all six, and little difference between penalties
of 0.1 to 3.

The examples are the user's data. Out of the box they are the packaged customer-support queries, which fit no other
trade: give your own (40 of each label are a beginning). What was learned from a set of examples is kept in the cache
folder, keyed by everything that it depends on.

Known limitations: it looks at the query alone, not at the turns before it; English; a query unlike all examples still
gets a probability, which then means little.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import os
import threading
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from turnout.classify.calibrate import (
    DEFAULT_SIMPLE_SHARE,
    NO_QUERY,
    Calibration,
    failed_verdict,
    fit_calibration,
    label_verdict,
)
from turnout.classify.examples import LabelledExample, check_both_labels, load_examples, load_queries, of_split
from turnout.classify.logistic import Head, fit_head
from turnout.classify.minilm import DIMENSIONS, MiniLM, shared_minilm
from turnout.classify.query import readable
from turnout.core.verdict import Verdict
from turnout.messages.conversation import Conversation
from turnout.upstream.local import cache
from turnout.upstream.local.weights import MINILM_TOKENIZER, MINILM_WEIGHTS

logger = logging.getLogger(__name__)

DEFAULT_L2 = 0.3
"""The penalty of the regression where the user states none."""

_LAYERS = 5
_CODE_VERSION = 1  # part of the cache's key: raise it whenever vectors or fitting change
_FOLDS = 5
_MOST_CHARS = 8_000  # beyond what 256 tokens hold; keeps the tokenizer's time bounded


class Learned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is learned from a set of examples: the head, and how its score becomes P(label is simple)."""

    key: str
    head: Head
    calibration: Calibration


class EmbeddingClassifier:
    """Labels a query by its likeness to labelled examples.

    Loading and fitting happen at the first verdict, in a thread, once.

    Args:
        examples: What to learn from: a JSONL file (`load_examples`) or a list; none: the packaged queries.
        calibration: Other labelled queries to calibrate on, likewise. None: for the packaged queries their calibration
            split; for the user's, the examples themselves, each scored by a head fitted on the other folds of five.
        l2: The penalty of the regression.
        simple_share: The share of simple queries that is expected, as in the policy.
        name: The name in verdicts.

    Raises:
        LabelledSetError: A file is no labelled set, or a label is missing.
        ValueError: A value is out of its range, or there are too few examples to calibrate on.
    """

    def __init__(
        self,
        examples: str | os.PathLike[str] | Sequence[LabelledExample] | None = None,
        *,
        calibration: str | os.PathLike[str] | Sequence[LabelledExample] | None = None,
        l2: float = DEFAULT_L2,
        simple_share: float = DEFAULT_SIMPLE_SHARE,
        name: str = "embedding",
    ) -> None:
        if not 0.0 < simple_share < 1.0:
            raise ValueError(f"simple_share must be above 0 and below 1, got {simple_share}")
        if not l2 > 0.0:
            raise ValueError(f"l2 must be above 0, got {l2}")
        if examples is None:
            queries = load_queries()
            self._examples = tuple(query.example for query in of_split(queries, "examples"))
            self._calibration = tuple(query.example for query in of_split(queries, "calibration"))
        else:
            self._examples = _labelled(examples, "examples")
            self._calibration = ()
        if calibration is not None:
            self._calibration = _labelled(calibration, "calibration")
        if not self._calibration:
            fewest = min(sum(e.label == label for e in self._examples) for label in ("simple", "complex"))
            if fewest < _FOLDS:
                raise ValueError(f"without a calibration set, {_FOLDS} examples of each label are needed, got {fewest}")
        self._name = name
        self._l2 = l2
        self._simple_share = simple_share
        self._ready: tuple[MiniLM, Learned] | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The name in verdicts, events and tables."""
        return self._name

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        """Give a verdict on the conversation's query.

        Raises:
            MissingExtraError: The extra ``embedding`` is not installed.
            WeightsError: The weights are not installed, or are not the expected ones.
        """
        started = time.perf_counter()
        query = conversation.query
        if not query:
            return failed_verdict(self.name, "error", NO_QUERY)
        # Milliseconds of arithmetic, and seconds at the first call: not for the event loop.
        p_simple = await asyncio.to_thread(self._p_simple, query)
        return label_verdict(self.name, p_simple, latency_ms=(time.perf_counter() - started) * 1000)

    def scores(self, texts: Sequence[str]) -> list[float]:
        """The head's log-odds of ``simple`` for each text, before calibration.

        Raises:
            MissingExtraError: The extra ``embedding`` is not installed.
            WeightsError: The weights are not installed, or are not the expected ones.
        """
        minilm, learned = self.load()
        return learned.head.scores(_embed(minilm, texts))

    def load(self) -> tuple[MiniLM, Learned]:
        """Load the model and what was learned, or learn it now; later calls return the same.

        Raises:
            MissingExtraError: The extra ``embedding`` is not installed.
            WeightsError: The weights are not installed, or are not the expected ones.
        """
        with self._lock:
            if self._ready is None:
                minilm = shared_minilm()
                self._ready = minilm, self._remembered() or self._learn(minilm)
            return self._ready

    def _p_simple(self, query: str) -> float:
        minilm, learned = self.load()
        (score,) = learned.head.scores(_embed(minilm, [query]))
        return learned.calibration.p_simple(score, self._simple_share)

    def _learn(self, minilm: MiniLM) -> Learned:
        vectors = _embed(minilm, [example.text for example in self._examples])
        simple = [example.label == "simple" for example in self._examples]
        head = fit_head(vectors, simple, l2=self._l2)
        if self._calibration:
            scores = head.scores(_embed(minilm, [example.text for example in self._calibration]))
            calibration = fit_calibration(scores, [example.label for example in self._calibration])
        else:
            scores = _scores_out_of_fold(vectors, simple, self._l2)
            calibration = fit_calibration(scores, [example.label for example in self._examples])
        learned = Learned(key=self._key, head=head, calibration=calibration)
        cache.write(self._cache_name, msgspec.json.encode(learned))
        return learned

    def _remembered(self) -> Learned | None:
        data = cache.read(self._cache_name)
        if data is None:
            return None
        try:
            learned = msgspec.json.decode(data, type=Learned)
        except msgspec.DecodeError:
            learned = None
        if (
            learned is None
            or learned.key != self._key
            or len(learned.head.weights) != DIMENSIONS
            or not all(map(math.isfinite, (*learned.head.weights, learned.head.intercept)))
        ):
            logger.warning("file=<%s> | the cached head is damaged, learning it again", self._cache_name)
            return None
        return learned

    @property
    def _key(self) -> str:
        """SHA-256 over all that the learned values depend on."""
        parts = (
            _CODE_VERSION,
            _LAYERS,
            MINILM_WEIGHTS.sha256,
            MINILM_TOKENIZER.sha256,
            self._l2,
            self._examples,
            self._calibration,
        )
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()

    @property
    def _cache_name(self) -> str:
        return f"heads/{self._key}.json"


def _labelled(source: str | os.PathLike[str] | Sequence[LabelledExample], what: str) -> tuple[LabelledExample, ...]:
    if isinstance(source, str | os.PathLike):
        return load_examples(source)
    examples = tuple(source)
    check_both_labels(examples, what)
    return examples


def _embed(minilm: MiniLM, texts: Sequence[str]) -> Any:
    return minilm.embed([readable(text, _MOST_CHARS) for text in texts], layers=_LAYERS)


def _scores_out_of_fold(vectors: Any, simple: Sequence[bool], l2: float) -> list[float]:
    """Each example's score by a head that has not seen it; folds keep the share of labels."""
    fold_of = [0] * len(simple)
    for label in (True, False):
        for place, index in enumerate(index for index, value in enumerate(simple) if value == label):
            fold_of[index] = place % _FOLDS
    scores = [0.0] * len(simple)
    for fold in range(_FOLDS):
        inside = [index for index, other in enumerate(fold_of) if other == fold]
        outside = [index for index, other in enumerate(fold_of) if other != fold]
        head = fit_head(vectors[outside], [simple[index] for index in outside], l2=l2)
        for index, score in zip(inside, head.scores(vectors[inside]), strict=True):
            scores[index] = score
    return scores
