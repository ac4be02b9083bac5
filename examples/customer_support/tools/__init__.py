"""The agent's four tools, with the descriptions that the model reads.

A tool never raises on what a customer or a model may say: an unknown category, a missing network or an unreachable
knowledge base becomes a sentence that the model can work with.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from typing import Any

from strands import tool

from examples.customer_support.tools import shop
from examples.customer_support.tools.knowledge import LocalKnowledge, RetrievalError, Retriever
from examples.customer_support.tools.web import WebSearch

logger = logging.getLogger(__name__)

PASSAGES = 3
"""How many passages a support search returns: about one article."""


class SupportTools:
    """The four tools over one knowledge base and one web search.

    Args:
        knowledge: What ``get_technical_support`` searches; by default `default_knowledge`.
        web: What ``web_search`` uses; by default DuckDuckGo.

    Raises:
        MissingExtraError: The default knowledge needs the extra ``embedding``.
        WeightsError: It needs the packaged weights, which are not installed; the message says how to install them.
    """

    def __init__(self, *, knowledge: Retriever | None = None, web: WebSearch | None = None) -> None:
        self._knowledge = knowledge or default_knowledge()
        self._web = web or WebSearch()

    @property
    def all(self) -> list[Any]:
        """The tools for ``Agent(tools=...)``, always in the same order: their text is part of the cached prefix."""
        return [self.get_return_policy, self.get_product_info, self.web_search, self.get_technical_support]

    @tool
    def get_return_policy(self, product_category: str) -> str:
        """Look up return window, condition, fees, refund time, exceptions and warranty for one product category.

        Use it for every question on returns, refunds, exchanges or warranty. Call it once for each category.

        Args:
            product_category: One of laptops, smartphones, tablets, headphones, monitors, cameras, smart home,
                accessories.
        """
        return shop.return_policy(product_category)

    @tool
    def get_product_info(self, product_type: str) -> str:
        """Look up what Brightwell sells: models, prices in US dollars, stock and full specifications.

        Use it before you name any product, price or availability. It is the only source for them.

        Args:
            product_type: A category (laptops, smartphones, tablets, headphones, monitors, cameras, smart home,
                accessories) or the name of a product.
        """
        return shop.product_info(product_type)

    @tool
    def web_search(self, keywords: str, region: str = "us-en", max_results: int = 5) -> str:
        """Search the public web for what the other tools cannot know: news, compatibility, another maker's pages.

        Never use it for Brightwell's prices, stock or policies, and never put personal data into the keywords.

        Args:
            keywords: Search words, without personal data.
            region: Region and language, for example us-en or uk-en.
            max_results: How many results, 1 to 10.
        """
        return self._web(keywords, region, max_results)

    @tool
    def get_technical_support(self, issue_description: str) -> str:
        """Find troubleshooting steps in Brightwell's support articles for a device that does not work as it should.

        Use it for every technical problem before you suggest a step. Returns passages with a title and a score up to 1;
        one below 0.4 may be about another problem, so ask the customer for details.

        Args:
            issue_description: The device and its symptoms in one sentence, as the customer described them.
        """
        if not issue_description.strip():
            return "Describe the device and what is wrong with it."
        try:
            hits = self._knowledge.search(shop.with_category(issue_description), PASSAGES)
        except RetrievalError as error:
            logger.warning("error=<%s> | support articles cannot be searched", error)
            return "The support articles cannot be searched just now. Offer to hand over to a technician."
        if not hits:
            return "No support article fits this description. Ask for the device and the exact symptom."
        return "\n\n".join(f"[{hit.title}] (score {hit.score:.2f})\n{hit.text}" for hit in hits)


@cache
def default_knowledge() -> Retriever:
    """The Bedrock Knowledge Base that ``KNOWLEDGE_BASE_ID`` names, else the local articles with the packaged embedding.

    Local articles are indexed at the first search, once for the process: about 2 seconds on 2 cores.
    """
    if knowledge_base_id := os.environ.get("KNOWLEDGE_BASE_ID"):
        from examples.customer_support.tools.bedrock_knowledge import BedrockKnowledge

        return BedrockKnowledge(knowledge_base_id)
    from turnout.classify.minilm import shared_minilm

    return LocalKnowledge(shared_minilm().embed)


class NoTools(SupportTools):
    """For models that cannot call tools."""

    def __init__(self) -> None:
        """Nothing is loaded: there is nothing to call."""

    @property
    def all(self) -> list[Any]:
        """No tools."""
        return []
