from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.evaluate.collect.support import CAPABLE, CHEAP, calling
from turnout.config import Settings, load_catalog, load_settings
from turnout.core.catalog import Model
from turnout.core.cost import cost_of
from turnout.core.usage import Usage
from turnout.evaluate.collect.calling import Prompt, highest_pico
from turnout.evaluate.collect.errors import OutOfBudgetError, RequestFailedError
from turnout.evaluate.collect.ways import ways_of
from turnout.testing.bedrock import BedrockDouble
from turnout.testing.completions import AnthropicDouble, Fault, OpenAIDouble, Said, ToolCall
from turnout.trace.records import ListRecorder

ASK = Prompt(messages=[{"role": "user", "content": [{"text": "Where is my order?"}]}], max_tokens=300)
TOOL = {"name": "find", "description": "Finds.", "input_schema": {"type": "object", "properties": {}}}


async def test_an_answer_with_its_bill(settings: Settings, double: OpenAIDouble) -> None:
    events = ListRecorder()
    async with calling(settings, records=events) as (caller, purse, account):
        prompt = msgspec.structs.replace(ASK, system=[{"text": "Be kind."}])
        completed = await caller.complete(CAPABLE, prompt, role="shadow", query_id="q")
    [call] = double.calls
    assert call.request["messages"][0] == {"role": "system", "content": "Be kind."}
    assert call.request["max_completion_tokens"] == 300
    assert "temperature" not in call.request
    assert call.headers["authorization"] == "Bearer simulated"
    assert call.tokens is not None
    cost = cost_of(Usage(input_tokens=call.tokens.fresh, output_tokens=call.tokens.output), CAPABLE.price)
    assert completed.text == "gpt-4.1 says"
    assert (completed.input_tokens, completed.output_tokens) == (call.tokens.fresh, call.tokens.output)
    assert completed.usd_pico == purse.spent_pico == cost.total_pico
    [event] = events.calls
    assert (event.role, event.query_id, event.run, event.session_id) == ("shadow", "q", "collect", "")
    assert (event.cost, event.usage_source, event.finish_reason) == (cost, "reported", "end_turn")
    highest = highest_pico(CAPABLE, prompt.reference_tokens, 300)
    assert account.noted == [("reserve", highest), ("settle", cost.total_pico)]
    assert cost.total_pico < highest


async def test_tools_go_along_and_their_calls_come_back(settings: Settings, double: OpenAIDouble) -> None:
    double.responder = lambda request: Said(text="Let me look.", tools=(ToolCall("find", {"b": 1, "a": [2]}),))
    async with calling(settings) as (caller, _, _):
        prompt = msgspec.structs.replace(ASK, tools=[TOOL])
        completed = await caller.complete(CAPABLE, prompt, role="shadow", query_id="q")
    assert double.calls[0].request["tools"][0]["function"]["name"] == "find"
    assert completed.text == 'Let me look.\nfind({"a":[2],"b":1})'


async def test_what_may_be_tried_again_is(settings: Settings, double: OpenAIDouble) -> None:
    double.faults.add(Fault(status=429, retry_after_s=0.01))
    double.faults.add(Fault(drop=True))
    events = ListRecorder()
    async with calling(settings, records=events) as (caller, purse, account):
        completed = await caller.complete(CAPABLE, ASK, role="shadow", query_id="q")
    assert completed.text == "gpt-4.1 says"
    assert [(call.attempt, call.status, call.error) for call in events.calls] == [
        (1, "error", "RateLimitError"),
        (2, "error", "ReadError"),
        (3, "ok", ""),
    ]
    assert len({call.turn_id for call in events.calls}) == 1
    highest = highest_pico(CAPABLE, ASK.reference_tokens, 300)
    # A refused call costs nothing; nobody knows of one that broke.
    assert [pico for what, pico in account.noted if what == "settle"] == [0, highest, completed.usd_pico]
    assert purse.spent_pico == highest + (completed.usd_pico or 0)


async def test_but_not_for_ever(settings: Settings, double: OpenAIDouble) -> None:
    double.faults.add(Fault(status=500), times=None)
    async with calling(settings) as (caller, purse, _):
        with pytest.raises(RequestFailedError, match=r"openai/gpt-4\.1: InternalServerError") as raised:
            await caller.complete(CAPABLE, ASK, role="shadow", query_id="q")
    assert raised.value.again
    assert len(double.calls) == settings.calls.attempts_per_model
    assert (purse.spent_pico, purse.reserved_pico) == (0, 0)


async def test_a_refused_request_is_not_sent_twice(settings: Settings, double: OpenAIDouble) -> None:
    double.faults.add(Fault(status=400))
    async with calling(settings) as (caller, _, _):
        with pytest.raises(RequestFailedError, match="BadRequestError") as raised:
            await caller.complete(CAPABLE, ASK, role="shadow", query_id="q")
    assert not raised.value.again
    assert len(double.calls) == 1


async def test_an_answer_that_is_none(settings: Settings, double: OpenAIDouble) -> None:
    double.faults.add(Fault(damage="garbage"), times=3)
    async with calling(settings) as (caller, purse, _):
        with pytest.raises(RequestFailedError):
            await caller.complete(CAPABLE, ASK, role="shadow", query_id="q")
    assert purse.reserved_pico == 0
    assert purse.spent_pico > 0


