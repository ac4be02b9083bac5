"""Puts any version of the agent together with one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strands import Agent
from strands.models import Model

from examples.customer_support import v1_baseline, v2_quick_wins, v3_prompt_caching, v4_routing
from examples.customer_support.models import Models, most_capable
from examples.customer_support.tools import SupportTools
from turnout.classify.protocol import Classifier
from turnout.core.policy import Candidate, Policy
from turnout.doors.strands import RoutedModel
from turnout.sessions.memory import SessionMemory
from turnout.trace.events import Records

VERSIONS = {1: v1_baseline, 2: v2_quick_wins, 3: v3_prompt_caching, 4: v4_routing}
"""Each version's module; all have ``NAME`` and ``new_agent``."""


@dataclass(frozen=True)
class SupportAgent:
    """One version, put together: the model is built once, conversations are opened from it.

    Attributes:
        version: 1 to 4.
        name: The agent's name in spans.
        model: The Strands model, which remembers warm prefixes from one conversation to the next.
        tools: The tools.
    """

    version: int
    name: str
    model: Model
    tools: SupportTools

    def new_conversation(self) -> Agent:
        """An agent without history. Ask it with ``invocation_state={"turnout": {"query_id": ...}}`` to name a query."""
        agent: Agent = VERSIONS[self.version].new_agent(self.model, self.tools)
        return agent


def build(
    version: int,
    models: Models,
    policy: Policy,
    *,
    tools: SupportTools | None = None,
    classifier: Classifier | None = None,
    recorder: Records | None = None,
    memory: SessionMemory | None = None,
    run: str = "default",
    simulated: bool = False,
    routing: Mapping[str, Any] | None = None,
) -> SupportAgent:
    """Put a version together.

    Args:
        version: 1 to 4.
        models: Builds the Strands models.
        policy: Versions 1 to 3 use its most capable candidate, version 4 routes by it.
        tools: The tools; by default with web search and the default knowledge base.
        classifier: Version 4's classifier; none: the most capable model serves.
        recorder: Takes the events of all versions, so that they can be compared.
        memory: Version 4's sessions and caches; none: in memory.
        run: The run that events belong to.
        simulated: Whether the models are simulated; every event then says so.
        routing: Further options of version 4's `RoutedModel`, such as `turnout.config.Settings.routing`.

    Raises:
        ValueError: There is no such version.
        UnknownModelError: The catalog does not have a model.
    """
    if version not in VERSIONS:
        raise ValueError(f"there is no version {version}; known are {', '.join(map(str, VERSIONS))}")
    tools = tools or SupportTools()
    name = VERSIONS[version].NAME
    if version == 4:
        model: Model = v4_routing.build_model(
            models,
            policy,
            classifier,
            **{**(routing or {}), "recorder": recorder, "memory": memory, "run": run, "simulated": simulated},
        )
    else:
        build_model = v1_baseline.build_model if version == 1 else v2_quick_wins.build_model
        model = build_model(models, policy)
        if recorder is not None:
            model = _metered(model, models, policy, recorder, run, simulated)
    return SupportAgent(version, name, model, tools)


def _metered(model: Model, models: Models, policy: Policy, recorder: Records, run: str, simulated: bool) -> RoutedModel:
    """The model behind a door with one candidate: nothing to route, but every call is recorded and priced."""
    model_id = most_capable(policy)
    alone = Policy(candidates=(Candidate(model_id, 0),))
    return RoutedModel(
        {model_id: model}, policy=alone, catalog=models.catalog, recorder=recorder, run=run, simulated=simulated
    )


def build_agent(version: int, models: Models, policy: Policy, **options: Any) -> Agent:
    """An agent for one conversation; the options are those of `build`."""
    return build(version, models, policy, **options).new_conversation()
