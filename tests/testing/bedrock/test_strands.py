"""The real Strands over real sockets."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from botocore.config import Config
from pydantic import BaseModel, Field
from strands import Agent, tool
from strands.agent.agent_result import AgentResult
from strands.models import BedrockModel, CacheConfig
from strands.types.exceptions import ContextWindowOverflowException, MaxTokensReachedException, ModelThrottledException

from turnout.testing.bedrock import BedrockDouble, Rule, RuleResponder, SimulatedModel, throttling, validation

SONNET = "global.anthropic.claude-sonnet-4-6"
HAIKU_55 = "global.anthropic.claude-haiku-5-5"
SONNET_55 = "global.anthropic.claude-sonnet-5-5"
RULES = (
    Rule(r"return\w* .*(?P<what>laptop|phone)", "get_return_policy", {"product_category": "{what}"}),
    Rule(r"spec\w* .*|(?P<kind>laptop|phone) .*spec", "get_product_info", {"product_type": "{kind}"}),
)


@tool
def get_return_policy(product_category: str) -> str:
    """Say how goods of a category are returned.

    Args:
        product_category: The category.
    """
    return f"A {product_category} can be returned within 30 days. Opened boxes cost a fee of 15 percent."


@tool
def get_product_info(product_type: str = "laptop") -> str:
    """Say what there is of a product.

    Args:
        product_type: The product.
    """
    return f"The {product_type} Aero 14 has specs of 16 GB and 512 GB."


class Ticket(BaseModel):
    """A support ticket."""

    subject: str
    urgency: int = Field(ge=2, le=5)
    tags: list[str] = Field(min_length=1)


@pytest.fixture
def shop(double: BedrockDouble) -> BedrockDouble:
    double.responder = RuleResponder(RULES)
    return double


@functools.cache
def session() -> Any:
    """One for all tests: a session's first client takes the most time."""
    return BedrockDouble().session()


def model(double: BedrockDouble, model_id: str = SONNET, **config: Any) -> BedrockModel:
    once = Config(retries={"total_max_attempts": 1})
    return BedrockModel(
        boto_session=session(), endpoint_url=double.url, boto_client_config=once, model_id=model_id, **config
    )


def agent(double: BedrockDouble, model_id: str = SONNET, **config: Any) -> Agent:
    return Agent(
        model=model(double, model_id, **config),
        tools=[get_return_policy, get_product_info],
        system_prompt="You help customers of a shop. " * 200,
        callback_handler=None,
    )


def text_of(result: AgentResult) -> str:
    return "".join(block.get("text", "") for block in result.message["content"])


@pytest.mark.parametrize("model_id", [SONNET, HAIKU_55, SONNET_55])
@pytest.mark.parametrize("streaming", [True, False])
def test_a_tool_loop(shop: BedrockDouble, model_id: str, streaming: bool) -> None:
    result = agent(shop, model_id, streaming=streaming)("How do I return a laptop?")
    assert result.stop_reason == "end_turn"
    assert text_of(result) == (
        "Here is what I found.\n\nA laptop can be returned within 30 days. Opened boxes cost a fee of 15 percent."
    )
    assert [call.stop_reason for call in shop.calls] == ["tool_use", "end_turn"]
    assert {call.operation for call in shop.calls} == {"ConverseStream" if streaming else "Converse"}


def test_several_parts_in_one_turn(shop: BedrockDouble) -> None:
    result = agent(shop)("I want to buy one: what are the specs and how do I return a laptop?")
    assert "30 days" in text_of(result)
    assert "Aero 14" in text_of(result)
    assert len(shop.calls) == 2


def test_usage_adds_up_over_the_turn(shop: BedrockDouble) -> None:
    result = agent(shop)("How do I return a phone?")
    reported = [call.usage or {} for call in shop.calls]
    assert result.metrics.accumulated_usage["inputTokens"] == sum(usage["inputTokens"] for usage in reported)
    assert result.metrics.accumulated_usage["outputTokens"] == sum(usage["outputTokens"] for usage in reported)