async def test_a_budget_is_held_before_the_call(settings: Settings, double: OpenAIDouble) -> None:
    async with calling(settings, usd="0.0001") as (caller, purse, account):
        with pytest.raises(OutOfBudgetError):
            await caller.complete(CAPABLE, ASK, role="shadow", query_id="q")
    assert not double.calls
    assert not account.noted
    assert (purse.spent_pico, purse.reserved_pico) == (0, 0)


async def test_a_call_that_is_left_counts_at_its_highest(settings: Settings, double: OpenAIDouble) -> None:
    double.faults.add(Fault(delay_s=30.0))
    events = ListRecorder()
    async with calling(settings, records=events) as (caller, purse, account):
        task = asyncio.create_task(caller.complete(CAPABLE, ASK, role="shadow", query_id="q"))
        while not double.calls:  # noqa: ASYNC110  # the double's server is another thread
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    [event] = events.calls
    assert (event.status, event.usage_source) == ("cancelled", "estimated")
    assert purse.spent_pico == event.cost_high_pico == highest_pico(CAPABLE, ASK.reference_tokens, 300)
    assert account.noted[-1] == ("settle", purse.spent_pico)


async def test_what_cannot_be_written(settings: Settings, double: OpenAIDouble) -> None:
    refused: list[list[dict[str, Any]]] = [
        [{"video": {"format": "mp4", "source": {"bytes": "AAAA"}}}],
        [{"toolResult": {}}],
    ]
    for content in refused:
        prompt = msgspec.structs.replace(ASK, messages=[{"role": "user", "content": content}])
        async with calling(settings) as (caller, _, _):
            with pytest.raises(RequestFailedError) as raised:
                await caller.complete(CAPABLE, prompt, role="shadow", query_id="q")
        assert not raised.value.again
    assert not double.calls


@pytest.fixture(scope="module")
def bedrock() -> Iterator[BedrockDouble]:
    double = BedrockDouble()
    double.start()
    yield double
    double.stop()


@pytest.fixture
def on_bedrock(bedrock: BedrockDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, Model]:
    """Settings whose Bedrock is the double, and a model there."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "simulated")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "simulated")
    (tmp_path / "turnout.toml").write_text(
        f'region = "{bedrock.region}"\n[upstreams.bedrock]\nprotocol = "bedrock"\nbase_url = "{bedrock.url}"\n'
    )
    model = load_catalog()["bedrock/global.anthropic.claude-sonnet-4-6"]
    settings = load_settings(tmp_path / "turnout.toml")
    return settings, model


async def test_bedrock(bedrock: BedrockDouble, on_bedrock: tuple[Settings, Model]) -> None:
    settings, model = on_bedrock
    async with calling(settings, ways=ways_of(settings, [model])) as (caller, purse, _):
        prompt = msgspec.structs.replace(ASK, tools=[TOOL], temperature=0.0)
        completed = await caller.complete(model, prompt, role="shadow", query_id="q")
    [call] = bedrock.calls
    assert call.usage is not None
    assert completed.text
    assert (completed.input_tokens, completed.output_tokens) == (call.usage["inputTokens"], call.usage["outputTokens"])
    usage = Usage(input_tokens=completed.input_tokens, output_tokens=completed.output_tokens)
    assert completed.usd_pico == purse.spent_pico == cost_of(usage, model.price).total_pico


async def test_anthropic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "simulated")
    model = load_catalog()["anthropic/claude-sonnet-4-6"]
    with AnthropicDouble(lambda request: Said(text="heard")) as double:
        (tmp_path / "turnout.toml").write_text(
            f'[upstreams.anthropic]\nprotocol = "anthropic"\nbase_url = "{double.url}"\n'
            'key_env = "ANTHROPIC_API_KEY"\n[upstreams.anthropic.models]\n"claude-sonnet-4-6" = "sonnet-of-ours"\n'
        )
        settings = load_settings(tmp_path / "turnout.toml")
        async with calling(settings, ways=ways_of(settings, [model])) as (caller, _, _):
            completed = await caller.complete(model, ASK, role="judge", query_id="q")
        assert completed.text == "heard"
        assert double.calls[0].model == "sonnet-of-ours"
        assert double.calls[0].request["max_tokens"] == 300
        assert double.calls[0].headers["anthropic-version"]


async def test_an_answer_that_was_cut_off(on_bedrock: tuple[Settings, Model]) -> None:
    settings, model = on_bedrock
    short = msgspec.structs.replace(ASK, max_tokens=2)
    async with calling(settings, ways=ways_of(settings, [model])) as (caller, _, _):
        with pytest.raises(RequestFailedError, match=r"cut off at the limit on output \(max_tokens\)"):
            await caller.complete(model, short, role="shadow", query_id="q")
        assert (await caller.complete(model, short, role="judge", query_id="q", whole=False)).output_tokens == 2


def test_the_highest_cost_grows_with_prompt_and_limit() -> None:
    assert highest_pico(CHEAP, 100, 10) < highest_pico(CHEAP, 101, 10) < highest_pico(CHEAP, 101, 11)
    # Twice the counted tokens at the dearest input price, and the whole output.
    tier = CHEAP.price.tiers[0]
    tokens = round(100 * CHEAP.tokenizer_ratio)
    dearest = max(tier.input_pico, tier.cache_read_pico, tier.cache_write_5m_pico)
    assert highest_pico(CHEAP, 100, 10) == 2 * tokens * dearest + 10 * tier.output_pico
