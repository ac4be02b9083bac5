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
from turnout.core.pins import NO_TAGS, Pinned, check_pin, pinned, with_pin
from turnout.core.policy import Policy
from turnout.core.request import Request
from turnout.core.spend_bound import SpendBound
from turnout.doors.strands.clients import prepare, region_of, streams
from turnout.doors.strands.conversation import Call, adds_cache_points, sampling_parameters
from turnout.doors.strands.histories import Histories
from turnout.doors.strands.telemetry import name_served_model
from turnout.doors.strands.turns import Turns
from turnout.messages.conversation import Conversation
from turnout.messages.portability import safe_to_switch
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import request_of
from turnout.router import OpenCall, Routed, Router, Turn
from turnout.sessions.memory import CacheScope, SessionMemory
from turnout.sessions.pins import SessionPins
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
        bound: How much may be spent beyond what the most capable candidate alone would; none, the default: spending is
            not bound.
        pinned_tags: For each pinned tag the catalog id of its model (`turnout.core.pins`); none by default.
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
    bound: SpendBound | None
    pinned_tags: Mapping[str, str]


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
        bound: SpendBound | None = None,
        pinned_tags: Mapping[str, str] = NO_TAGS,
    ) -> None:
        wanted = {candidate.model for candidate in policy.candidates}
        if wanted != set(models):
            raise ValueError(f"the policy's candidates are {sorted(wanted)}, but models are given for {sorted(models)}")
        for model_id, model in models.items():
            if policy.markers == "manage" and adds_cache_points(model):
                raise ValueError(f"{model_id} places cache points of its own: markers 'manage' needs it built without")
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
            bound=bound,
        )
        self.session_pins = SessionPins(policy)
        self._pinned_tags = {tag: check_pin(model_id, policy) for tag, model_id in pinned_tags.items()}
        for model_id, model in models.items():
            prepare(model_id, model)
        ranked = sorted(policy.candidates, key=lambda candidate: candidate.rank)
        self.most_capable = self.models[ranked[-1].model]
        self._hasher = PrefixHasher(hash_key)
        self.turns = Turns(self.router, self._hasher, leave_thinking=leave_thinking)
        self._untouched = msgspec.structs.replace(policy, markers="user")
        self.histories = Histories(self.router.catalog, markers=policy.markers, leave_thinking=leave_thinking)
        self._sent_by = self._cache_point_model()
        self._check_parameters(catalog)

    def read(self, messages: Any, tool_specs: Any, system_prompt: str | None, kwargs: Mapping[str, Any]) -> Call:
        """Read the arguments of a call once."""
        return Call(messages, tool_specs, system_prompt, kwargs, sent_by=self._sent_by)

    async def route(self, call: Call, turn: Turn | None = None, *, places: bool = True) -> Routed:
        """Decide which candidate serves a call, in the turn that it belongs to or the one given.

        ``places`` says whether cache points may be placed in the system of this call.

        Raises:
            RefusedError: No candidate may serve it.
        """
        turn = turn or self.turns.of(call)
        call.written_by = self.turns.writer(turn)
        stay = self.turns.stay(call, turn)
        request = call.request(self._hasher, turn.session_id, stay, self.most_capable)
        request = msgspec.structs.replace(request, history=self.histories.fits(call, stay))
        request = with_pin(request, self._pin(call, turn))
        # Strands lets a door add cache points to system and messages, not to tools: without a system none is placed.
        policy = self.router.policy if places and call.system else self._untouched
        return await self.router.route(call.conversation, request, turn, policy=policy)

    def _pin(self, call: Call, turn: Turn) -> Pinned | None:
        """The pin that holds; one that the call brings for its session holds from now on."""
        wanted = call.overrides.get("session_pin")
        if wanted == "":
            self.session_pins.unpin(turn.session_id)
        elif wanted is not None:
            self.session_pins.pin(turn.session_id, wanted)
        return pinned(
            request=call.overrides.get("pin"),
            session=self.session_pins.of(turn.session_id),
            tags=call.tags,
            pinned_tags=self._pinned_tags,
        )

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
