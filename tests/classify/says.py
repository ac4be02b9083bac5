"""A model for classifiers that needs no weights and no network."""

from __future__ import annotations

from collections.abc import Sequence

from turnout.classify.model import Completion
from turnout.core.usage import Usage
from turnout.messages.conversation import Message


class Says:
    """A classifier's model that always answers the same."""

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id

    async def complete(
        self,
        system: str,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float | None,
        words: Sequence[str] = (),
    ) -> Completion:
        return Completion(text="complex", usage=Usage(input_tokens=400, output_tokens=1), usage_source="reported")
