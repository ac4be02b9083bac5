"""An OpenAI-compatible API as an LLM classifier's model: the real client against llama.cpp's own server."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from turnout.classify.llm import LABEL_WORDS, LLMClassifier
from turnout.classify.llm_openai import OpenAIClassifierModel, word_logprobs
from turnout.classify.model import ClassifierModel
from turnout.classify.prompt import Prompt
from turnout.messages.conversation import conversation_of
from turnout.upstream.local.smollm import SMOLLM2_ID, SmolLM
from turnout.upstream.local.weights import SMOLLM2_WEIGHTS, verified

SHORT = Prompt(system="Answer with one word.", question="Is it simple or complex?")


@pytest.fixture(scope="module")
def served() -> Iterator[SmolLM]:
    model = SmolLM(verified(SMOLLM2_WEIGHTS), context_tokens=512, loopback=True)
    yield model
    model.close()


@pytest.fixture
async def reached(served: SmolLM) -> AsyncIterator[OpenAIClassifierModel]:
    model = OpenAIClassifierModel(
        base_url=served.address + "/v1", api_key=served.api_key, served_model="smollm2", model_id=SMOLLM2_ID
    )
    yield model
    await model.close()


async def test_a_verdict_over_loopback(reached: OpenAIClassifierModel) -> None:
    assert isinstance(reached, ClassifierModel)
    verdict = await LLMClassifier(reached, prompt=SHORT, timeout_s=60.0).classify(conversation_of("What is the price?"))
    (call,) = verdict.calls
    assert (call.model, call.usage_source, call.error) == (SMOLLM2_ID, "reported", None)
    assert call.usage.prompt_tokens > 20
    assert 1 <= call.usage.output_tokens <= 16


async def test_log_probabilities_are_read_and_asked_for_only_where_wanted(reached: OpenAIClassifierModel) -> None:
    # The words that this small model is likeliest to begin with here, so that they are among the twenty.
    messages = [{"role": "user", "content": [{"text": "Is the sky blue? Answer Yes or No."}]}]
    with_words = await reached.complete("s", messages, max_tokens=2, temperature=0.0, words=("yes", "no"))
    assert set(with_words.logprobs) == {"yes", "no"}
    assert all(value <= 1e-6 for value in with_words.logprobs.values())
    without = await reached.complete("s", messages, max_tokens=2, temperature=0.0)
    assert without.logprobs == {}
    assert without.text == with_words.text


async def test_without_the_key_there_is_no_answer(served: SmolLM) -> None:
    model = OpenAIClassifierModel(
        base_url=served.address + "/v1", api_key="wrong", served_model="m", model_id=SMOLLM2_ID
    )
    verdict = await LLMClassifier(model, prompt=SHORT, timeout_s=60.0).classify(conversation_of("q"))
    await model.close()
    assert verdict.failure is not None
    assert (verdict.failure.kind, verdict.failure.detail) == ("error", "AuthenticationError")
    assert verdict.calls[0].usage_source == "none"


def place(token: str, **top: float) -> dict[str, Any]:
    entries = [{"token": name.replace("_", " "), "logprob": math.log(p)} for name, p in top.items()]
    return {"token": token, "logprob": 0.0, "top_logprobs": entries}


def test_spellings_of_a_word_are_added_up() -> None:
    logprobs = {"content": [place("simple", simple=0.3, _Simple=0.2, comp=0.1, other=0.05)]}
    found = word_logprobs(logprobs, LABEL_WORDS)
    assert {word: math.exp(value) for word, value in found.items()} == pytest.approx({"simple": 0.5, "complex": 0.1})


def test_blank_tokens_before_the_answer_are_passed_over() -> None:
    logprobs = {"content": [place("\n", simple=0.9), place("complex", complex=0.8, simple=0.1)]}
    assert math.exp(word_logprobs(logprobs, LABEL_WORDS)["complex"]) == pytest.approx(0.8)


def test_a_word_that_is_not_seen_is_no_likelier_than_the_last_that_is() -> None:
    found = word_logprobs({"content": [place("simple", simple=0.9, other=0.01)]}, LABEL_WORDS)
    assert math.exp(found["complex"]) == pytest.approx(0.01)


@pytest.mark.parametrize(
    "logprobs",
    [None, {}, {"content": None}, {"content": []}, {"content": [place("The", The=0.9, It=0.1)]}],
)
def test_where_no_word_shows_there_are_none(logprobs: dict[str, Any] | None) -> None:
    assert word_logprobs(logprobs, LABEL_WORDS) == {}


def test_a_token_that_begins_both_words_counts_for_none() -> None:
    assert word_logprobs({"content": [place("com", com=0.5)]}, ("complex", "complete")) == {}
