"""Markers ``manage``: cache points are placed as planned, on the wire, and what they cost is what was priced."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from tests.doors.strands.support import CAPABLE, CHEAP, HEAD, POLICY, Events, agent, routed
from turnout.core.spend_bound import SpendBound
from turnout.doors.strands import RoutedModel
from turnout.testing.bedrock import BedrockDouble

MANAGED = msgspec.structs.replace(POLICY, markers="manage", horizon="session")
CAPABLE_ONLY = msgspec.structs.replace(MANAGED, simple_bar=1.0)
POINT = {"cachePoint": {"type": "default"}}
LONG = "Please compare tea and coffee. " + "I drink both, at home and at work, hot and cold. " * 40


@pytest.fixture
def model(double: BedrockDouble, events: Events) -> RoutedModel:
    return routed(double, events, policy=CAPABLE_ONLY)


def points(request: Any) -> list[str]:
    """Where the cache points of a request stand, each by the block before it."""
    found = [f"system.{index - 1}" for index, block in enumerate(request["system"]) if "cachePoint" in block]
    for number, message in enumerate(request["messages"]):
        found += [
            f"messages.{number}.{index - 1}" for index, block in enumerate(message["content"]) if "cachePoint" in block
        ]
    return found


def planned(events: Events) -> list[tuple[int, str]]:
    plan = events.decisions[-1].decision.cache_plan
    assert plan.origin == "manage"
    return [(marker.segment, marker.ttl) for marker in plan.markers]


def test_points_stand_where_the_plan_has_them_and_cost_what_was_expected(
    double: BedrockDouble, events: Events, model: RoutedModel
) -> None:
    ask = agent(model)
    placed = []
    for turn in range(6):
        ask(f"{LONG} This is question {turn}.")
        sent = double.calls[-1].request
        # One tool, one block of system, then the messages, each of one block.
        ends = ["tools.0", "system.0", *(f"messages.{number}.0" for number in range(len(sent["messages"])))]
        assert points(sent) == [ends[segment] for segment, _ in planned(events)]
        placed.append(points(sent))
        call, decision = events.calls[-1], events.decisions[-1].decision
        usage = double.calls[-1].usage or {}
        assert call.usage.cache_read_tokens == usage.get("cacheReadInputTokens", 0)
        expected = decision.estimate(CAPABLE).expected
        assert expected is not None
        assert (expected.read_tokens > 0) == (call.usage.cache_read_tokens > 0)
    assert any(placed), "nothing was ever worth a write"
    assert any("messages." in one for points in placed for one in points)
    assert not any("cachePoint" in block for message in ask.messages for block in message["content"])


def test_points_that_the_caller_set_give_way_to_the_plan(
    double: BedrockDouble, events: Events, model: RoutedModel
) -> None:
    ask = agent(model, system_prompt=[{"text": HEAD}, POINT])
    messages: Any = [{"text": LONG}, POINT]
    ask(messages)
    sent = double.calls[-1].request
    assert len(points(sent)) == len(planned(events))
    assert POINT in ask.messages[0]["content"], "the agent's own messages stay as they are"


async def test_where_a_door_cannot_place_points_none_is_planned(
    double: BedrockDouble, events: Events, model: RoutedModel
) -> None:
    class Answer(BaseModel):
        product: str

    messages: list[Any] = [{"role": "user", "content": [{"text": LONG}]}]
    async for _ in model.structured_output(Answer, messages, HEAD):
        pass
    assert events.decisions[-1].decision.cache_plan.origin == "none"
    async for _ in model.stream(messages, None, None):
        pass
    assert events.decisions[-1].decision.cache_plan.origin == "none"


def test_each_model_has_points_above_its_own_floor_only(double: BedrockDouble, events: Events) -> None:
    # The system, about 1,600 tokens, is below the cheap model's floor of 4,096.
    ask = agent(routed(double, events, policy=MANAGED))
    for turn in range(4):
        ask(f"What is the price of tea number {turn}?")
    assert {call.model for call in events.calls} == {CHEAP}
    assert all(points(call.request) == [] for call in double.calls)


def test_every_cost_on_the_wire_is_in_the_account_of_the_bound(double: BedrockDouble, events: Events) -> None:
    bound = SpendBound(epsilon=0.0, kappa_pico=10**12, output_limit_tokens=500)
    for policy in (POLICY, MANAGED):
        events.events.clear()
        double.caches.clear()
        model = routed(double, events, policy=policy, bound=bound)
        first, second = agent(model), agent(model)
        for turn in range(5):
            first(f"{LONG} This is question {turn}." if turn % 2 else f"What is the price of tea number {turn}?")
            second(f"hello {turn}")
        assert model.routing.router.spend is not None
        account = model.routing.router.spend.account
        assert {call.model for call in events.calls} == {CHEAP, CAPABLE}
        assert account.total_pico == sum(call.cost.total_pico for call in events.calls)
        assert account.slack_pico(bound) >= 0
        assert account.reserved_pico == 0
        # Tokens are counted before they are reported: a prefix's share of the prompt is off by a little.
        assert account.apart_pico == account.evicted_pico <= 0.001 * account.total_pico
