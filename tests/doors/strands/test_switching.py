"""Conversations that change their model at the Strands door, over the double of Bedrock."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel
from strands.models import Model, ModelRouter
from strands.models.openai import OpenAIModel

from tests.doors.strands.support import (
    CAPABLE,
    CATALOG,
    CHEAP,
    HEAD,
    POLICY,
    RULES,
    Compare,
    Events,
    agent,
    bedrock,
    entry,
    pair,
    routed,
    served,
    text_of,
)
from turnout.core.cache import CacheRules
from turnout.core.catalog import Capabilities, Catalog
from turnout.core.policy import Candidate, Policy
from turnout.doors.strands import RoutedModel, TurnoutStrategy
from turnout.router import RefusedError
from turnout.testing.bedrock import BedrockDouble, throttling
from turnout.testing.bedrock.models import SimulatedModel
from turnout.upstream.errors import CallFailedError

THINKS = "bedrock/global.anthropic.claude-sonnet-5-5"
THINKS_CHEAPLY = "bedrock/global.anthropic.claude-haiku-5-5"
GPT = "openai/gpt-4.1-mini"
SPEC: Any = {"name": "look", "description": "Look.", "inputSchema": {"json": {"type": "object"}}}


class Kept(Model):
    """Keeps what it is sent; a provider of its own."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.systems: list[Any] = []

    def update_config(self, **model_config: Any) -> None:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {"model_id": "kept"}

    async def structured_output(
        self, output_model: Any, prompt: Any, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        self.sent.append(prompt)
        yield {"output": output_model()}

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        self.sent.append(messages)
        self.systems.append((system_prompt, kwargs.get("system_prompt_content")))
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockDelta": {"delta": {"text": "hi"}}}
        yield {"messageStop": {"stopReason": "end_turn"}}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def written_by_openai() -> list[Any]:
    """A history with what only OpenAI's side writes: its ids, results in messages of their own, bare reasoning."""
    return [
        user({"text": "look for a lamp and a desk"}),
        assistant(
            {"reasoningContent": {"reasoningText": {"text": "two things"}}},
            {"toolUse": {"toolUseId": "call_1|fc_1", "name": "look", "input": {}}},
            {"toolUse": {"toolUseId": "call_2|fc_2", "name": "look", "input": {}}},
        ),
        user({"toolResult": {"toolUseId": "call_1|fc_1", "content": [{"text": "a lamp"}], "status": "success"}}),
        user({"toolResult": {"toolUseId": "call_2|fc_2", "content": [{"text": "a desk"}], "status": "success"}}),
        assistant({"text": "Both are there."}),
        user({"text": "thanks"}),
    ]


async def drain(model: Model, messages: list[Any], system: str | None = HEAD, **kwargs: Any) -> str:
    text = ""
    async for event in model.stream(messages, [SPEC], system, **kwargs):
        text += event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
    return text


async def test_what_another_provider_wrote_is_carried_over(double: BedrockDouble, events: Events) -> None:
    messages = written_by_openai()
    assert await drain(routed(double, events), messages)
    sent = double.calls[-1].request["messages"]
    assert [message["role"] for message in sent] == ["user", "assistant", "user", "assistant", "user"]
    calls = [block["toolUse"]["toolUseId"] for block in sent[1]["content"]]
    assert calls == [block["toolResult"]["toolUseId"] for block in sent[2]["content"]]
    assert messages == written_by_openai()


async def test_it_is_carried_on_every_call_as_the_agents_own_messages_stay(
    double: BedrockDouble, events: Events
) -> None:
    model = routed(double, events)
    messages = written_by_openai()
    options: dict[str, Any] = {"invocation_state": {"turnout": {"session_id": "s"}}}
    await drain(model, messages, **options)
    messages += [assistant({"text": "You are welcome."}), user({"text": "and a chair?"})]
    await drain(model, messages, invocation_state={"turnout": {"session_id": "s"}})
    first, second = (call.request["messages"] for call in double.calls)
    assert second[: len(first)] == first
    assert served(double) == [CHEAP, CHEAP]


async def test_where_nothing_has_to_change_the_same_objects_are_passed_on(events: Events) -> None:
    kept: dict[str, Model] = {CHEAP: Kept(), CAPABLE: Kept()}
    model = RoutedModel(kept, policy=POLICY, catalog=CATALOG, classifier=Compare(), recorder=events)
    messages: list[Any] = [user({"text": "hello"})]
    await drain(model, messages, None)
    cheap = kept[CHEAP]
    assert isinstance(cheap, Kept)
    assert cheap.sent[0] is messages
    assert cheap.systems == [(None, None)]


async def test_a_system_that_has_to_change_is_sent_changed(double: BedrockDouble, events: Events) -> None:
    content = [{"text": HEAD}, {"text": " "}]
    await drain(routed(double, events), [user({"text": "hello"})], None, system_prompt_content=content)
    # The blank text is gone, and the cache point of the mode fill stands after what is left.
    assert double.calls[-1].request["system"] == [{"text": HEAD}, {"cachePoint": {"type": "default"}}]


async def test_structured_output_is_carried_too(double: BedrockDouble, events: Events) -> None:
    class Answer(BaseModel):
        product: str

    async for _ in routed(double, events).structured_output(Answer, written_by_openai()):
        pass
    assert "call_1|fc_1" not in str(double.calls[-1].request)


# ---- what cannot be sent


def with_openai(double: BedrockDouble, events: Events) -> RoutedModel:
    gpt = msgspec.structs.replace(
        entry(GPT, 1024, ("0.4", "1.6", "0.1", "0")),
        provider="openai",
        model_id="gpt-4.1-mini",
        cache=CacheRules(mode="implicit", floor_tokens=1024),
    )
    catalog = Catalog.of([*CATALOG.models, gpt])
    policy = Policy(candidates=(Candidate(GPT, 1), Candidate(CAPABLE, 2)))
    models: dict[str, Model] = {
        GPT: OpenAIModel(client_args={"api_key": "any", "base_url": "http://127.0.0.1:9"}, model_id="gpt-4.1-mini"),
        CAPABLE: bedrock(double, CAPABLE),
    }
    return RoutedModel(models, policy=policy, catalog=catalog, classifier=Compare(), recorder=events, simulated=True)


WORD = {"document": {"format": "docx", "name": "notes", "source": {"bytes": b"PK"}}}
VIDEO = {"video": {"format": "mp4", "source": {"bytes": b"x"}}}


async def test_a_candidate_that_cannot_be_sent_the_history_is_not_eligible(
    double: BedrockDouble, events: Events
) -> None:
    await drain(with_openai(double, events), [user({"text": "read this"}, WORD)])
    assert served(double) == [CAPABLE]
    assert events.reasons == ["verdict_not_needed"]
    refused = events.decisions[-1].decision.estimate(GPT)
    assert refused.ineligible == ("history:untranslatable:messages.0.content.1",)
    assert [call.model for call in events.calls] == [CAPABLE]


async def test_what_is_changed_for_a_candidate_stands_in_the_decision(double: BedrockDouble, events: Events) -> None:
    await drain(routed(double, events), written_by_openai())
    decision = events.decisions[-1].decision
    assert decision.edits == ("history:drop_unsigned_reasoning", "history:merge_messages", "history:tool_id")
    assert decision.estimate(CAPABLE).edits == decision.edits


async def test_where_no_candidate_can_be_sent_it_each_says_why(double: BedrockDouble, events: Events) -> None:
    with pytest.raises(RefusedError, match=r"untranslatable:messages\.0\.content\.1"):
        await drain(routed(double, events), [user({"text": "watch this"}, VIDEO)])
    assert served(double) == []


async def test_what_its_own_model_cannot_be_sent_is_that_models_to_refuse(events: Events) -> None:
    kept: dict[str, Model] = {CHEAP: Kept(), CAPABLE: Kept()}
    model = RoutedModel(kept, policy=POLICY, catalog=CATALOG, classifier=Compare(), recorder=events)
    options: dict[str, Any] = {"turnout": {"session_id": "s"}}
    await drain(model, [user({"text": "hello"})], invocation_state={**options})
    messages = [user({"text": "hello"}), assistant({"text": "hi"}), user({"text": "watch this"}, VIDEO)]
    await drain(model, messages, invocation_state={**options})
    cheap = kept[CHEAP]
    assert isinstance(cheap, Kept)
    assert cheap.sent[1] is messages


# ---- thinking


@pytest.fixture
def thinking_double() -> Iterator[BedrockDouble]:
    models = [
        SimulatedModel(id=f"anthropic.claude-{name}", thinks_first=True, floor_tokens=512)
        for name in ("sonnet-5-5", "haiku-5-5")
    ]
    with BedrockDouble(RULES, models=models) as running:
        yield running


def thinkers(double: BedrockDouble, events: Events, **more: Any) -> RoutedModel:
    catalog = Catalog.of(
        [
            msgspec.structs.replace(entry(THINKS, 512, ("2", "10", "0.1", "2.5")), capabilities=Capabilities()),
            entry(THINKS_CHEAPLY, 512, ("0.1", "0.5", "0.01", "0.125")),
        ]
    )
    return RoutedModel(
        {model_id: bedrock(double, model_id) for model_id in (THINKS, THINKS_CHEAPLY)},
        policy=Policy(candidates=(Candidate(THINKS_CHEAPLY, 1), Candidate(THINKS, 2))),
        catalog=catalog,
        classifier=Compare(),
        recorder=events,
        simulated=True,
        **more,
    )


def thoughts(messages: list[Any]) -> list[int]:
    return [sum("reasoningContent" in block for block in message["content"]) for message in messages]


def test_thinking_that_the_other_model_cannot_read_keeps_the_conversation_where_it_is(
    thinking_double: BedrockDouble, events: Events
) -> None:
    ask = agent(thinkers(thinking_double, events))
    ask("Please compare tea and coffee")
    ask("Thanks")
    assert served(thinking_double) == [THINKS, THINKS]
    assert events.reasons == ["cheapest_below_bar", "hard_stay"]


def test_it_may_be_left_behind_and_is_found_again(thinking_double: BedrockDouble, events: Events) -> None:
    ask = agent(thinkers(thinking_double, events, leave_thinking=True))
    ask("Please compare tea and coffee")
    ask("Thanks")
    ask("Now compare tea and milk")
    assert served(thinking_double) == [THINKS, THINKS_CHEAPLY, THINKS]
    # Every request holds all thinking unchanged, as Claude's documentation asks for: each model reads its own.
    requests = [call.request["messages"] for call in thinking_double.calls]
    assert [thoughts(messages) for messages in requests] == [[0], [0, 1, 0], [0, 1, 0, 1, 0]]
    assert requests[2][:3] == requests[1]


def test_a_tool_loop_keeps_its_thinking_and_its_model(thinking_double: BedrockDouble, events: Events) -> None:
    ask = agent(thinkers(thinking_double, events, leave_thinking=True), retry_strategy=None)
    assert "10 dollars" in text_of(ask("compare the price of tea"))
    assert served(thinking_double) == [THINKS, THINKS]
    stay = events.decisions[-1].given.request.hard_stay
    assert stay is not None
    assert (stay.model, stay.cause) == (THINKS, "bound_state")


async def test_a_plain_tool_loop_fails_over_with_all_that_was_found(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    state: dict[str, Any] = {"turnout": {"session_id": "s"}}
    messages: list[Any] = [user({"text": "look for a lamp"})]
    await drain(model, messages, invocation_state=state)
    messages += [
        assistant({"toolUse": {"toolUseId": "t1", "name": "look", "input": {}}}),
        user({"toolResult": {"toolUseId": "t1", "content": [{"text": "a lamp"}], "status": "success"}}),
    ]
    double.faults.add(throttling())
    assert await drain(model, messages, invocation_state=state)
    assert served(double) == [CHEAP, CHEAP, CAPABLE]
    assert events.reasons == ["cheapest_clears_bar", "hard_stay", "failover"]
    assert double.calls[2].request["messages"] == double.calls[1].request["messages"]


async def test_a_model_that_failed_wrote_nothing(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    state: dict[str, Any] = {"turnout": {"session_id": "s"}}
    messages: list[Any] = [user({"text": "hello"})]
    await drain(model, messages, invocation_state=state)
    messages += [assistant({"text": "hi"}), user({"text": "thanks"})]
    double.faults.add(throttling(), times=None)
    with pytest.raises(CallFailedError):
        await drain(model, messages, invocation_state=state)
    assert served(double) == [CHEAP, CHEAP, CAPABLE, CAPABLE, CAPABLE]
    assert model.routing.router.memory.session("s").current_model == CAPABLE
    call = model.routing.read(messages, None, HEAD, {"invocation_state": state})
    assert model.routing.turns.writer(model.routing.turns.of(call)) == CHEAP


# ---- Strands' own router


def test_strands_own_router_is_given_the_carried_history_too(double: BedrockDouble, events: Events) -> None:
    made = TurnoutStrategy(pair(double), policy=POLICY, catalog=CATALOG, classifier=Compare(), recorder=events)
    ask = agent(ModelRouter(made.candidates, strategy=made), messages=written_by_openai()[:-1], retry_strategy=None)
    ask("thanks")
    assert served(double) == [CHEAP]
    assert "call_1|fc_1" not in str(double.calls[-1].request)
    assert "call_1|fc_1" in str(ask.messages)
