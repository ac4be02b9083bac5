"""Turnout's own classifiers on the scoreboard: what their verdicts say of a prompt is its score.

A verdict on outcomes says P(the cheap model suffices), that the most capable one would do no better: the score is one
less that, the expected gain, and its calibration can be judged.
A verdict on labels says P(the label is simple) only: the score is one less that, and ranks. A failure counts as a
prompt that needs the capable model, as in routing, and is counted.
"""

from __future__ import annotations

import asyncio
from typing import Any

from turnout.classify.protocol import Classifier
from turnout.config.extras import require
from turnout.core.verdict import Verdict
from turnout.evaluate.outcomes.content import conversations
from turnout.evaluate.outcomes.pair import EXTRA
from turnout.evaluate.outcomes.table import Batch
from turnout.evaluate.scoreboard.router import Meaning


class ClassifierRouter:
    """A classifier as a router.

    Args:
        classifier: The classifier.
        name: The name in tables; default: the classifier's.
        cheap: The cheap model's name in the classifier's verdicts on outcomes.

    Attributes:
        failures: How many verdicts were failures.
        meaning: What scores say, once a verdict on outcomes was seen.
    """

    def __init__(self, classifier: Classifier, *, name: str = "", cheap: str = "") -> None:
        self.name = name or classifier.name
        self._classifier = classifier
        self._cheap = cheap
        self.failures = 0
        self.meaning: Meaning | None = None

    def scores(self, batch: Batch) -> Any:
        """One less what each verdict says for the cheap model."""
        verdicts = asyncio.run(self._asked(batch))
        return require("numpy", extra=EXTRA).array([self._need(verdict) for verdict in verdicts])

    async def _asked(self, batch: Batch) -> list[Verdict]:
        return [await self._classifier.classify(one) for one in conversations(batch)]

    def _need(self, verdict: Verdict) -> float:
        if verdict.failure is not None:
            self.failures += 1
            return 1.0
        if verdict.basis == "outcome":
            p = verdict.p_suffices
            if self._cheap not in p:
                raise ValueError(
                    f"a verdict of {self._classifier.name!r} has no p for {self._cheap!r}, only for {', '.join(p)}"
                )
            self.meaning = "gains"
            return 1.0 - p[self._cheap]
        assert verdict.p_simple is not None
        return 1.0 - verdict.p_simple
