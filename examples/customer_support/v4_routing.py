"""v4: routing. Each question goes to the cheaper model where a classifier says that it can carry it.

This file is also an entry point for Amazon Bedrock AgentCore: ``python -m examples.customer_support.v4_routing`` is
``turnout agentcore app --version v4 --live``, configured by ``turnout.toml`` and the AWS configuration.
"""

from __future__ import annotations

import sys
from typing import Any

from strands import Agent
from strands.models import Model

from examples.customer_support.models import Models
from examples.customer_support.tools import SupportTools
from examples.customer_support.v2_quick_wins import MAX_TOKENS, TEMPERATURE
from examples.customer_support.v3_prompt_caching import cached_prompt
from turnout.classify.protocol import Classifier
from turnout.core.policy import Policy
from turnout.doors.strands import RoutedModel

NAME = "customer-support-v4-routing"


def build_model(models: Models, policy: Policy, classifier: Classifier | None, **options: Any) -> RoutedModel:
    """As v2, for every candidate; the options are those of `RoutedModel`, such as its recorder."""
    ids = [candidate.model for candidate in policy.candidates]
    candidates = {model_id: models(model_id, max_tokens=MAX_TOKENS, temperature=TEMPERATURE) for model_id in ids}
    return RoutedModel(candidates, policy=policy, catalog=models.catalog, classifier=classifier, **options)


def new_agent(model: Model, tools: SupportTools) -> Agent:
    """As v3."""
    return Agent(model=model, system_prompt=cached_prompt(), tools=tools.all, name=NAME, callback_handler=None)


if __name__ == "__main__":
    from turnout.cli.app import call

    sys.exit(call(["agentcore", "app", "--version", "v4", "--live", *sys.argv[1:]]))
