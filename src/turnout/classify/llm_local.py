"""SmolLM2 in this process as an LLM classifier's model: it scores the words of the answer instead of writing it.

Known limitations: a model of 135 million parameters; on the held-out queries it ranks a little better than chance (AUC
0.61, 95 % interval 0.49 to 0.71). It stands beside the other classifiers as a model that anyone can run, not as one to
route by.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from turnout.classify.model import Completion
from turnout.messages.conversation import Conversation, Message
from turnout.upstream.local.smollm import SMOLLM2_ID, ChatMessage, SmolLM, shared_smollm

_LEAD = "Answer:"  # after it " simple" and " complex" are one token each


class LocalClassifierModel:
    """The packaged SmolLM2, or another loaded one.

    Args:
        smollm: The loaded model; none: the process's own, loaded at the first call.
        model_id: Its id in the catalog.
    """

    def __init__(self, smollm: SmolLM | None = None, *, model_id: str = SMOLLM2_ID) -> None:
        self._smollm = smollm
        self._model_id = model_id

    @property
    def model_id(self) -> str:
        """The model's id in the catalog."""
        return self._model_id

    async def complete(
        self,
        system: str,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float | None,
        words: Sequence[str] = (),
    ) -> Completion:
        """Score the words; ``text`` is the likeliest. Decoding plays no part, so neither does ``temperature``.

        Raises:
            MissingExtraError: The extra ``local`` is not installed.
            WeightsError: The weights are not installed, or are not the expected ones.
            LocalModelError: The prompt does not fit, or a word is not one token of the model.
            ValueError: There are fewer than two words.
        """
        smollm = self._smollm
        if smollm is None:
            smollm = self._smollm = await asyncio.to_thread(shared_smollm)
        chat = [ChatMessage("system", system)]
        chat += [ChatMessage(role, text) for role, text in Conversation(messages=messages).turns()]
        scored = await smollm.score_async(chat, [" " + word for word in words], lead=_LEAD)
        logprobs = {word: scored.logprobs[" " + word] for word in words}
        return Completion(
            text=max(logprobs, key=lambda word: logprobs[word]),
            usage=scored.usage,
            usage_source="reported",
            logprobs=logprobs,
        )
