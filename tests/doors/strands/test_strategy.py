import logging
from typing import Any

import msgspec
import pytest
from strands import Agent
from strands.models import ModelRouter, RoutingCandidate
from strands.models.routing import RoutingAttempt, RoutingContext, RoutingStrategy
from strands.types.exceptions import ModelThrottledException

from tests.doors.strands.support import (
    CAPABLE,
    CATALOG,
    CHEAP,
    POLICY,
    Compare,
    Events,
    agent,
    bedrock,
    pair,
    served,
    text_of,
    usages,
)
from turnout.core.policy import Budget
from turnout.doors.strands import TurnoutStrategy
from turnout.testing.bedrock import BedrockDouble, throttling, validation

CHEAP_ID = CHEAP.removeprefix("bedrock/")


def strategy(double: BedrockDouble, events: Events, **more: Any) -> TurnoutStrategy:
    more.setdefault("policy", POLICY)
    more.setdefault("classifier", Compare())
    return TurnoutStrategy(pair(double), catalog=CATALOG, recorder=events, **more)


def asks(made: TurnoutStrategy) -> Agent:
    return agent(ModelRouter(made.candidates, strategy=made), retry_strategy=None)


def context(made: TurnoutStrategy, query: str = "hello", **state: Any) -> RoutingContext:
    messages: Any = [{"role": "user", "content": [{"text": query}]}]
    return RoutingContext(
        messages=messages, system_prompt=None, tool_specs=(), candidates=made.candidates, invocation_state=state
    )


def test_it_is_a_strategy_whose_default_is_the_most_capable(double: BedrockDouble, events: Events) -> None:
    made = strategy(double, events)
    assert isinstance(made, RoutingStrategy)
    assert [candidate.name for candidate in made.candidates] == [CAPABLE, CHEAP]


def test_turns_are_routed_and_their_answers_recorded(double: BedrockDouble, events: Events) -> None:
    ask = asks(strategy(double, events))
    assert "10 dollars" in text_of(ask("What is the price of tea?"))
    ask("Please compare tea and coffee")
    assert served(double) == [CHEAP, CHEAP, CAPABLE]
    assert events.reasons == ["cheapest_clears_bar", "hard_stay", "cheapest_below_bar"]
    assert [call.usage.output_tokens for call in events.calls] == [usage["outputTokens"] for usage in usages(double)]
    assert len({event.turn_id for event in events.events}) == 2


def test_it_fails_over_and_says_so(double: BedrockDouble, events: Events) -> None:
    double.faults.add(throttling(model=CHEAP_ID))
    assert text_of(asks(strategy(double, events))("hello"))
    assert events.reasons == ["cheapest_clears_bar", "failover"]
    assert [(call.model, call.status, call.attempt) for call in events.calls] == [
        (CHEAP, "error", 1),
        (CAPABLE, "ok", 2),
    ]


def test_when_all_fail_the_error_surfaces(double: BedrockDouble, events: Events) -> None:
    double.faults.add(throttling(), times=2)
    with pytest.raises(ModelThrottledException):
        asks(strategy(double, events))("hello")


def test_the_callers_errors_are_not_tried_elsewhere(double: BedrockDouble, events: Events) -> None:
    double.faults.add(validation())
    with pytest.raises(Exception, match="Malformed input"):
        asks(strategy(double, events))("hello")
    assert len(events.calls) == 1


async def test_the_opening_ask_never_declines_and_never_raises(
    double: BedrockDouble, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    spent = strategy(double, events, policy=msgspec.structs.replace(POLICY, budget=Budget(limit_pico=0)))
    with caplog.at_level(logging.WARNING):
        chosen = await spent.select(context(spent))
    assert chosen is spent.candidates[0]
    assert events.reasons == ["budget_spent"]
    assert "the most capable candidate serves" in caplog.text
    bad = await spent.select(context(spent, turnout={"unknown": "override"}))
    assert bad is spent.candidates[0]


async def test_candidates_of_somebody_else_are_left_to_strands(double: BedrockDouble, events: Events) -> None:
    made = strategy(double, events)
    other = RoutingCandidate(bedrock(double, CHEAP), name="other")
    asked = RoutingContext(messages=[], system_prompt=None, tool_specs=(), candidates=(other,), invocation_state={})
    assert await made.select(asked) is other


async def test_a_failure_of_a_turn_that_is_not_known_ends_routing(double: BedrockDouble, events: Events) -> None:
    made = strategy(double, events)
    attempt = RoutingAttempt(candidate=made.candidates[0], exception=ModelThrottledException("slow"))
    asked = RoutingContext(
        messages=[{"role": "user", "content": [{"text": "never asked"}]}],
        system_prompt=None,
        tool_specs=(),
        candidates=made.candidates,
        invocation_state={},
        attempts=(attempt,),
    )
    assert await made.select(asked) is None


def test_what_may_be_left_behind_is_passed_on(double: BedrockDouble, events: Events) -> None:
    history: Any = [
        {"role": "user", "content": [{"text": "compare this"}]},
        {
            "role": "assistant",
            "content": [{"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}, {"text": "done"}],
        },
        {"role": "user", "content": [{"text": "thanks"}]},
    ]
    for leaves, stays in ((False, True), (True, False)):
        routing = strategy(double, events, leave_thinking=leaves).routing
        call = routing.read(history, None, None, {})
        turn = routing.turns.of(call)
        routing.turns.wrote(turn, CAPABLE)
        assert (routing.turns.stay(call, turn) is not None) is stays
