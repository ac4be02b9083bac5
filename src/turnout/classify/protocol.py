"""The protocol that every classifier follows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

from turnout.core.usage import Usage
from turnout.core.verdict import Verdict
from turnout.messages.conversation import Conversation


@runtime_checkable
class Classifier(Protocol):
    """Reads a conversation and says how hard its query is.

    A classifier returns a `Verdict` with a failure where it fails in a way that it knows. What it raises, and what
    takes longer than the router's time-out, the router turns into one. ``kwargs`` lets the protocol grow.

    One keyword is there today: ``on_call``, a function that takes a `turnout.core.verdict.ClassifierCall`. A classifier
    that calls models gives it each call as that ends, also one that is cancelled (error ``CancelledError``): where the
    classifier is given up, there is no verdict to carry its calls, and they are charged all the same.

    A classifier that calls models should also have ``most_usage``, as of `PricedClassifier`: where spending is bound,
    it is asked only where that much may still be spent. One without it is taken to cost nothing beforehand.
    """

    @property
    def name(self) -> str:
        """The name in verdicts, events and tables."""

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        """Give a verdict on the conversation's query."""


@runtime_checkable
class PricedClassifier(Protocol):
    """A classifier that can say beforehand how much a verdict may take."""

    def most_usage(self, conversation: Conversation) -> Iterable[tuple[str, Usage]]:
        """For each call that a verdict may take, the model's catalog id and the most tokens of it."""
