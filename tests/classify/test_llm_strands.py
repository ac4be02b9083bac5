"""Strands models as classifiers: the real Strands and boto3 against the Bedrock double."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from botocore.config import Config
from strands.models import BedrockModel, CacheConfig, Model
from strands.models.openai import OpenAIModel

from turnout.classify.llm import CallSettings, LLMClassifier, settings_for
from turnout.classify.llm_strands import StrandsClassifierModel
from turnout.classify.model import ClassifierModel, CompletionError
from turnout.config import load_catalog
from turnout.core.usage import Usage
from turnout.messages.conversation import conversation_of
from turnout.testing.bedrock import BedrockDouble, mid_stream, stall, throttling

HAIKU_45 = "global.anthropic.claude-haiku-4-5-20251001-v1:0"
HAIKU_55 = "global.anthropic.claude-haiku-5-5"
QUERY = conversation_of("Which colours are there?")

# botocore leaves the connection of a stream that broke or was left to the garbage collector. Each test that breaks one
# collects it itself, so that the warning does not come up in a test that did not.
leaves_a_connection = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Says:
    """A responder with one answer."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __call__(self, model_id: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"text": self.text}]


@pytest.fixture
def double() -> Iterator[BedrockDouble]:
    with BedrockDouble(Says("complex")) as double:
        yield double


def bedrock(double: BedrockDouble, model_id: str, **config: Any) -> BedrockModel:
    once = Config(retries={"total_max_attempts": 1})
    return BedrockModel(
        boto_session=double.session(), endpoint_url=double.url, boto_client_config=once, model_id=model_id, **config
    )


def classifier(double: BedrockDouble, model_id: str, **options: Any) -> LLMClassifier:
    catalog_id = f"bedrock/{model_id}"
    model = StrandsClassifierModel(bedrock(double, model_id), model_id=catalog_id)
    assert isinstance(model, ClassifierModel)
    return LLMClassifier(model, settings=settings_for(load_catalog()[catalog_id]), **options)


@pytest.mark.parametrize("model_id", [HAIKU_45, HAIKU_55])
async def test_a_verdict_of_a_bedrock_model(double: BedrockDouble, model_id: str) -> None:
    verdict = await classifier(double, model_id).classify(QUERY)
    assert verdict.label == "complex"
    (call,) = verdict.calls
    (seen,) = double.calls
    assert call.model == f"bedrock/{model_id}"
    assert call.usage_source == "reported"
    assert seen.usage is not None
    assert call.usage == Usage.from_bedrock(seen.usage)
    assert call.usage.input_tokens > 200
    assert call.usage.output_tokens > 0


async def test_parameters_are_adapted_to_the_model(double: BedrockDouble) -> None:
    for model_id, expected in ((HAIKU_45, {"maxTokens": 16, "temperature": 0.0}), (HAIKU_55, {"maxTokens": 1040})):
        double.calls.clear()
        await classifier(double, model_id).classify(QUERY)
        assert double.calls[0].request["inferenceConfig"] == expected


async def test_the_model_that_was_given_stays_as_it_is(double: BedrockDouble) -> None:
    cached = CacheConfig(strategy="anthropic", ttl="5m")
    given = bedrock(double, HAIKU_45, temperature=0.9, top_p=0.5, max_tokens=999, cache_config=cached)
    before = dict(given.get_config())
    model = StrandsClassifierModel(given, model_id="x")
    await model.complete("system", [{"role": "user", "content": [{"text": "q"}]}], max_tokens=5, temperature=0.0)
    assert given.get_config() == before
    request = double.calls[0].request
    assert request["inferenceConfig"] == {"maxTokens": 5, "temperature": 0.0}
    assert "cachePoint" not in str(request)


async def test_throttling_is_an_error_without_cost(double: BedrockDouble) -> None:
    double.faults.add(throttling())
    verdict = await classifier(double, HAIKU_45).classify(QUERY)
    assert verdict.failure is not None
    assert verdict.failure.kind == "error"
    assert verdict.calls[0].usage.total_tokens == 0
    assert verdict.calls[0].error


@leaves_a_connection
async def test_a_stream_that_breaks_is_charged_with_an_estimate(double: BedrockDouble) -> None:
    double.faults.add(mid_stream(2))
    verdict = await classifier(double, HAIKU_45).classify(QUERY)
    assert verdict.failure is not None
    assert verdict.failure.kind == "error"
    (call,) = verdict.calls
    assert call.usage_source == "estimated"
    assert call.usage.input_tokens > 200
    gc.collect()


