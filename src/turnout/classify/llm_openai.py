"""A model behind an OpenAI-compatible chat API as an LLM classifier's model: Ollama, llama.cpp, vLLM, OpenAI.

It asks for the log-probabilities of the answer's first word, so that the verdict is a probability of its own and not
only a word. Needs the extra ``openai``.

Known limitations: of log-probabilities the twenty likeliest first tokens are seen; where neither word is among them,
the answer's text counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from turnout.classify.model import Completion
from turnout.config.extras import require
from turnout.core.usage import Usage
from turnout.messages.conversation import Conversation, Message

_MOST_LOGPROBS = 20  # the most that the API takes


class OpenAIClassifierModel:
    """A model that is reached by URL.

    Args:
        base_url: Where the API is, ``/v1`` included.
        api_key: Its key; servers that ask for none take any text.
        served_model: What the API calls the model.
        model_id: Its id in the catalog, by which its calls are priced.
        ask_logprobs: Whether to ask for log-probabilities; some servers and models reject it.

    Raises:
        MissingExtraError: The extra ``openai`` is not installed.
    """

    def __init__(
        self, *, base_url: str, api_key: str, served_model: str, model_id: str, ask_logprobs: bool = True
    ) -> None:
        openai = require("openai", extra="openai")
        # No retries of its own: the classifier's time-out is short, and what it tries is to be seen.
        self._client: Any = openai.AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0)
        self._served_model = served_model
        self._model_id = model_id
        self._ask_logprobs = ask_logprobs

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
        """Complete a prompt.

        Raises:
            openai.OpenAIError: The API answered with an error, or was not reached.
        """
        chat = [{"role": "system", "content": system}]
        chat += [{"role": role, "content": text} for role, text in Conversation(messages=messages).turns()]
        request: dict[str, Any] = {"model": self._served_model, "messages": chat, "max_tokens": max_tokens}
        if temperature is not None:
            request["temperature"] = temperature
        if self._ask_logprobs and words:
            request |= {"logprobs": True, "top_logprobs": _MOST_LOGPROBS}
        answer = (await self._client.chat.completions.create(**request)).model_dump()
        choice = answer["choices"][0]
        usage = answer.get("usage")
        return Completion(
            text=choice["message"].get("content") or "",
            usage=Usage.from_openai(usage or {}),
            usage_source="reported" if usage else "none",
            logprobs=word_logprobs(choice.get("logprobs"), words),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def word_logprobs(logprobs: Mapping[str, Any] | None, words: Sequence[str]) -> dict[str, float]:
    """Log-probabilities of words at the answer's first token that is not blank, or none where no word shows there.

    A token counts for the one word that begins with it, in any case and with any blanks. A word that is not among the
    tokens is no likelier than the unlikeliest of them.

    Args:
        logprobs: The API's ``logprobs`` of a choice.
        words: The words.
    """
    for place in (logprobs or {}).get("content") or []:
        if not str(place["token"]).strip():
            continue
        top = [(str(entry["token"]).strip().lower(), float(entry["logprob"])) for entry in place["top_logprobs"]]
        found: dict[str, float] = {}
        for token, logprob in top:
            beginning = [word for word in words if token and word.startswith(token)]
            if len(beginning) == 1 and math.isfinite(logprob):
                word = beginning[0]
                found[word] = math.log(math.exp(found[word]) + math.exp(logprob)) if word in found else logprob
        if not found:
            return {}
        floor = min(logprob for _, logprob in top if math.isfinite(logprob))
        return {word: found.get(word, floor) for word in words}
    return {}
