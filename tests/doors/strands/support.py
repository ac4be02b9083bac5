"""Parts that the tests of the Strands door share: a catalog of two real models, a rule for a classifier, an agent."""

from __future__ import annotations

import asyncio
from typing import Any

from botocore.config import Config
from strands import Agent, tool
from strands.models import BedrockModel, Model

from turnout.core.cache import CacheRules
from turnout.core.catalog import Capabilities, Catalog
from turnout.core.catalog import Model as Entry
from turnout.core.policy import Candidate, Policy
from turnout.core.price import flat_price
from turnout.core.verdict import Verdict
from turnout.doors.strands import RoutedModel
from turnout.messages.conversation import Conversation
from turnout.testing.bedrock import BedrockDouble, Rule, RuleResponder
from turnout.trace.records import ListRecorder

CHEAP = "bedrock/global.anthropic.claude-haiku-4-5-20251001-v1:0"
CAPABLE = "bedrock/global.anthropic.claude-sonnet-4-6"


def entry(model_id: str, floor: int, price: tuple[str, str, str, str]) -> Entry:
    fresh, output, read, write = price
    return Entry(
        id=model_id,
        provider="bedrock",
        model_id=model_id.removeprefix("bedrock/"),
        name=model_id,
        price=flat_price(fresh, output, cache_read=read, cache_write_5m=write),
        context_window=200_000,
        cache=CacheRules(floor_tokens=floor, ttls=("5m", "1h")),
        capabilities=Capabilities(vision=True, documents=True),
    )


CATALOG = Catalog.of(
    [
        entry(CHEAP, 4096, ("1", "5", "0.10", "1.25")),
        entry(CAPABLE, 1024, ("3", "15", "0.30", "3.75")),
    ]
)
POLICY = Policy(candidates=(Candidate(CHEAP, 1), Candidate(CAPABLE, 2)), markers="fill")
RULES = RuleResponder([Rule(pattern="price of (?P<product>\\w+)", tool="get_price", input={"product": "{product}"})])
HEAD = "You answer for a shop. " + "The shop has many policies, and this is one of them. " * 120
"""About 1,600 tokens: above the floor of the capable model and below that of the cheap one."""


@tool
def get_price(product: str) -> str:
    """Price of a product."""
    return f"The {product} costs 10 dollars."


class Compare:
    """Says complex where the query compares, else simple."""

    name = "compare"

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        self.asked.append(conversation.query)
        p_simple = 0.1 if "compare" in conversation.query else 0.9
        return Verdict(classifier=self.name, label="simple" if p_simple > 0.5 else "complex", p_simple=p_simple)


class Events(ListRecorder):
    """Events, and why each decision was made."""

    @property
    def reasons(self) -> list[str]:
        return [str(event.decision.reason) for event in self.decisions]


def bedrock(double: BedrockDouble, model_id: str, **options: Any) -> BedrockModel:
    return BedrockModel(
        model_id=model_id.removeprefix("bedrock/"),
        boto_session=double.session(),
        endpoint_url=double.url,
        boto_client_config=Config(retries={"total_max_attempts": 1}),
        max_tokens=500,
        **options,
    )


def pair(double: BedrockDouble, **options: Any) -> dict[str, Model]:
    return {model_id: bedrock(double, model_id, **options) for model_id in (CHEAP, CAPABLE)}


def routed(
    double: BedrockDouble,
    events: Events,
    *,
    policy: Policy = POLICY,
    models: dict[str, Model] | None = None,
    **more: Any,
) -> RoutedModel:
    more.setdefault("classifier", Compare())
    return RoutedModel(models or pair(double), policy=policy, catalog=CATALOG, recorder=events, simulated=True, **more)


def agent(model: Any, **options: Any) -> Agent:
    options.setdefault("system_prompt", HEAD)
    return Agent(model=model, tools=[get_price], callback_handler=None, **options)


def text_of(result: Any) -> str:
    return "".join(block.get("text", "") for block in result.message["content"])


def usages(double: BedrockDouble) -> list[dict[str, Any]]:
    return [dict(call.usage or {}) for call in double.calls]


async def settle(model: RoutedModel) -> None:
    """Wait for the threads of streams that were left, and close their connections."""
    await asyncio.get_running_loop().shutdown_default_executor()
    for candidate in model.candidates.values():
        if isinstance(candidate, BedrockModel):
            candidate.client.close()


def served(double: BedrockDouble) -> list[str]:
    return [f"bedrock/{call.model}" for call in double.calls]
