"""v2: quick wins. The same knowledge in a shorter, structured prompt, a limit on output, a low temperature."""

from __future__ import annotations

from strands import Agent
from strands.models import Model

from examples.customer_support.models import Models, most_capable
from examples.customer_support.prompts import system_prompt
from examples.customer_support.tools import SupportTools
from turnout.core.policy import Policy

NAME = "customer-support-v2-quick-wins"
MAX_TOKENS = 800
"""An answer of 250 words takes about 400 tokens."""
TEMPERATURE = 0.2
"""Low, for answers that stay close to the tools; left out where a model rejects it."""


def build_model(models: Models, policy: Policy) -> Model:
    """As v1, with limits."""
    return models(most_capable(policy), max_tokens=MAX_TOKENS, temperature=TEMPERATURE)


def new_agent(model: Model, tools: SupportTools) -> Agent:
    """As v1, with the structured prompt."""
    prompt = system_prompt("v2_structured")
    return Agent(model=model, system_prompt=prompt, tools=tools.all, name=NAME, callback_handler=None)
