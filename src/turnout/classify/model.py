"""The model that an LLM classifier is given: one protocol, whoever serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from turnout.core.usage import NO_USAGE, Usage
from turnout.core.verdict import UsageSource
from turnout.messages.conversation import Message


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """What a model answered.

    Attributes:
        text: The answer's text blocks; never thinking.
        usage: What the call is billed for.
        usage_source: Where that is known from.
        logprobs: Of the words that were asked for, and at the place where the answer stands, the natural logarithm of
            each one's probability; empty where the model reports none.
    """

    text: str
    usage: Usage = NO_USAGE
    usage_source: UsageSource = "none"
    logprobs: Mapping[str, float] = {}


class CompletionError(Exception):
    """A call that failed after the model had begun to answer, so that it is billed.

    ``error`` is the error's name, and the message never holds prompt text or keys.
    """

    def __init__(self, error: str, usage: Usage, usage_source: UsageSource) -> None:
        super().__init__(error)
        self.error = error
        self.usage = usage
        self.usage_source: UsageSource = usage_source


@runtime_checkable
class ClassifierModel(Protocol):
    """Completes a prompt: `StrandsClassifierModel`, `LocalClassifierModel`, `OpenAIClassifierModel`, or your own."""

    @property
    def model_id(self) -> str:
        """The model's id in the catalog, by which its calls are priced."""

    async def complete(
        self,
        system: str,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float | None,
        words: Sequence[str] = (),
    ) -> Completion:
        """Complete a prompt.

        Args:
            system: The system text.
            messages: Converse messages.
            max_tokens: The most tokens of output, thinking included.
            temperature: Not sent where it is none.
            words: The answers that the caller tells apart; a model that reports log-probabilities reports theirs.

        Raises:
            CompletionError: It failed after the model had begun to answer.
            Exception: It failed before.
        """
