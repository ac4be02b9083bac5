"""What `RoutedModel` and `TurnoutStrategy` share: the router behind the door, and the candidates' Strands models."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from typing import Any, Required, TypedDict

import msgspec
from strands.models import Model

from turnout.classify.protocol import Classifier
from turnout.core.calls import CallRules
from turnout.core.catalog import Catalog
from turnout.core.catalog import Model as Entry
from turnout.core.policy import Policy
from turnout.core.request import Request
from turnout.doors.strands.clients import prepare, region_of, streams
from turnout.doors.strands.conversation import Call, adds_cache_points, sampling_parameters
from turnout.doors.strands.telemetry import name_served_model
from turnout.doors.strands.turns import Turns
from turnout.messages.conversation import Conversation
from turnout.messages.portability import Carried, carry, safe_to_switch
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import request_of
from turnout.router import OpenCall, Routed, Router, Turn
from turnout.sessions.memory import CacheScope, SessionMemory
from turnout.trace.events import Records
from turnout.upstream.breaker import Breakers

logger = logging.getLogger(__name__)


class RoutingOptions(TypedDict, total=False):
    """What `RoutedModel` and `TurnoutStrategy` are told alike, as keywords.

    Attributes:
        policy: The rules; its candidates are those that Strands models are given for.
        catalog: Knows the candidates and the classifier's model.
        classifier: Asked where its verdict counts; none, the default: the most capable then serves.
        recorder: Takes the events; none, the default: they are dropped.
        memory: Sessions and caches; none, the default: new ones in memory.
        hash_key: Keys the hashes of prompt prefixes; none, the default: a random key for this process.
        classifier_timeout_s: Seconds until the most capable serves without a verdict; 10 by default.
        run: The run that events belong to; ``default`` by default.
        simulated: Whether the models are simulated; not so by default.
        leave_thinking: Whether a conversation may go to a candidate that cannot read the signed thinking of turns that
            are finished. Without it, as by default, such a conversation stays with the model that thought; with it the
            thinking is left behind for as long as another model answers. Thinking inside a tool loop always stays.
        calls: How long and how often a request is tried; the defaults of `CallRules` by default.
        breakers: Which models are out of service; none, the default: new ones. Several doors may share them.
        chance: Draws the waits before retries; none, the default: anew in every process.
    """

    policy: Required[Policy]
    catalog: Required[Catalog]
    classifier: Classifier | None
    recorder: Records | None
    memory: SessionMemory | None
    hash_key: bytes | None
    classifier_timeout_s: float
    run: str
    simulated: bool
    leave_thinking: bool
    calls: CallRules | None
    breakers: Breakers | None
    chance: random.Random | None


class StrandsRouting:
    """Routes what Strands asks for; arguments as of `RoutingOptions`."""

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
        calls: CallRules | None = None,
        breakers: Breakers | None = None,
        chance: random.Random | None = None,
    ) -> None:
        wanted = {candidate.model for candidate in policy.candidates}
        if wanted != set(models):
            raise ValueError(f"the policy's candidates are {sorted(wanted)}, but models are given for {sorted(models)}")
        if policy.markers == "manage":
            raise ValueError("this door does not place managed cache points yet: use markers 'fill' or 'user'")
        for model_id, model in models.items():
            if model.stateful:
                raise ValueError(f"{model_id} keeps conversations on its server and cannot be routed")
        self.models = dict(models)
        self._leave_thinking = leave_thinking
        self.router = Router(
            policy,
            catalog,
            classifier=classifier,
            records=recorder,
            memory=memory,
            scopes={model_id: CacheScope(model_id, region=region_of(model)) for model_id, model in models.items()},
            classifier_timeout_s=classifier_timeout_s,
            run=run,
            simulated=simulated,
            calls=calls,
            breakers=breakers,
            may_move=self._may_move,
            chance=chance,
        )
        for model_id, model in models.items():
            prepare(model_id, model)
        ranked = sorted(policy.candidates, key=lambda candidate: candidate.rank)
        self.most_capable = self.models[ranked[-1].model]
        self._hasher = PrefixHasher(hash_key)
        self.turns = Turns(self.router, self._hasher, leave_thinking=leave_thinking)
        self._without_fill = msgspec.structs.replace(policy, markers="user")
        self._sent_by = self._cache_point_model()
        self._check_parameters(catalog)

    def read(self, messages: Any, tool_specs: Any, system_prompt: str | None, kwargs: Mapping[str, Any]) -> Call:
        """Read the arguments of a call once."""
        return Call(messages, tool_specs, system_prompt, kwargs, sent_by=self._sent_by)

    async def route(self, call: Call, turn: Turn | None = None) -> Routed:
        """Decide which candidate serves a call, in the turn that it belongs to or the one given.

        Raises:
            RefusedError: No candidate may serve it.
        """
        turn = turn or self.turns.of(call)
        call.written_by = self.turns.writer(turn)
        request = call.request(self._hasher, turn.session_id, self.turns.stay(call, turn), self.most_capable)
        # Strands lets a door add cache points to the system alone: without a system nothing is filled in.
        policy = self.router.policy if call.system else self._without_fill
        return await self.router.route(call.conversation, request, turn, policy=policy)

    def begin_call(self, routed: Routed, model: Model) -> OpenCall:
        """Start the record of a call, and name the served model in Strands' span."""
        config = model.get_config() or {}
        limit = config.get("max_tokens")
        call = self.router.begin_call(
            routed,
            streamed=streams(model),
            # Its own: the request's is that of the most capable candidate.
            max_output_tokens=limit if isinstance(limit, int) else routed.model.max_output_tokens,
        )
        name_served_model(routed, call)
        return call

    def carried(self, call: Call, model_id: str) -> Carried:
        """The history of a call as a candidate takes it; where nothing has to change, the very objects of the call.

        It is looked through on every call, as messages of any earlier model may stand in it. What the model that
        gave the newest answer cannot be sent is left for that model to refuse, and so it is where nothing is routed.
        """
        history = Conversation(messages=call.messages, system=call.system)
        if len(self.models) == 1:
            return Carried(history=history)
        catalog = self.router.catalog
        source = catalog[call.written_by] if call.written_by is not None and call.written_by in catalog else None
        carried = carry(history, source, catalog[model_id])
        if carried.history is None and call.written_by == model_id:
            return Carried(history=history)
        if carried.edits:
            logger.debug(
                "from_model=<%s>, to_model=<%s>, edits=<%s> | history changed for the model",
                call.written_by,
                model_id,
                ", ".join(carried.edits),
            )
        return carried

    def with_plan(
        self,
        call: Call,
        routed: Routed,
        system_prompt: str | None,
        kwargs: Mapping[str, Any],
        history: Conversation | None = None,
    ) -> tuple[str | None, dict[str, Any]]:
        """System prompt and keywords with the plan's cache point filled in, where the model caches by markers.

        ``history`` holds the system as the model takes it, if that is not as the call brought it.
        """
        system: list[Any] = call.system
        if history is not None and history.system is not call.system:
            system = list(history.system)
            kwargs = {**kwargs, "system_prompt_content": system}
        if routed.decision.cache_plan.origin != "fill" or routed.model.cache.mode != "explicit":
            return system_prompt, dict(kwargs)
        point: dict[str, Any] = {"type": "default"}
        ttl = routed.decision.cache_plan.markers[0].ttl
        if ttl != routed.model.cache.ttls[0]:
            point["ttl"] = ttl
        return system_prompt, {**kwargs, "system_prompt_content": [*system, {"cachePoint": point}]}

    def request_with(self, call: Call, routed: Routed, said: Any) -> Request:
        """The request of a decision, with an assistant message after its history that the model goes on from."""
        conversation = msgspec.structs.replace(call.conversation, messages=[*call.conversation.messages, said])
        longer = request_of(conversation, self._hasher, session_id=routed.given.request.session_id)
        return msgspec.structs.replace(routed.given.request, segments=longer.segments)

    def _may_move(self, conversation: Conversation, source: Entry, target: Entry) -> str | None:
        safety = safe_to_switch(conversation, source, target, leave_thinking=self._leave_thinking)
        return None if safety.survives else safety.reason.value

    def _cache_point_model(self) -> Model | None:
        placing = [model_id for model_id, model in self.models.items() if adds_cache_points(model)]
        if placing and len(placing) < len(self.models):
            logger.warning(
                "models=<%s> | only some candidates place cache points of their own, prices assume that all do",
                ", ".join(placing),
            )
        return self.models[placing[0]] if placing else None

    def _check_parameters(self, catalog: Catalog) -> None:
        """Refuse at start-up what a candidate would refuse at every call."""
        for model_id, model in self.models.items():
            for name in sampling_parameters(model):
                if name in catalog[model_id].rejected_parameters:
                    raise ValueError(f"{model_id} rejects the parameter {name!r}: configure its model without it")
