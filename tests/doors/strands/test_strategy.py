import contextlib
import logging
from typing import Any

import msgspec
import pytest
from strands import Agent
from strands.agent.conversation_manager import NullConversationManager
from strands.models import ModelRouter, RoutingCandidate
from strands.models.routing import RoutingAttempt, RoutingContext, RoutingStrategy
from strands.types.exceptions import ContextWindowOverflowException, EventLoopException, ModelThrottledException

from tests.doors.strands.support import (
    CAPABLE,
    CATALOG,
    CHEAP,
    POLICY,
    RULES,
    Compare,
    Events,
    agent,
    bedrock,
    pair,
    served,
    text_of,
    usages,
)
from turnout.core.catalog import Catalog
from turnout.core.policy import Budget
from turnout.doors.strands import TurnoutStrategy
from turnout.testing.bedrock import BedrockDouble, mid_stream, throttling, validation
from turnout.upstream.errors import CallFailedError

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


def test_what_broke_off_is_not_answered_again(double: BedrockDouble, events: Events) -> None:
    # Strands' own retries are on: it would call again after a throttled stream, and show its beginning twice.
    double.faults.add(mid_stream(3, "ThrottlingException"))
    made = strategy(double, events)
    shown: list[str] = []

    def show(**event: Any) -> None:
        shown.append(event.get("data", ""))

    asking = agent(ModelRouter(made.candidates, strategy=made))
    asking.callback_handler = show
    with pytest.raises(CallFailedError, match="broke off") as caught:
        asking("hello")
    assert caught.value.partial
    assert len(double.calls) == len(events.calls) == 1
    assert "".join(shown).count("Hello") == 1


def test_in_a_tool_loop_a_failover_has_to_be_safe(double: BedrockDouble, events: Events) -> None:
    for thinks, outcome in ((True, "failover_unsafe"), (False, "failover")):
        events.events.clear()
        ask = asks(strategy(double, events))
        double.responder = _FailsInTheLoop(double, thinks=thinks)
        # Strands wraps the errors of a tool loop.
        with contextlib.suppress(EventLoopException) if thinks else contextlib.nullcontext():
            ask("What is the price of tea?")
        assert events.reasons == ["cheapest_clears_bar", "hard_stay", outcome]
        double.faults.clear()


class _FailsInTheLoop:
    """Answers by rule, thinking first if it is to; once a tool was asked for, the cheap model is throttled."""

    def __init__(self, double: BedrockDouble, *, thinks: bool) -> None:
        self._double = double
        self._thinks = thinks

    def __call__(self, model_id: str, request: Any) -> Any:
        answer = RULES(model_id, request)
        if "toolResult" in str(request["messages"][-1]):
            return answer
        self._double.faults.add(throttling(model=CHEAP_ID))
        return (
            [{"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}, *answer]
            if self._thinks
            else answer
        )


def test_a_prompt_too_long_goes_to_a_larger_window(double: BedrockDouble, events: Events) -> None:
    too_long = validation("Input is too long for requested model.", model=CHEAP_ID)
    larger = [msgspec.structs.replace(CATALOG[CAPABLE], context_window=1_000_000), CATALOG[CHEAP]]
    for entries, reasons in (
        (larger, ["cheapest_clears_bar", "failover"]),
        (CATALOG.models, ["cheapest_clears_bar", "no_eligible_candidate"]),
    ):
        double.faults.add(too_long)
        made = TurnoutStrategy(
            pair(double), policy=POLICY, catalog=Catalog.of(entries), classifier=Compare(), recorder=events
        )
        ask = agent(ModelRouter(made.candidates, strategy=made), retry_strategy=None, conversation_manager=_Never())
        events.events.clear()
        with contextlib.suppress(ContextWindowOverflowException):
            ask("hello")
        assert events.reasons == reasons
        double.faults.clear()


class _Never(NullConversationManager):
    """Lets a conversation that is too long be."""
