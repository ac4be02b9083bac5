"""`TurnoutStrategy`: Turnout's decision as a strategy of Strands' own `ModelRouter`.

Strands asks a strategy once for each invocation and again after a failed call. What Strands does not let a strategy
report stands in Turnout's events: the decision, the classifier's calls and, where candidates are wrapped in
`MeteredModel`, every answer.

Strands retries a throttled model up to six times, over two minutes, before it asks for another one. Give the agent a
shorter retry strategy to keep failover fast::

    Agent(model=ModelRouter(candidates, strategy=strategy), retry_strategy=ModelRetryStrategy(max_attempts=1))

Known limitations, all of `ModelRouter`: `Agent.structured_output()` bypasses routing; the agent's span names the first
candidate; cache points are not filled in. `RoutedModel` has none of them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Unpack

import msgspec
from strands.models import Model, RoutingCandidate
from strands.models.routing import RoutingContext

from turnout.core.decision import larger_windows_only
from turnout.doors.strands.conversation import Call
from turnout.doors.strands.metered import MeteredModel
from turnout.doors.strands.routing import RoutingOptions, StrandsRouting
from turnout.router import RefusedError
from turnout.upstream.errors import failure_of

logger = logging.getLogger(__name__)


class TurnoutStrategy:
    """A Strands `RoutingStrategy`: on the opening ask it always names a candidate, and never raises.

    Use it with its own candidates, which are declared most capable first and record their calls::

        strategy = TurnoutStrategy(models, policy=policy, catalog=catalog, classifier=classifier, recorder=recorder)
        agent = Agent(model=ModelRouter(strategy.candidates, strategy=strategy))

    A strategy cannot refuse: where Turnout would (a spent budget, a pin that does not fit), the most capable candidate
    serves, with a warning in the log and the refusal in the events.

    Args:
        models: For each candidate of the policy, by catalog id, the Strands model that serves it.
        **options: Policy, catalog and more: see `turnout.doors.strands.routing.RoutingOptions`. The policy's ``fill``
            is not possible here: cache points stay as they are.

    Raises:
        ValueError: Models and policy differ, or a model is stateful.
        UnknownModelError: A candidate is not in the catalog.
    """

    def __init__(self, models: Mapping[str, Model], **options: Unpack[RoutingOptions]) -> None:
        if "policy" in options:
            options["policy"] = msgspec.structs.replace(options["policy"], markers="user")
        self.routing = StrandsRouting(models, **options)
        ranked = sorted(self.routing.router.policy.candidates, key=lambda candidate: -candidate.rank)
        self.candidates: tuple[RoutingCandidate, ...] = tuple(
            RoutingCandidate(MeteredModel(models[candidate.model], candidate.model, self.routing), name=candidate.model)
            for candidate in ranked
        )

    async def select(self, context: RoutingContext, **kwargs: Any) -> RoutingCandidate | None:
        """The candidate to use; ``None``, which lets the model's error surface, only after a failed call."""
        offered = {candidate.name: candidate for candidate in context.candidates}
        if context.attempts:
            return self._after_failure(context, offered)
        try:
            call = self._read(context)
            routed = await self.routing.route(call, self.routing.turns.begin(call))
            return offered[routed.model.id]
        except Exception as error:
            logger.warning(
                "error=<%s>, detail=<%s> | no decision, the most capable candidate serves", type(error).__name__, error
            )
            ours = (offered[candidate.name] for candidate in self.candidates if candidate.name in offered)
            return next(ours, context.candidates[0])

    def _after_failure(
        self, context: RoutingContext, offered: Mapping[str | None, RoutingCandidate]
    ) -> RoutingCandidate | None:
        error = context.attempts[-1].exception
        call = self._read(context)
        turn = self.routing.turns.find(call)
        # What broke off after its first content must not begin again: Strands' consumers would see it twice.
        if error is None or turn is None or turn.routed is None or turn.broke_off:
            return None
        failure = failure_of(error)
        catalog, model = self.routing.router.catalog, turn.routed.model
        unavailable = larger_windows_only(catalog, model) if failure.kind == "overflow" else ()
        if failure.kind not in ("retryable", "overflow"):
            return None
        try:
            following = self.routing.router.failover(
                turn.routed,
                failure.name,
                same_request=False,
                conversation=call.conversation,
                unavailable=unavailable,
            )
        except RefusedError:
            return None
        return offered.get(following.model.id)

    def _read(self, context: RoutingContext) -> Call:
        system = context.system_prompt
        content = None if system is None or isinstance(system, str) else system
        seen = {"invocation_state": context.invocation_state, "system_prompt_content": content}
        return self.routing.read(
            context.messages, list(context.tool_specs), system if isinstance(system, str) else None, seen
        )