def test_strands_own_cache_points(shop: BedrockDouble) -> None:
    caching = agent(shop, cache_config=CacheConfig(strategy="auto", tools_ttl="1h", ttl="5m"))
    caching("How do I return a phone?")
    caching("And how do I return a laptop?")
    first, *later = (call.usage or {} for call in shop.calls)
    points = sum("cachePoint" in block for block in shop.calls[0].request["system"])
    assert points == 1
    assert first["cacheReadInputTokens"] == 0
    assert first["cacheWriteInputTokens"] > 1024
    assert all(usage["cacheReadInputTokens"] >= first["cacheWriteInputTokens"] for usage in later)


@pytest.mark.parametrize("model_id", [SONNET, HAIKU_55, SONNET_55])
def test_structured_output(shop: BedrockDouble, model_id: str) -> None:
    result = agent(shop, model_id)("Open a ticket", structured_output_model=Ticket)
    assert result.structured_output == Ticket(subject="simulated", urgency=2, tags=["simulated"])


def test_structured_output_is_forced_or_native(shop: BedrockDouble) -> None:
    agent(shop, SONNET)("Open a ticket", structured_output_model=Ticket)
    assert "toolChoice" in shop.calls[-1].request["toolConfig"]
    assert shop.calls[-1].stop_reason == "tool_use"
    shop.calls.clear()
    agent(shop, SONNET_55)("Open a ticket", structured_output_model=Ticket)
    assert "outputConfig" in shop.calls[-1].request
    assert shop.calls[-1].stop_reason == "end_turn"


async def test_structured_output_of_a_model(shop: BedrockDouble) -> None:
    messages: Any = [{"role": "user", "content": [{"text": "Open a ticket"}]}]
    events = [event async for event in model(shop).structured_output(Ticket, messages)]
    assert events[-1]["output"] == Ticket(subject="simulated", urgency=2, tags=["simulated"])


def test_a_small_limit_on_a_model_that_thinks_first(shop: BedrockDouble) -> None:
    with pytest.raises(MaxTokensReachedException):
        agent(shop, HAIKU_55, max_tokens=50)("Hello")
    assert (shop.calls[-1].usage or {})["outputTokens"] == 50


def test_a_temperature_that_is_rejected(shop: BedrockDouble) -> None:
    with pytest.raises(Exception, match="`temperature` is deprecated for this model"):
        agent(shop, HAIKU_55, temperature=0.0)("Hello")
    assert agent(shop, SONNET, temperature=0.0)("Hello").stop_reason == "end_turn"


async def _stream(double: BedrockDouble, text: str = "Hello", model_id: str = SONNET) -> list[Any]:
    messages: Any = [{"role": "user", "content": [{"text": text}]}]
    return [event async for event in model(double, model_id).stream(messages)]


async def test_throttling_is_told_apart(shop: BedrockDouble) -> None:
    shop.faults.add(throttling())
    with pytest.raises(ModelThrottledException):
        await _stream(shop)
    shop.faults.add(validation("Nonsense."))
    with pytest.raises(Exception, match=r"ValidationException.*Nonsense\.") as caught:
        await _stream(shop)
    assert not isinstance(caught.value, ModelThrottledException)
    assert (await _stream(shop))[-1]["metadata"]["usage"]["outputTokens"] > 0


async def test_a_prompt_that_is_too_long() -> None:
    tiny = SimulatedModel(id="anthropic.tiny", context_window=100)
    with BedrockDouble(models=[tiny]) as own, pytest.raises(ContextWindowOverflowException):
        await _stream(own, "x" * 404, "global.anthropic.tiny")


async def test_tokens_are_counted_with_a_bare_id(shop: BedrockDouble) -> None:
    counting = model(shop, "anthropic.claude-sonnet-4-6", use_native_token_count=True)
    assert await counting.count_tokens([{"role": "user", "content": [{"text": "x" * 40}]}]) == 10
    assert shop.calls[-1].operation == "CountTokens"
