"""Whole agents through the gateway: Strands' loop over each of its models, and the reference agent."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from strands import Agent, tool
from strands.models import BedrockModel, Model
from strands.models.anthropic import AnthropicModel
from strands.models.openai import OpenAIModel

from examples.customer_support.build import build
from examples.customer_support.models import Models, policy_of
from examples.customer_support.responder_rules import support_responder
from examples.customer_support.tools import SupportTools
from tests.doors.gateway.matrix.said import ANSWER, TOOLS
from tests.doors.gateway.matrix.upstreams import doubles
from tests.doors.gateway.support import ANTHROPIC, BEDROCK, OPENAI, Served, served, settings_text
from turnout.config import PAIR_4, load_catalog
from turnout.testing.bedrock import BedrockDouble

ASKED: list[tuple[str, str]] = []


@tool
def weather(place: str) -> str:
    """Looks up the weather.

    Args:
        place: Where.
    """
    ASKED.append(("weather", place))
    return "fine"


@tool
def time(place: str) -> str:
    """Looks up the time.

    Args:
        place: Where.
    """
    ASKED.append(("time", place))
    return "noon"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    candidates = (OPENAI[0], ANTHROPIC[0], BEDROCK[0], OPENAI[1], ANTHROPIC[1], BEDROCK[1])
    with doubles() as found, served(tmp_path_factory.mktemp("agents"), settings_text(found, *candidates)) as running:
        yield running


def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="client-id", aws_secret_access_key="client-secret", region_name="eu-west-1")


@contextlib.asynccontextmanager
async def openai_model(url: str) -> AsyncIterator[Model]:
    yield OpenAIModel(client_args={"base_url": f"{url}/v1", "api_key": "client-key"}, model_id="turnout")


@contextlib.asynccontextmanager
async def anthropic_model(url: str) -> AsyncIterator[Model]:
    model = AnthropicModel(
        client_args={"base_url": url, "api_key": "client-key"}, model_id="turnout/quality", max_tokens=200
    )
    yield model
    await model.client.close()


@contextlib.asynccontextmanager
async def bedrock_model(url: str) -> AsyncIterator[Model]:
    model = BedrockModel(
        model_id="turnout", endpoint_url=url, boto_session=session(), boto_client_config=Config(proxies={})
    )
    with contextlib.closing(model.client):
        yield model


@pytest.mark.parametrize("model", [openai_model, anthropic_model, bedrock_model])
async def test_an_agent_calls_tools_and_answers(
    gateway: Served, model: Callable[[str], contextlib.AbstractAsyncContextManager[Model]]
) -> None:
    ASKED.clear()
    gateway.events.events.clear()
    async with model(gateway.url) as built:
        agent = Agent(model=built, tools=[weather, time], system_prompt="Be brief.", callback_handler=None)
        result = await agent.invoke_async("How is the weather, and what time is it?")
        follow_up = await agent.invoke_async("Thank you.")
    assert str(result).strip() == ANSWER
    assert str(follow_up).strip() == ANSWER
    assert sorted(ASKED) == 2 * [("time", "Berlin 1")] + 2 * [("weather", "Berlin 0")]
    gateway.wait_for_calls(4)
    calls, decisions = gateway.events.calls, gateway.events.decisions
    # The answer to the results stays with the model that called the tools, and the second question is a new turn.
    assert [call.finish_reason for call in calls] == 2 * ["tool_use", "end_turn"]
    assert decisions[0].turn_id == decisions[1].turn_id != decisions[2].turn_id == decisions[3].turn_id
    assert [decisions[index].decision.reason.value for index in (1, 3)] == 2 * ["hard_stay"]
    assert {decision.session_id for decision in decisions} == {decisions[0].session_id}
    used: Any = result.metrics.accumulated_usage
    assert used["outputTokens"] == sum(call.usage.output_tokens for call in calls)


def test_the_names_of_the_tools_are_those_of_the_matrix() -> None:
    assert (weather.tool_name, time.tool_name) == TOOLS


def test_the_reference_agent_without_a_changed_line(tmp_path_factory: pytest.TempPathFactory) -> None:
    catalog = load_catalog()
    policy = policy_of(PAIR_4)
    with BedrockDouble(support_responder()) as double, doubles() as others:
        others.bedrock = double
        names = [candidate.model for candidate in policy.candidates]
        with served(tmp_path_factory.mktemp("support"), settings_text(others, *names)) as running:
            tools = SupportTools()
            with contextlib.closing(Models(catalog, endpoint_url=running.url, boto_session=session())) as models:
                agent = build(3, models, policy, tools=tools).new_conversation()
                answer = str(agent("Can I return my laptop? I bought it last week."))
            calls = running.events.calls
            assert "Here is what I found." in answer
            assert [call.finish_reason for call in calls] == ["tool_use", "end_turn"]
            assert {call.model for call in calls} == {max(policy.candidates, key=lambda one: one.rank).model}
            assert sum(call.usage.cache_write_tokens for call in calls) > 0
            assert all(call.usage_source == "reported" for call in calls)