@leaves_a_connection
async def test_a_stalled_model_times_out(double: BedrockDouble) -> None:
    double.faults.add(stall(0.5))
    verdict = await classifier(double, HAIKU_45, timeout_s=0.1).classify(QUERY)
    assert verdict.failure is not None
    assert verdict.failure.kind == "timeout"
    assert verdict.calls[0].usage_source == "estimated"
    await asyncio.get_running_loop().shutdown_default_executor()  # waits for the thread that was left
    gc.collect()


async def test_thinking_that_takes_all_the_room_is_no_answer(double: BedrockDouble) -> None:
    model = StrandsClassifierModel(bedrock(double, HAIKU_55), model_id="x")
    verdict = await LLMClassifier(model, settings=CallSettings(max_tokens=1, temperature=None)).classify(QUERY)
    assert verdict.failure is not None
    assert verdict.failure.kind == "unparsed"
    assert verdict.calls[0].usage.output_tokens == 1


class Own(Model):
    """A model of a class that Turnout does not know."""

    def __init__(self, *events: Any) -> None:
        self.events = events
        self.left = False

    def update_config(self, **model_config: Any) -> None:
        raise AssertionError("a model that was given must not be changed")

    def get_config(self) -> dict[str, Any]:
        return {}

    def structured_output(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("not for classifying")

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        try:
            for event in self.events:
                if isinstance(event, BaseException):
                    raise event
                await asyncio.sleep(0)
                yield event
        finally:
            self.left = True


def delta(**content: Any) -> dict[str, Any]:
    return {"contentBlockDelta": {"delta": content}}


MESSAGES = [{"role": "user", "content": [{"text": "q" * 40}]}]


async def test_only_text_blocks_are_the_answer() -> None:
    events = [
        {"messageStart": {"role": "assistant"}},
        delta(reasoningContent={"text": "is it complex?"}),
        delta(text="sim"),
        delta(text="ple"),
        {"metadata": {"usage": {"inputTokens": 5, "outputTokens": 2, "cacheWriteInputTokens": 30,
                                "cacheDetails": [{"ttl": "1h", "inputTokens": 30}]}}},
    ]  # fmt: skip
    model = Own(*events)
    completion = await StrandsClassifierModel(model, model_id="x").complete(
        "s" * 40, MESSAGES, max_tokens=5, temperature=0.0
    )
    assert completion.text == "simple"
    assert completion.usage == Usage(input_tokens=5, output_tokens=2, cache_write_1h_tokens=30)
    assert model.left


async def test_without_a_report_usage_is_an_estimate() -> None:
    completion = await StrandsClassifierModel(Own(delta(text="simple!!")), model_id="x").complete(
        "s" * 40, MESSAGES, max_tokens=5, temperature=0.0
    )
    assert completion.usage == Usage(input_tokens=20, output_tokens=2)
    assert completion.usage_source == "estimated"


async def test_a_report_that_contradicts_itself_is_an_estimate() -> None:
    report = {"metadata": {"usage": {"inputTokens": -1, "outputTokens": 2}}}
    completion = await StrandsClassifierModel(Own(delta(text="simple!!"), report), model_id="x").complete(
        "s" * 40, MESSAGES, max_tokens=5, temperature=0.0
    )
    assert completion.usage_source == "estimated"


async def test_errors_before_and_after_the_first_event() -> None:
    before = StrandsClassifierModel(Own(KeyError("text")), model_id="x")
    with pytest.raises(KeyError):
        await before.complete("s", MESSAGES, max_tokens=5, temperature=0.0)
    after = StrandsClassifierModel(Own(delta(text="simp"), KeyError("text")), model_id="x")
    with pytest.raises(CompletionError, match="KeyError") as error:
        await after.complete("s" * 40, MESSAGES, max_tokens=5, temperature=0.0)
    assert (error.value.usage, error.value.usage_source) == (Usage(input_tokens=20, output_tokens=1), "estimated")


async def test_cancelled_it_leaves_the_stream() -> None:
    model = Own(*[delta(text="a")] * 1_000_000)
    task = asyncio.create_task(
        StrandsClassifierModel(model, model_id="x").complete("s", MESSAGES, max_tokens=5, temperature=0.0)
    )
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.left


def test_other_providers_keep_parameters_elsewhere() -> None:
    openai = OpenAIModel(client_args={"api_key": "k"}, model_id="m", params={"top_p": 0.5, "seed": 3})
    configured = StrandsClassifierModel(openai, model_id="x")._configured(9, 0.0)
    assert configured.config["params"] == {"seed": 3, "max_tokens": 9, "temperature": 0.0}
    assert openai.config["params"] == {"top_p": 0.5, "seed": 3}
    without = StrandsClassifierModel(openai, model_id="x")._configured(9, None)
    assert without.config["params"] == {"seed": 3, "max_tokens": 9}
