"""v1: the baseline. One capable model, a long prompt without structure, no limits."""

from __future__ import annotations

from strands import Agent
from strands.models import Model

from examples.customer_support.models import Models, most_capable
from examples.customer_support.prompts import system_prompt
from examples.customer_support.tools import SupportTools
from turnout.core.policy import Policy

NAME = "customer-support-v1-baseline"


def build_model(models: Models, policy: Policy) -> Model:
    """The capable model for everything."""
    return models(most_capable(policy))


def new_agent(model: Model, tools: SupportTools) -> Agent:
    """An agent for one conversation."""
    prompt = system_prompt("v1_baseline")
    return Agent(model=model, system_prompt=prompt, tools=tools.all, name=NAME, callback_handler=None)
