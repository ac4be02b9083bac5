"""The classifier that asks a model."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from turnout.classify.calibrate import Calibration
from turnout.classify.llm import CallSettings, LLMClassifier, settings_for
from turnout.classify.model import ClassifierModel, Completion, CompletionError
from turnout.classify.prompt import load_prompt
from turnout.classify.protocol import Classifier, PricedClassifier
from turnout.config import load_catalog
from turnout.core.usage import NO_USAGE, Usage
from turnout.core.verdict import ClassifierCall, Verdict
from turnout.messages.conversation import Conversation, Message, conversation_of

USAGE = Usage(input_tokens=400, output_tokens=3)
QUERY = conversation_of("Which colours are there?")


class Scripted:
    """A model that says what the test wants and keeps what it was asked."""

    model_id = "test/model"

    def __init__(self, answer: Completion | BaseException, *, delay_s: float = 0.0) -> None:
        self.answer = answer
        self.delay_s = delay_s
        self.asked: dict[str, Any] = {}

    async def complete(
        self,
        system: str,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float | None,
        words: Sequence[str] = (),
    ) -> Completion:
        self.asked = {
            "system": system,
            "messages": messages,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "words": words,
        }
        await asyncio.sleep(self.delay_s)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


def says(text: str, **logprobs: float) -> Scripted:
    return Scripted(Completion(text=text, usage=USAGE, usage_source="reported", logprobs=logprobs))


async def verdict_of(model: Scripted, **options: Any) -> Verdict:
    return await LLMClassifier(model, **options).classify(QUERY)


def failure_of(verdict: Verdict) -> tuple[str, str]:
    assert verdict.failure is not None
    return verdict.failure.kind, verdict.failure.detail


@pytest.mark.parametrize(("text", "label", "odds"), [("simple", "simple", 9.0), ("Complex.", "complex", 1 / 9)])
async def test_a_text_answer(text: str, label: str, odds: float) -> None:
    model = says(text)
    verdict = await verdict_of(model)
    assert isinstance(model, ClassifierModel)
    assert isinstance(LLMClassifier(model), Classifier)
    assert (verdict.label, verdict.basis, verdict.classifier) == (label, "label", "llm")
    corrected = odds * 13 / 7  # from one half to a share of 0.65
    assert verdict.p_simple == pytest.approx(corrected / (1 + corrected))
    (call,) = verdict.calls
    assert (call.model, call.usage, call.usage_source, call.error) == ("test/model", USAGE, "reported", None)
    assert call.started_ms > 1_700_000_000_000
    assert 0.0 < call.latency_ms == verdict.latency_ms


async def test_measured_rates_replace_the_default() -> None:
    measured = Calibration(slope=0.0, intercept=0.0)
    verdict = await verdict_of(says("complex"), answers=measured, simple_share=0.5)
    assert verdict.p_simple == 0.5


async def test_log_probabilities_go_before_text() -> None:
    model = says("complex", simple=math.log(0.3), complex=math.log(0.1))
    verdict = await verdict_of(model, simple_share=0.5)
    assert verdict.p_simple == pytest.approx(0.75)
    calibrated = await verdict_of(model, simple_share=0.5, logprobs=Calibration(slope=2.0))
    assert calibrated.p_simple == pytest.approx(0.9)


async def test_half_a_pair_of_log_probabilities_is_none() -> None:
    assert (await verdict_of(says("simple", complex=-0.1))).label == "simple"


@pytest.mark.parametrize(
    ("text", "detail"),
    [("", "the answer is empty"), (" \n", "the answer is empty"), ("not simple", "the answer names no label")],
)
async def test_an_answer_without_a_label_is_charged(text: str, detail: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        verdict = await verdict_of(says(text))
    assert failure_of(verdict) == ("unparsed", detail)
    assert [call.usage for call in verdict.calls] == [USAGE]
    assert "classifier=<llm>, model=<test/model>, kind=<unparsed>" in caplog.text


async def test_a_time_out_is_charged_with_an_estimate() -> None:
    verdict = await verdict_of(Scripted(Completion(text="simple"), delay_s=30.0), timeout_s=0.02)
    kind, detail = failure_of(verdict)
    assert kind == "timeout"
    assert "0.02 s" in detail
    (call,) = verdict.calls
    assert (call.usage_source, call.error) == ("estimated", "TimeoutError")
    assert 250 < call.usage.input_tokens < 600
    assert call.usage.output_tokens == 0


async def test_an_error_before_the_answer_costs_nothing() -> None:
    verdict = await verdict_of(Scripted(ValueError("secret prompt text")))
    assert failure_of(verdict) == ("error", "ValueError")
    (call,) = verdict.calls
    assert (call.usage, call.usage_source, call.error) == (NO_USAGE, "none", "ValueError")


async def test_an_error_in_the_middle_is_charged() -> None:
    partial = Usage(input_tokens=410, output_tokens=2)
    verdict = await verdict_of(Scripted(CompletionError("ModelStreamErrorException", partial, "estimated")))
    assert failure_of(verdict) == ("error", "ModelStreamErrorException")
    (call,) = verdict.calls
    assert (call.usage, call.usage_source, call.error) == (partial, "estimated", "ModelStreamErrorException")


async def test_cancellation_passes_through() -> None:
    task = asyncio.create_task(verdict_of(Scripted(Completion(text="simple"), delay_s=30.0)))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_no_text_asks_no_model() -> None:
    model = says("simple")
    verdict = await LLMClassifier(model).classify(Conversation(messages=[]))
    assert failure_of(verdict)[0] == "error"
    assert verdict.calls == ()
    assert model.asked == {}


async def test_what_the_model_is_asked() -> None:
    model = says("simple")
    messages = [
        {"role": role, "content": [{"text": text}]}
        for role, text in [("user", "q1"), ("assistant", "a1"), ("user", "q2"), ("assistant", "a2"), ("user", "q3")]
    ]
    settings = CallSettings(max_tokens=7, temperature=None)
    await LLMClassifier(model, settings=settings, prior_turns=1).classify(Conversation(messages=messages))
    assert model.asked["system"] == load_prompt().system
    assert (model.asked["max_tokens"], model.asked["temperature"]) == (7, None)
    assert model.asked["words"] == ("simple", "complex")
    ((role, content),) = [(message["role"], message["content"]) for message in model.asked["messages"]]
    assert role == "user"
    assert "q1" not in content[0]["text"]
    assert "<user>q2</user>\n<assistant>a2</assistant>\n</before>\n<query>q3</query>" in content[0]["text"]


def test_the_most_that_a_verdict_takes_is_known_beforehand() -> None:
    classifier = LLMClassifier(says("simple"), settings=CallSettings(max_tokens=7))
    ((model, usage),) = classifier.most_usage(conversation_of("é" * 100))
    assert (model, usage.output_tokens) == ("test/model", 7)
    # A token is a byte at least: 200 of the query, and the prompt around it.
    assert usage.input_tokens >= len(load_prompt().system) + 200
    assert isinstance(classifier, PricedClassifier)
    assert classifier.most_usage(Conversation(messages=[])) == []


async def test_a_huge_query_is_cut() -> None:
    model = says("simple")
    await LLMClassifier(model, most_chars=200).classify(conversation_of("begin " + "x" * 1_000_000 + " end"))
    text = model.asked["messages"][0]["content"][0]["text"]
    assert len(text) < 400
    assert "begin" in text
    assert "end</query>" in text


def test_settings_follow_the_catalog() -> None:
    catalog = load_catalog()
    plain = settings_for(catalog["bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0"])
    thinks = settings_for(catalog["bedrock/global.anthropic.claude-haiku-5-5"])
    assert (plain.max_tokens, plain.temperature) == (16, 0.0)
    assert (thinks.max_tokens, thinks.temperature) == (1040, None)
    small = msgspec.structs.replace(catalog["bedrock/global.anthropic.claude-haiku-5-5"], max_output_tokens=500)
    assert settings_for(small).max_tokens == 500


@pytest.mark.parametrize(
    ("name", "value"),
    [("prior_turns", -1), ("most_chars", 10), ("timeout_s", 0.0), ("timeout_s", math.nan), ("simple_share", 0.0)],
)
def test_values_out_of_range(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        LLMClassifier(says("simple"), **{name: value})


async def test_each_call_is_told_as_it_ends_also_one_that_is_cancelled() -> None:
    told: list[ClassifierCall] = []
    verdict = await LLMClassifier(says("simple")).classify(QUERY, on_call=told.append)
    assert tuple(told) == verdict.calls
    slow = LLMClassifier(Scripted(Completion(text="simple"), delay_s=30.0), timeout_s=60.0)
    task = asyncio.create_task(slow.classify(QUERY, on_call=told.append))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (told[1].error, told[1].usage_source, told[1].usage.output_tokens) == ("CancelledError", "estimated", 0)
    assert told[1].usage.input_tokens > 300
