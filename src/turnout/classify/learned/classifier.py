"""A classifier that learned from graded answers: its verdicts are of outcomes, one P(suffices) a candidate.

The artefact is what `turnout train` writes. Its candidates are models of the catalog by the names that it was trained
with: an eligible candidate that it does not know gets no P, and then does not clear the bar unless it is the most
capable one.

Without an artefact it is the packaged default, which learned from labels of the packaged queries. It knows nothing of
any model, so its verdicts are of labels, and cautious: see `turnout.classify.learned.packaged`.

Known limitations: the probabilities hold for requests like those of training, and for the same models.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turnout.classify.calibrate import (
    DEFAULT_SIMPLE_SHARE,
    NO_QUERY,
    failed_verdict,
    label_verdict,
    logistic,
    with_share,
)
from turnout.classify.learned.artefact import Manifest, load, read_manifest
from turnout.classify.learned.model import LearnedModel, Predicted
from turnout.classify.learned.packaged import packaged_artefact
from turnout.classify.learned.rows import row_of
from turnout.core.verdict import Verdict
from turnout.messages.conversation import Conversation

_LEAST_P = 1e-9
_LABELS_SHARE = 0.5


class LearnedClassifier:
    """Says for each candidate how likely it is that the most capable one would do no better.

    The manifest is read at once, so that a wrong folder is known at start-up; the numbers at the first verdict.

    Args:
        artefact: The folder that ``turnout train`` wrote; none: the packaged default.
        simple_share: The share of simple queries that is expected, as in the policy; only for what learned from labels.
        name: The name in verdicts.
        names: What verdicts call candidates that the artefact calls otherwise: their ids in the catalog.

    Raises:
        ArtefactError: The folder holds no artefact, or one of another format.
        ValueError: ``simple_share`` is not between 0 and 1.
    """

    def __init__(
        self,
        artefact: str | os.PathLike[str] | None = None,
        *,
        simple_share: float = DEFAULT_SIMPLE_SHARE,
        name: str = "learned",
        names: Mapping[str, str] | None = None,
    ) -> None:
        if not 0.0 < simple_share < 1.0:
            raise ValueError(f"simple_share must be above 0 and below 1, got {simple_share}")
        self._folder = packaged_artefact() if artefact is None else Path(artefact)
        self._simple_share = simple_share
        self._name = name
        self._names = dict(names or {})
        self.manifest: Manifest = read_manifest(self._folder)
        self._model: LearnedModel | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The name in verdicts, events and tables."""
        return self._name

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        """Give a verdict on the conversation's query.

        The keyword ``category`` says which category the request has, for a model that was trained with categories.
        The label is ``simple`` where the least capable candidate is more likely to suffice than not.

        Raises:
            ArtefactError: The artefact is damaged.
            MissingExtraError: The extra ``embedding`` is not installed.
            WeightsError: The artefact needs MiniLM, whose weights are not installed.
        """
        started = time.perf_counter()
        row = row_of(conversation, str(kwargs.get("category") or ""))
        if not row.text:
            return failed_verdict(self.name, "error", NO_QUERY)
        model = self._model
        if model is None:
            model = await asyncio.to_thread(self.load)
        of_labels = self.manifest.basis == "label"
        if self.manifest.layout.mode == "ngrams":
            # A tenth of a millisecond: a thread would take longer.
            predicted = model.predict([row], likeness=of_labels)
        else:
            predicted = await asyncio.to_thread(model.predict, [row], likeness=of_labels)
        if of_labels:
            p_simple = self._p_simple(predicted)
            return label_verdict(self.name, p_simple, latency_ms=(time.perf_counter() - started) * 1000)
        said: list[float] = predicted.suffices[0].tolist()
        suffices = {self._names.get(name, name): p for name, p in zip(model.candidates, said, strict=True)}
        return Verdict(
            classifier=self.name,
            label="simple" if said[0] >= 0.5 else "complex",
            basis="outcome",
            p_suffices=suffices,
            latency_ms=(time.perf_counter() - started) * 1000,
        )

    def _p_simple(self, predicted: Predicted) -> float:
        """A cautious P(label is simple): 0 where the request is unlike those of training."""
        if predicted.likeness[0] < self.manifest.likeness.cut:
            return 0.0
        p = min(max(float(predicted.suffices[0, 0]), _LEAST_P), 1.0 - _LEAST_P)
        p = logistic(math.log(p / (1.0 - p)) - self.manifest.caution)
        # A share of simple queries above that of training would make it bolder again.
        return with_share(p, set_share=_LABELS_SHARE, simple_share=min(self._simple_share, _LABELS_SHARE))

    def load(self) -> LearnedModel:
        """Load the model; later calls return the same.

        Raises:
            ArtefactError: The artefact is damaged.
            MissingExtraError: The extra ``embedding`` is not installed.
        """
        with self._lock:
            if self._model is None:
                self._model, _ = load(self._folder)
            return self._model
