"""v3: prompt caching. A cache point after the system prompt; the tools stand before it, so it caches them as well.

Bedrock sees a prompt as tools, system, messages. One point at the end of the system covers both: on Sonnet the first
call writes that head, and every call within five minutes reads it at a tenth of the price or less.

Strands also has `CacheConfig`, whose ``tools_ttl`` sets a point of its own after the tools; but with it comes a point
in every newest message, and a conversation of one question would pay the write price for messages that nobody reads
again.
"""

from __future__ import annotations

from strands import Agent
from strands.models import Model
from strands.types.content import SystemContentBlock

from examples.customer_support.prompts import system_prompt
from examples.customer_support.tools import SupportTools
from examples.customer_support.v2_quick_wins import build_model

__all__ = ["NAME", "build_model", "cached_prompt", "new_agent"]

NAME = "customer-support-v3-prompt-caching"


def cached_prompt() -> list[SystemContentBlock]:
    """The structured prompt, and the point up to which it is cached."""
    return [{"text": system_prompt("v2_structured")}, {"cachePoint": {"type": "default"}}]


def new_agent(model: Model, tools: SupportTools) -> Agent:
    """As v2, with the cache point."""
    return Agent(model=model, system_prompt=cached_prompt(), tools=tools.all, name=NAME, callback_handler=None)
