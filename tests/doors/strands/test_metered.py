from typing import Any

from pydantic import BaseModel

from tests.doors.strands.support import CAPABLE, CATALOG, Events, agent, bedrock, served, usages
from turnout.doors.strands import MeteredModel
from turnout.testing.bedrock import BedrockDouble


def alone(double: BedrockDouble, events: Events) -> MeteredModel:
    return MeteredModel.alone(bedrock(double, CAPABLE), CAPABLE, catalog=CATALOG, recorder=events, run="v3")


class Answer(BaseModel):
    """What is asked for."""

    product: str


def test_a_model_alone_is_recorded_as_pinned(double: BedrockDouble, events: Events) -> None:
    agent(alone(double, events))("What is the price of tea?", invocation_state={"turnout": {"query_id": "tea"}})
    assert served(double) == [CAPABLE, CAPABLE]
    assert events.reasons == ["pinned", "hard_stay"]
    assert {(event.run, event.query_id) for event in events.events} == {("v3", "tea")}
    assert [call.usage.output_tokens for call in events.calls] == [usage["outputTokens"] for usage in usages(double)]


async def test_structured_output_called_directly_is_recorded(double: BedrockDouble, events: Events) -> None:
    messages: Any = [{"role": "user", "content": [{"text": "tea?"}]}]
    outputs = [event async for event in alone(double, events).structured_output(Answer, messages)]
    assert isinstance(outputs[-1]["output"], Answer)
    assert [call.usage_source for call in events.calls] == ["reported"]


async def test_it_is_otherwise_the_model_it_wraps(double: BedrockDouble, events: Events) -> None:
    model = alone(double, events)
    assert model.config == model.wrapped.get_config()
    assert (model.stateful, model.context_window_limit) == (False, model.wrapped.context_window_limit)
    model.update_config(max_tokens=9)
    assert model.get_config()["max_tokens"] == 9
    assert await model.count_tokens([{"role": "user", "content": [{"text": "hello" * 8}]}]) == 10
