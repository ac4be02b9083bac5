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
from typing import Any

import msgspec
from strands.models import Model, RoutingCandidate
from strands.models.routing import RoutingContext

from turnout.classify.protocol import Classifier
from turnout.core.catalog import Catalog
from turnout.core.policy import Policy
from turnout.doors.strands.conversation import Call
from turnout.doors.strands.metered import MeteredModel
from turnout.doors.strands.routing import StrandsRouting
from turnout.router import RefusedError
from turnout.sessions.memory import SessionMemory
from turnout.trace.events import Records
from turnout.upstream.errors import error_name, is_retryable

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
        policy: The rules. ``fill`` is not possible here: cache points stay as they are.
        catalog: Knows the candidates and the classifier's model.
        classifier: Asked where its verdict counts.
        recorder: Takes the events.
        memory: Sessions and caches; none: in memory.
        hash_key: Keys the hashes of prompt prefixes; none: a random key for this process.
        classifier_timeout_s: Seconds until the most capable serves without a verdict.
        run: The run that events belong to.
        simulated: Whether the models are simulated.
        leave_thinking: As of `RoutedModel`.

    Raises:
        ValueError: Models and policy differ, or a model is stateful.
        UnknownModelError: A candidate is not in the catalog.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        *,
        policy: Policy,
        catalog: Catalog,
        classifier: Classifier | None = None,
        recorder: Records | None = None,
        memory: SessionMemory | None = None,
        hash_key: bytes | None = None,
        classifier_timeout_s: float = 10.0,
        run: str = "default",
        simulated: bool = False,
        leave_thinking: bool = False,
    ) -> None:
        self.routing = StrandsRouting(
            models,
            policy=msgspec.structs.replace(policy, markers="user"),
            catalog=catalog,
            classifier=classifier,
            recorder=recorder,
            memory=memory,
            hash_key=hash_key,
            classifier_timeout_s=classifier_timeout_s,
            run=run,
            simulated=simulated,
            leave_thinking=leave_thinking,
        )
        ranked = sorted(policy.candidates, key=lambda candidate: -candidate.rank)
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
        turn = self.routing.turns.find(self._read(context))
        if error is None or turn is None or turn.routed is None or not is_retryable(error):
            return None
        if not self.routing.may_fail_over(turn.routed):
            return None
        try:
            error_is = error_name(error)
            following = self.routing.router.failover(turn.routed, error_is, same_request=False)
            return offered.get(following.model.id)
        except RefusedError:
            return None

    def _read(self, context: RoutingContext) -> Call:
        system = context.system_prompt
        content = None if system is None or isinstance(system, str) else system
        seen = {"invocation_state": context.invocation_state, "system_prompt_content": content}
        return self.routing.read(
            context.messages, list(context.tool_specs), system if isinstance(system, str) else None, seen
        )
