"""What is recorded and traced: the reference agent and single calls, over a simulated Bedrock.

Together they have what bills go wrong by: tool loops, streams and whole answers, cache writes for five minutes and for
an hour and reads of both, thinking, the long-prompt tier, a regional profile, a classifier that is a model, a failover,
a stream that breaks and one that is left.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import msgspec
import pytest
from strands import Agent
from strands.models import BedrockModel
from strands.types.content import ContentBlock

from examples.customer_support import v4_routing as v4
from examples.customer_support.models import Models, policy_of
from examples.customer_support.queries import TEST_PROMPTS
from examples.customer_support.responder_rules import support_responder
from examples.customer_support.tools import SupportTools
from examples.customer_support.tools.knowledge import LocalKnowledge
from examples.customer_support.tools.web import WebSearch
from turnout.classify.llm import LLMClassifier, settings_for
from turnout.classify.llm_strands import StrandsClassifierModel
from turnout.classify.minilm import shared_minilm
from turnout.config import PAIR_4, PAIR_5_5, Pair, load_catalog
from turnout.core.policy import Policy
from turnout.doors.strands import MeteredModel, RoutedModel
from turnout.testing.bedrock import BedrockDouble, mid_stream, throttling
from turnout.trace.events import Records

CATALOG = load_catalog()
RUN = "e2e-phoenix"
POLICY = policy_of(PAIR_4)
REGIONAL = "bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0"
HARD = "My laptop won't turn on, can you help me troubleshoot?"
EASY = "What is your return policy for laptops?"
PAGE = "The shop has many policies, and this is one of them. "
"""Eleven words."""


class Answers:
    """Answers as the demonstration's simulated model does; asked for a label, it says one of the two words by rule."""

    def __init__(self) -> None:
        self._shop = support_responder()

    def __call__(self, model_id: str, request: dict[str, Any], /) -> list[dict[str, Any]]:
        text = request["messages"][-1]["content"][0].get("text", "")
        if "<query>" not in text:
            return self._shop(model_id, request)
        return [{"text": "complex" if "troubleshoot" in text or "specs" in text else "simple"}]


class Shop(NamedTuple):
    """What the parts of the workload share."""

    double: BedrockDouble
    models: Models
    tools: SupportTools
    recorder: Records

    def routed(self, pair: Pair = PAIR_4, policy: Policy = POLICY, **options: Any) -> RoutedModel:
        """The reference agent's model with its classifier."""
        asked = CATALOG[pair.cheap]
        classifier = LLMClassifier(
            StrandsClassifierModel(self.models(asked.id), model_id=asked.id), settings=settings_for(asked)
        )
        return v4.build_model(
            self.models, policy, classifier, recorder=self.recorder, run=RUN, simulated=True, **options
        )

    def agent(self, model: RoutedModel) -> Agent:
        """The reference agent, version 4."""
        return v4.new_agent(model, self.tools)


@contextmanager
def opened(recorder: Records) -> Iterator[Shop]:
    """The shop with its simulated models, cold."""
    tools = SupportTools(knowledge=LocalKnowledge(shared_minilm().embed), web=WebSearch(enabled=False))
    with (
        BedrockDouble(Answers()) as double,
        closing(Models(CATALOG, endpoint_url=double.url, boto_session=double.session())) as models,
    ):
        yield Shop(double, models, tools, recorder)


def five_questions(shop: Shop) -> None:
    """The reference system's test prompts, each in a conversation of its own."""
    model = shop.routed()
    for query in TEST_PROMPTS:
        shop.agent(model)(query.prompt, invocation_state={"turnout": {"query_id": query.title}})


def a_conversation_that_is_not_streamed(shop: Shop) -> None:
    model = shop.routed()
    model.update_config(streaming=False)
    asks = shop.agent(model)
    for query in (HARD, EASY, "Thank you, and how do I troubleshoot the screen?"):
        asks(query)


def cached_for_an_hour(shop: Shop) -> None:
    model = shop.routed(policy=msgspec.structs.replace(POLICY, fill_ttl="1h"))
    asks = Agent(model=model, system_prompt=PAGE * 200, tools=shop.tools.all, callback_handler=None)
    for query in (HARD, "And how do I troubleshoot the battery?"):
        asks(query)


def cached_for_both(shop: Shop) -> None:
    """An hour for the system prompt, five minutes for the question's document; what comes after is fresh."""
    asks = Agent(
        model=shop.routed(),
        system_prompt=[{"text": PAGE * 210}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
        callback_handler=None,
    )
    document: list[ContentBlock] = [{"text": PAGE * 220}, {"cachePoint": {"type": "default"}}, {"text": HARD}]
    asks(document)
    asks("And how do I troubleshoot the keyboard?")


def thinking_and_a_long_prompt(shop: Shop) -> None:
    """Models that think first; the second question's prompt is above 100,000 tokens, where the cheap one costs more."""
    model = shop.routed(PAIR_5_5, policy_of(PAIR_5_5))
    Agent(model=model, system_prompt=PAGE * 300, callback_handler=None)(HARD)
    long = Agent(model=model, system_prompt=PAGE * 8_000, callback_handler=None)
    pinned = {"turnout": {"pin": PAIR_5_5.cheap}}
    long(EASY, invocation_state=pinned)
    long("Thank you!", invocation_state=pinned)


def a_regional_profile(shop: Shop) -> None:
    answering = shop.models(REGIONAL, max_tokens=300)
    model = MeteredModel.alone(answering, REGIONAL, catalog=CATALOG, recorder=shop.recorder, run=RUN, simulated=True)
    Agent(model=model, system_prompt=PAGE, callback_handler=None)(EASY)


def a_failover(shop: Shop) -> None:
    """The capable model is throttled, so the cheap one serves."""
    shop.double.faults.add(throttling(model=PAIR_4.capable.removeprefix("bedrock/")))
    shop.agent(shop.routed())(HARD)


def a_classifier_that_fails(shop: Shop) -> None:
    """The cheap model is throttled when it is asked for a label, so the capable one serves."""
    shop.double.faults.add(throttling(model=PAIR_4.cheap.removeprefix("bedrock/")))
    shop.agent(shop.routed())(EASY)


def a_stream_that_breaks(shop: Shop) -> None:
    capable = PAIR_4.capable
    model = MeteredModel.alone(
        shop.models(capable), capable, catalog=CATALOG, recorder=shop.recorder, run=RUN, simulated=True
    )
    shop.double.faults.add(mid_stream(3))
    with pytest.raises(Exception, match=r"broke off.*ModelStreamErrorException"):
        Agent(model=model, system_prompt=PAGE * 200, callback_handler=None, retry_strategy=None)(EASY)
    gc.collect()


def a_stream_that_is_left(shop: Shop) -> None:
    async def leave() -> None:
        model = shop.routed()
        stream = model.stream([{"role": "user", "content": [{"text": HARD}]}], None, PAGE * 200)
        async for event in stream:
            if "contentBlockDelta" in event:
                break
        await stream.aclose()
        await asyncio.get_running_loop().shutdown_default_executor()
        for candidate in model.candidates.values():
            assert isinstance(candidate, BedrockModel)
            candidate.client.close()

    asyncio.run(leave())
    gc.collect()


PARTS: tuple[Callable[[Shop], None], ...] = (
    five_questions,
    a_conversation_that_is_not_streamed,
    cached_for_an_hour,
    cached_for_both,
    thinking_and_a_long_prompt,
    a_regional_profile,
    a_failover,
    a_classifier_that_fails,
    a_stream_that_breaks,
    a_stream_that_is_left,
)
