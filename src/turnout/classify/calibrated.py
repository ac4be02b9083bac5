"""A classifier under a calibration: its verdicts also say how unlike a request is those of the calibration.

`turnout.core.decide` sends a request beyond the cut to the most capable candidate, with the reason
``unlike_calibration``. What cannot be measured leaves the verdict without it; that the extra or the weights are there
is found out when the classifier is made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import msgspec

from turnout.classify.likeness import Likeness
from turnout.classify.protocol import Classifier, PricedClassifier
from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.messages.conversation import Conversation


class CalibratedClassifier:
    """A classifier whose verdicts say how unlike a request is.

    Args:
        classifier: The classifier.
        likeness: The references of its calibration.
    """

    def __init__(self, classifier: Classifier, likeness: Likeness) -> None:
        self.classifier = classifier
        self._likeness = likeness

    @property
    def name(self) -> str:
        """The classifier's name."""
        return self.classifier.name

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        """The classifier's verdict, and the request's unlikeness."""
        verdict = await self.classifier.classify(conversation, **kwargs)
        if verdict.failure is not None:
            return verdict
        if self._likeness.embeds:
            unlikeness = await asyncio.to_thread(self._likeness.unlikeness, conversation)
        else:
            unlikeness = self._likeness.unlikeness(conversation)
        return msgspec.structs.replace(verdict, unlikeness=unlikeness)

    def most_usage(self, conversation: Conversation) -> Iterable[tuple[str, Usage]]:
        """The most that a verdict takes: the classifier's."""
        return self.classifier.most_usage(conversation) if isinstance(self.classifier, PricedClassifier) else ()
