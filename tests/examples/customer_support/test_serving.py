from __future__ import annotations

import asyncio
import json

import pytest
from strands import Agent
from strands.types.content import Message

from examples.customer_support import v4_routing
from examples.customer_support.models import PAIRS, policy_of
from examples.customer_support.serving import (
    Conversations,
    DecisionLog,
    PayloadError,
    answer_of,
    error_response,
    read_prompt,
)
from examples.customer_support.tools import SupportTools
from tests.examples.customer_support.support import ByWord, Events, models_of
from turnout.testing.bedrock import BedrockDouble, throttling
from turnout.upstream.local.strands_model import LocalModel


def agent() -> Agent:
    return Agent(model=LocalModel(), callback_handler=None)


def said(text: str) -> Message:
    return {"role": "user", "content": [{"text": text}]}


def test_a_prompt_is_given_as_it_was_written() -> None:
    assert read_prompt({"prompt": " Grüße 👋 ", "more": 1}, 20) == " Grüße 👋 "


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (None, "must be an object"),
        ("hello", "must be an object"),
        ([{"prompt": "hello"}], "must be an object"),
        ({}, 'no "prompt"'),
        ({"prompt": None}, 'no "prompt"'),
        ({"prompt": 5}, "must be text, got int"),
        ({"prompt": {"text": "x"}}, "must be text, got dict"),
        ({"prompt": ""}, "is empty"),
        ({"prompt": " \n"}, "is empty"),
        ({"prompt": "x" * 21}, "has 21 characters, at most 20"),
        ({"prompt": "a\0b"}, "not text"),
        ({"prompt": "\ud800"}, "not text"),
    ],
)
def test_any_other_payload_is_refused_with_what_is_wrong(payload: object, message: str) -> None:
    with pytest.raises(PayloadError, match=message):
        read_prompt(payload, 20)


def test_the_caller_is_told_their_own_mistake_and_no_internals() -> None:
    refused = error_response(PayloadError("the payload is odd"))
    assert refused.status_code == 400
    assert json.loads(bytes(refused.body)) == {"error": {"code": "invalid_payload", "message": "the payload is odd"}}
    failed = error_response(RuntimeError("secret at /srv/agent.py"))
    assert failed.status_code == 500
    assert b"secret" not in bytes(failed.body)


async def test_a_session_keeps_its_agent_and_others_get_their_own() -> None:
    conversations = Conversations(agent)
    async with conversations.agent("a") as first:
        first.messages.append(said("hello"))
    async with conversations.agent("a") as again, conversations.agent("b") as other:
        assert again is first
        assert other.messages == []
    async with conversations.agent(None) as one, conversations.agent(None) as two:
        assert one is not two


async def test_the_session_used_longest_ago_is_forgotten_first() -> None:
    conversations = Conversations(agent, most_sessions=2)
    for session_id in ("a", "b", "a", "c"):
        async with conversations.agent(session_id) as kept:
            kept.messages.append(said(session_id))
    async with conversations.agent("a") as a:
        assert len(a.messages) == 2
    async with conversations.agent("b") as b:
        assert b.messages == []


async def test_questions_of_one_session_are_answered_one_after_the_other() -> None:
    conversations = Conversations(agent)
    order: list[str] = []

    async def ask(name: str) -> None:
        async with conversations.agent("a"):
            order.append(f"{name} begins")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    await asyncio.gather(ask("one"), ask("two"))
    assert order == ["one begins", "one ends", "two begins", "two ends"]


@pytest.mark.parametrize("failure", [RuntimeError, asyncio.CancelledError])
async def test_a_question_that_fails_leaves_no_trace_in_the_history(failure: type[BaseException]) -> None:
    conversations = Conversations(agent)
    async with conversations.agent("a") as kept:
        kept.messages.append(said("before"))

    async def fail() -> None:
        async with conversations.agent("a") as kept:
            kept.messages.append(said("lost"))
            raise failure

    with pytest.raises(failure):
        await fail()
    async with conversations.agent("a") as kept:
        assert kept.messages == [said("before")]


async def test_each_request_is_given_its_own_decisions(double: BedrockDouble, tools: SupportTools) -> None:
    events = Events()
    log = DecisionLog(events)
    models = models_of(double)
    model = v4_routing.build_model(models, policy_of(PAIRS["4.5"]), ByWord(), recorder=log)

    async def ask(prompt: str) -> dict[str, object]:
        with log.collect() as decisions:
            result = await v4_routing.new_agent(model, tools).invoke_async(prompt)
        return answer_of(result, decisions)

    simple, hard = await asyncio.gather(ask("What are your hours?"), ask("Is the return of a monitor free?"))
    models.close()
    assert (simple["model_used"], simple["complexity"]) == (PAIRS["4.5"].cheap, "simple")
    assert (hard["model_used"], hard["complexity"]) == (PAIRS["4.5"].capable, "complex")
    assert len(events.decisions) == 3
    assert simple["decision"] == {
        "reason": "cheapest_clears_bar",
        "runner_up": PAIRS["4.5"].capable,
        "classifier": "by-word",
        "p_simple": 0.9,
        "bar": 0.5,
        "expected_cost_usd": {
            estimate.model: f"{estimate.expected.cost_pico / 10**12:.12f}"
            for estimate in events.decisions[0].decision.estimates
            if estimate.expected is not None
        },
    }


async def test_a_failover_is_named(double: BedrockDouble, tools: SupportTools) -> None:
    log = DecisionLog()
    models = models_of(double)
    model = v4_routing.build_model(models, policy_of(PAIRS["4.5"]), ByWord(), recorder=log)
    double.faults.add(throttling())
    with log.collect() as decisions:
        result = await v4_routing.new_agent(model, tools).invoke_async("What are your hours?")
    models.close()
    answer = answer_of(result, decisions)
    assert answer["model_used"] == PAIRS["4.5"].capable
    assert answer["decision"]["failed_over_from"] == [PAIRS["4.5"].cheap]
    assert answer["decision"]["reason"] == "cheapest_clears_bar"
