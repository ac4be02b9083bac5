"""SmolLM2 as a Strands model, used as Strands uses models. Nothing here asks for a good answer."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any, Literal

import pytest
from pydantic import BaseModel
from strands import Agent, tool
from strands.types.exceptions import ContextWindowOverflowException

from turnout.upstream.local.smollm import SMOLLM2_ID, LocalModelError, SmolLM
from turnout.upstream.local.strands_model import LocalModel


@tool
def get_price(product: str) -> str:
    """Price of a product."""
    raise AssertionError("the local model cannot call tools")


def user(*blocks: Any) -> list[Any]:
    return [{"role": "user", "content": list(blocks)}]


async def events_of(model: LocalModel, messages: list[Any], *args: Any, **kwargs: Any) -> list[Any]:
    return [event async for event in model.stream(messages, *args, **kwargs)]


def text_of(events: list[Any]) -> str:
    return "".join(event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event)


async def test_events_are_those_of_converse(smollm: SmolLM) -> None:
    events = await events_of(LocalModel(smollm, max_tokens=6), user({"text": "Count to three."}))
    kinds = [next(iter(event)) for event in events]
    assert kinds[:2] == ["messageStart", "contentBlockStart"]
    assert kinds[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    assert set(kinds[2:-3]) == {"contentBlockDelta"}
    assert events[-2]["messageStop"]["stopReason"] == "max_tokens"
    usage = events[-1]["metadata"]["usage"]
    assert usage["outputTokens"] == 6
    assert usage["totalTokens"] == usage["inputTokens"] + usage["cacheReadInputTokens"] + 6
    assert text_of(events)


async def test_the_system_text_counts(smollm: SmolLM) -> None:
    model = LocalModel(smollm, max_tokens=4)
    without = await events_of(model, user({"text": "Hi"}))
    as_text = await events_of(model, user({"text": "Hi"}), None, "You are a pirate. Say arr.")
    as_blocks = await events_of(
        model,
        user({"text": "Hi"}),
        system_prompt_content=[{"text": "You are a pirate. Say arr."}, {"cachePoint": {"type": "default"}}],
    )

    def prompt_tokens(events: list[Any]) -> int:
        usage = events[-1]["metadata"]["usage"]
        return int(usage["inputTokens"] + usage["cacheReadInputTokens"])

    assert prompt_tokens(as_text) == prompt_tokens(as_blocks) > prompt_tokens(without)


def test_an_agent_with_tools_answers_without_them(smollm: SmolLM, caplog: pytest.LogCaptureFixture) -> None:
    model = LocalModel(smollm, max_tokens=100)
    agent = Agent(model=model, tools=[get_price], callback_handler=None, retry_strategy=None)
    with caplog.at_level(logging.WARNING):
        result = agent("Reply with the single word: yes")
        agent("Reply with the single word: no")
    assert result.message["content"][0]["text"]
    assert result.metrics.accumulated_usage["outputTokens"] > 0
    assert caplog.text.count("the local model cannot call tools and answers without") == 1


async def test_a_forced_tool_is_refused(smollm: SmolLM) -> None:
    with pytest.raises(LocalModelError, match="cannot call tools"):
        await events_of(LocalModel(smollm), user({"text": "Hi"}), tool_choice={"any": {}})


async def test_tool_calls_and_results_of_the_history_are_shown_as_text(smollm: SmolLM) -> None:
    messages = [
        *user({"text": "price?"}),
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "get_price", "input": {"p": 1}}}]},
        *user({"toolResult": {"toolUseId": "t", "status": "success", "content": [{"text": "10"}, {"json": {"a": 1}}]}}),
    ]
    assert text_of(await events_of(LocalModel(smollm, max_tokens=4), messages))


async def test_an_image_is_refused(smollm: SmolLM) -> None:
    image = {"image": {"format": "png", "source": {"bytes": b""}}}
    with pytest.raises(LocalModelError, match="cannot read a block of kind 'image'"):
        await events_of(LocalModel(smollm), user({"text": "what is it?"}, image))


async def test_a_long_system_text_is_cut_and_long_messages_overflow(
    smollm: SmolLM, caplog: pytest.LogCaptureFixture
) -> None:
    tight = SmolLMWindow.of(smollm)
    with caplog.at_level(logging.WARNING):
        events = await events_of(LocalModel(tight, max_tokens=4), user({"text": "Hi"}), None, "word " * 20_000)
    assert "the system text is cut to fit" in caplog.text
    assert text_of(events)
    with pytest.raises(ContextWindowOverflowException, match="the local model has room for"):
        await events_of(LocalModel(smollm, max_tokens=4), user({"text": "word " * 6000}))


class SmolLMWindow(SmolLM):
    """The loaded model, said to have a small context, so that no long prompt has to be read."""

    @classmethod
    def of(cls, smollm: SmolLM) -> SmolLMWindow:
        window = cls.__new__(cls)
        window.__dict__.update(smollm.__dict__)
        window.context_tokens = 64
        return window


async def test_a_signal_ends_it_at_the_next_token(smollm: SmolLM) -> None:
    signal = threading.Event()
    events = []
    async for event in LocalModel(smollm, max_tokens=2000).stream(
        user({"text": "Tell a very long story."}), cancel_signal=signal
    ):
        events.append(event)
        if "contentBlockDelta" in event:
            signal.set()
    assert events[-1] == {"messageStop": {"stopReason": "cancelled"}}
    assert sum("contentBlockDelta" in event for event in events) <= 2


async def test_cancelled_it_ends(smollm: SmolLM) -> None:
    async def consume() -> None:
        await events_of(LocalModel(smollm, max_tokens=3000), user({"text": "Tell a very long story."}))

    task = asyncio.create_task(consume())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(20):
        assert text_of(await events_of(LocalModel(smollm, max_tokens=2), user({"text": "Hi"})))


class Size(BaseModel):
    """A size."""

    size: Literal["small", "large"]


async def test_structured_output_has_the_schemas_form(smollm: SmolLM) -> None:
    model = LocalModel(smollm, max_tokens=40)
    (event,) = [event async for event in model.structured_output(Size, user({"text": "An elephant"}))]
    assert isinstance(event["output"], Size)
    with pytest.raises(LocalModelError, match=r"does not validate as Size: .*finish reason length"):
        async for _ in LocalModel(smollm, max_tokens=1).structured_output(Size, user({"text": "An elephant"})):
            pass


def test_settings() -> None:
    model = LocalModel()
    assert model.get_config() == {"model_id": SMOLLM2_ID, "max_tokens": 256}
    model.update_config(max_tokens=5)
    assert model.config["max_tokens"] == 5
    with pytest.raises(ValueError, match="no setting temperature"):
        model.update_config(temperature=0.5)
    with pytest.raises(ValueError, match="max_tokens must be at least 1, got 0"):
        LocalModel(max_tokens=0)
