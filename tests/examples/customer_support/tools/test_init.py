from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from strands import Agent

from examples.customer_support.tools import SupportTools, default_knowledge
from examples.customer_support.tools.bedrock_knowledge import BedrockKnowledge
from examples.customer_support.tools.knowledge import Hit, LocalKnowledge, RetrievalError
from examples.customer_support.tools.web import OFFLINE
from turnout.upstream.local.strands_model import LocalModel


class Unreachable:
    """A knowledge base that cannot be reached."""

    def search(self, issue: str, top_k: int) -> list[Hit]:
        raise RetrievalError("AccessDeniedException")


def use(tool: Any, **tool_input: str) -> str:
    """Call a tool as a function; its declared type forgets that it is bound."""
    answer: str = tool(**tool_input)
    return answer


@pytest.fixture
def fresh_default() -> Iterator[None]:
    default_knowledge.cache_clear()
    yield
    default_knowledge.cache_clear()


def test_the_model_is_offered_the_four_tools_in_a_fixed_order(tools: SupportTools) -> None:
    agent = Agent(tools=tools.all, model=LocalModel())
    specs = agent.tool_registry.get_all_tool_specs()
    assert [spec["name"] for spec in specs] == [
        "get_return_policy",
        "get_product_info",
        "web_search",
        "get_technical_support",
    ]
    inputs = {spec["name"]: spec["inputSchema"]["json"] for spec in specs}
    assert list(inputs["get_return_policy"]["properties"]) == ["product_category"]
    assert inputs["web_search"]["required"] == ["keywords"]
    for spec in specs:
        assert "self" not in spec["inputSchema"]["json"]["properties"]
        for described in spec["inputSchema"]["json"]["properties"].values():
            assert not described["description"].startswith("Parameter ")


def test_each_tool_answers(tools: SupportTools) -> None:
    assert use(tools.get_return_policy, product_category="tablets").startswith("Return policy for tablets")
    assert use(tools.get_product_info, product_type="tablets").startswith("Tablets at Brightwell")
    assert use(tools.web_search, keywords="dock news") == OFFLINE
    found = use(tools.get_technical_support, issue_description="the printer is offline")
    assert found.startswith("[A printer is offline or prints badly: ")
    assert "(score 0." in found


def test_products_are_known_by_name(tools: SupportTools) -> None:
    found = use(tools.get_technical_support, issue_description="What drains my Halden X2 overnight?")
    assert found.startswith("[A phone battery drains too fast: ")


def test_an_issue_that_no_article_fits_is_said_to_be(tools: SupportTools) -> None:
    assert "No support article fits" in use(tools.get_technical_support, issue_description="weather in Paris tomorrow")
    assert "Describe the device" in use(tools.get_technical_support, issue_description=" ")


def test_a_knowledge_base_that_is_down_is_a_sentence_without_internals() -> None:
    answer = use(SupportTools(knowledge=Unreachable()).get_technical_support, issue_description="printer offline")
    assert "cannot be searched just now" in answer
    assert "AccessDenied" not in answer


@pytest.mark.usefixtures("fresh_default")
def test_the_local_articles_are_the_default() -> None:
    assert isinstance(default_knowledge(), LocalKnowledge)


@pytest.mark.usefixtures("fresh_default")
def test_a_configured_knowledge_base_is_used_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNOWLEDGE_BASE_ID", "KB12345678")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    assert isinstance(default_knowledge(), BedrockKnowledge)
