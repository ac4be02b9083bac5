"""The length rule: more than eight words is complex. A baseline for tables, not a classifier to route by.

It is what a set of queries has to beat to show anything: on natural queries length and difficulty go together, and on
pairs of look-alikes they do not. Its ``p_simple`` only ranks by length and is not calibrated; it keeps so far from 0.5
that no share of simple queries between 0.04 and 0.96, for which it may be corrected later, turns a label.
"""

from __future__ import annotations

import math
import time
from typing import Any

from turnout.classify.calibrate import NO_QUERY, failed_verdict, label_verdict, logistic
from turnout.core.verdict import Verdict
from turnout.messages.conversation import Conversation

MOST_SIMPLE_WORDS = 8
"""A query of more words is complex."""

_DISTANCE = 3.0


class LengthClassifier:
    """Labels a query by its number of words."""

    def __init__(self, *, name: str = "length") -> None:
        self._name = name

    @property
    def name(self) -> str:
        """The name in verdicts, events and tables."""
        return self._name

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        """Give a verdict on the conversation's query."""
        started = time.perf_counter()
        words = len(conversation.query.split())
        if not words:
            return failed_verdict(self.name, "error", NO_QUERY)
        margin = MOST_SIMPLE_WORDS + 0.5 - words
        p_simple = logistic(margin + math.copysign(_DISTANCE, margin))
        return label_verdict(self.name, p_simple, latency_ms=(time.perf_counter() - started) * 1000)
