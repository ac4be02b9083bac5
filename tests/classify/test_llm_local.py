"""SmolLM2 as an LLM classifier's model. Nothing here asks for a right label: the model is what it is."""

from __future__ import annotations

import math

import pytest

from turnout.classify.llm import LABEL_WORDS, LLMClassifier
from turnout.classify.llm_local import LocalClassifierModel
from turnout.classify.model import ClassifierModel
from turnout.classify.prompt import Prompt
from turnout.config import load_catalog
from turnout.messages.conversation import conversation_of
from turnout.upstream.local.smollm import LocalModelError, SmolLM

SHORT = Prompt(system="Say whether a question is simple or complex.", question="Is it simple or complex?")
MESSAGES = [{"role": "user", "content": [{"text": "What does the kettle cost? simple or complex?"}]}]


async def test_it_scores_both_words(smollm: SmolLM) -> None:
    model = LocalClassifierModel(smollm)
    assert isinstance(model, ClassifierModel)
    completion = await model.complete(SHORT.system, MESSAGES, max_tokens=5, temperature=0.0, words=LABEL_WORDS)
    assert set(completion.logprobs) == set(LABEL_WORDS)
    assert sum(math.exp(value) for value in completion.logprobs.values()) == pytest.approx(1.0, abs=1e-6)
    assert completion.text in LABEL_WORDS
    assert completion.usage_source == "reported"
    assert completion.usage.prompt_tokens > 20
    assert completion.usage.output_tokens == 1


async def test_a_verdict_is_deterministic_and_priced_by_the_catalog(smollm: SmolLM) -> None:
    classifier = LLMClassifier(LocalClassifierModel(smollm), prompt=SHORT, timeout_s=60.0)
    first, second = [await classifier.classify(conversation_of("What does it cost?")) for _ in range(2)]
    assert first.p_simple is not None
    assert first.p_simple == pytest.approx(second.p_simple, abs=1e-6)
    (call,) = first.calls
    assert load_catalog()[call.model].price.tier_for(1).input_pico == 0


async def test_a_prompt_that_does_not_fit_is_a_failure(smollm: SmolLM) -> None:
    classifier = LLMClassifier(LocalClassifierModel(smollm), prompt=SHORT, most_chars=100_000, timeout_s=60.0)
    verdict = await classifier.classify(conversation_of("word " * 10_000))
    assert verdict.failure is not None
    assert (verdict.failure.kind, verdict.failure.detail) == ("error", "PromptTooLongError")


async def test_words_that_are_not_one_token(smollm: SmolLM) -> None:
    with pytest.raises(LocalModelError, match="not a single token"):
        await LocalClassifierModel(smollm).complete(
            "s", MESSAGES, max_tokens=5, temperature=None, words=("simple", "incomprehensibilities")
        )
