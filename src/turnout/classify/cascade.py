"""Several classifiers one after the other: cheap ones first, a dear one only where those are in doubt.

A stage's zone of doubt is an interval of P(label is simple), under the same share of simple queries for all stages.
Outside it the stage's verdict stands; inside it, and where the stage fails, the next one is asked. Where every later
stage fails, the last verdict that was given stands, in doubt as it is; only where all fail is the verdict a failure.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from turnout.classify.calibrate import failed_verdict
from turnout.classify.protocol import Classifier, PricedClassifier
from turnout.core.usage import Usage
from turnout.core.verdict import ClassifierCall, Verdict
from turnout.messages.conversation import Conversation
from turnout.upstream.errors import error_name

logger = logging.getLogger(__name__)


class Stage(msgspec.Struct, frozen=True):
    """A classifier and its zone of doubt: a verdict with ``low < p_simple < high`` is not taken as the last word.

    Raises:
        ValueError: Not 0 <= low <= high <= 1.
    """

    classifier: Classifier
    low: float = 0.2
    high: float = 0.8

    def __post_init__(self) -> None:
        if not 0.0 <= self.low <= self.high <= 1.0:
            raise ValueError(f"a zone of doubt needs 0 <= low <= high <= 1, got {self.low} to {self.high}")

    def doubts(self, verdict: Verdict) -> bool:
        """Whether the verdict lies in the zone; one without ``p_simple`` does not."""
        return verdict.p_simple is not None and self.low < verdict.p_simple < self.high


class Cascade:
    """Asks classifiers in turn; the verdict names the one that decided and carries the calls of all that were asked.

    Args:
        stages: In the order in which they are asked. The last one's zone plays no part.
        name: The name in verdicts, before a slash and the deciding classifier's.

    Raises:
        ValueError: There is no stage.
    """

    def __init__(self, stages: Sequence[Stage], *, name: str = "cascade") -> None:
        if not stages:
            raise ValueError("a cascade needs at least one stage")
        self._stages = tuple(stages)
        self._name = name

    @property
    def name(self) -> str:
        """The name in verdicts, events and tables."""
        return self._name

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        """Give a verdict on the conversation's query."""
        started = time.perf_counter()
        calls: list[ClassifierCall] = []
        given: Verdict | None = None
        failed: list[Verdict] = []
        for stage in self._stages:
            verdict = await self._ask(stage.classifier, conversation, **kwargs)
            calls.extend(verdict.calls)
            if verdict.failure is not None:
                failed.append(verdict)
                continue
            given = verdict
            if not stage.doubts(verdict):
                break
        latency_ms = (time.perf_counter() - started) * 1000
        if given is None:
            detail = "; ".join(f"{v.classifier}: {v.failure.kind}, {v.failure.detail}" for v in failed if v.failure)
            kind = failed[-1].failure.kind if failed[-1].failure else "error"
            return failed_verdict(self.name, kind, detail, calls=tuple(calls), latency_ms=latency_ms)
        return msgspec.structs.replace(
            given, classifier=f"{self.name}/{given.classifier}", calls=tuple(calls), latency_ms=latency_ms
        )

    def most_usage(self, conversation: Conversation) -> list[tuple[str, Usage]]:
        """The most that a verdict takes: that of every stage."""
        stages = [stage.classifier for stage in self._stages]
        return [
            one for stage in stages if isinstance(stage, PricedClassifier) for one in stage.most_usage(conversation)
        ]

    async def _ask(self, classifier: Classifier, conversation: Conversation, **kwargs: Any) -> Verdict:
        try:
            verdict = await classifier.classify(conversation, **kwargs)
        except Exception as error:
            verdict = failed_verdict(classifier.name, "error", error_name(error))
        if verdict.failure is not None:
            logger.warning(
                "cascade=<%s>, classifier=<%s>, kind=<%s>, detail=<%s> | a stage failed, asking the next one",
                self.name,
                classifier.name,
                verdict.failure.kind,
                verdict.failure.detail,
            )
        return verdict
