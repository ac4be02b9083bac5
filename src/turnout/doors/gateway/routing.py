"""From a request that was read to the decision which candidate serves it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar

import msgspec

from turnout.core.catalog import Model
from turnout.core.decision import Decision, DecisionInput
from turnout.core.pins import pinned, with_pin
from turnout.core.request import HardStay, HistoryFit, Request
from turnout.doors.gateway.headers import Wishes
from turnout.doors.gateway.held import HeldState, Writer, writer_for
from turnout.doors.gateway.models import Choice, Models
from turnout.doors.gateway.problems import RequestError
from turnout.doors.gateway.turns import Turns
from turnout.messages.conversation import Conversation
from turnout.messages.portability import Switches
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import has_bound_state, in_tool_loop, request_of
from turnout.messages.translation.requests import TRANSLATED
from turnout.messages.translation.requests import request as translated
from turnout.messages.wire.asked import Asked, WireProtocol
from turnout.messages.wire.errors import Problem
from turnout.router import Routed, Router, Turn
from turnout.sessions.pins import SessionPins
from turnout.upstream.http.endpoint import Endpoint
from turnout.upstream.ways import Way

UNSPOKEN = "untranslatable:protocol"
"""Why a candidate cannot be sent a request: nothing that serves it speaks the client's protocol, or one near it."""

_DETOURS = (WireProtocol.ANTHROPIC, WireProtocol.CONVERSE, WireProtocol.INVOKE, WireProtocol.OPENAI_CHAT)
"""Of several protocols that a candidate is served in, but not the client's, the first one is translated to."""

_DOOR: ContextVar[WireProtocol | None] = ContextVar("turnout_gateway_door", default=None)
"""How the client asks that this task serves."""

Ways = Mapping[tuple[str, WireProtocol], Way]
"""For each candidate and protocol where it is called."""


NOTHING_INNER: Mapping[str, Way] = {}
"""Every candidate is called over HTTP."""

NOTHING_MISSING: Mapping[str, str] = {}
"""Every candidate is served."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A request as decisions see it.

    Attributes:
        conversation: System, tools and messages.
        request: The same without text, with pin and stay.
        goes_on: Whether its newest message brings results of tools.
        turn: The turn that it belongs to; none for a preview.
    """

    conversation: Conversation
    request: Request
    goes_on: bool
    turn: Turn | None


class GatewayRouting:
    """Routes what clients of the gateway ask for.

    Args:
        router: Decides; its policy moves no cache points of clients.
        models: Knows the names of models.
        ways: Where candidates are called.
        pinned_tags: For each pinned tag its model.
        hash_key: Keys the hashes of prefixes; none: a random key for this process.
        translate: Whether a candidate may serve that is not called in the client's protocol.
        inner: For each candidate that is not called over HTTP how it is called, always with translation.
        missing: Candidates that nothing serves, each with the reason, ``name:detail``.
        before: The routing by earlier settings: its turns and its key of hashes go on; none: there was none.
    """

    def __init__(
        self,
        router: Router,
        models: Models,
        ways: Ways,
        *,
        pinned_tags: Mapping[str, str],
        hash_key: bytes | None = None,
        translate: bool = True,
        inner: Mapping[str, Way] = NOTHING_INNER,
        missing: Mapping[str, str] = NOTHING_MISSING,
        before: GatewayRouting | None = None,
    ) -> None:
        self.router = router
        self.models = models
        self.ways = ways
        self.turns: Turns = Turns(router, None if before is None else before.turns)
        self.held: HeldState = HeldState() if before is None else before.held
        self.inner = inner
        self.session_pins = SessionPins(router.policy)
        self._pinned_tags = pinned_tags
        self._hasher: PrefixHasher = PrefixHasher(hash_key) if before is None else before._hasher
        candidates = [candidate.model for candidate in router.policy.candidates]
        self._detours = detours_of(candidates, ways, inner) if translate else {}
        self._translated = {
            protocol: tuple(one for one in candidates if (one, protocol) in self._detours) for protocol in WireProtocol
        }
        self._unspoken = {
            protocol: tuple(
                HistoryFit(one, (), (missing.get(one, UNSPOKEN),))
                for one in candidates
                if (one, protocol) not in ways and (one, protocol) not in self._detours
            )
            for protocol in WireProtocol
        }

    def choice(self, asked: Asked, wishes: Wishes) -> Choice:
        """What the request's model name stands for; a pin that it asks for beside that wins.

        Raises:
            UnknownModelError: There is no such model.
        """
        choice = self.models.choose(asked.model, asked.protocol)
        if wishes.pin is not None:
            return choice._replace(pin=self.models.pin(wishes.pin, asked.protocol))
        return choice

    def read(self, asked: Asked, wishes: Wishes, choice: Choice, *, preview: bool = False, key_id: str = "") -> Reading:
        """The request as a decision sees it.

        Args:
            asked: The request.
            wishes: What it asks of Turnout.
            choice: What its model name stands for.
            preview: Whether no call follows.
            key_id: The id of the key that it came with; its sessions are no other key's.

        Raises:
            MalformedBodyError: Its messages do not have the shape of their protocol.
            RequestError: It goes on from what a provider keeps, and nobody knows which one.
        """
        _DOOR.set(asked.protocol)
        conversation = asked.conversation
        writer = writer_for(self.held, asked.held, key_id) if asked.held else None
        session_id = wishes.session or asked.session_id
        owner = key_id
        if session_id is None and writer is not None:
            session_id, owner = writer.turn.session_id, ""
        request = request_of(
            conversation,
            self._hasher,
            session_id=session_of(owner, session_id or self._hasher.opening(conversation)),
            max_output_tokens=asked.controls.max_output_tokens,
            parameters=asked.parameters,
            forced_tool_choice=asked.forced_tool_choice,
            structured_output=asked.json_output,
            streaming=asked.stream,
        )
        goes_on = in_tool_loop(conversation)
        turn = None
        if not preview and goes_on and writer is not None and writer.turn.session_id == request.session_id:
            turn = writer.turn
        elif not preview:
            turn = self.turns.of(conversation, request, goes_on=goes_on, query_id=wishes.query_id, key_id=key_id)
        bound = has_bound_state(conversation)
        # Of a model that is no candidate any more nothing is known that could bind.
        source = self._writer(request.session_id) if bound or goes_on else None
        switches = None if source is None else Switches(conversation, source)
        stay = None
        if turn is not None and switches is not None:
            stay = self.turns.stay(switches, turn, goes_on=goes_on, bound=bound)
        pin = pinned(
            request=choice.pin,
            session=self.session_pins.of(request.session_id),
            tags=wishes.tags,
            pinned_tags=self._pinned_tags,
        )
        history = self._unspoken[asked.protocol]
        if self._translated[asked.protocol]:
            left = switches if bound else None
            fits = self._translations(asked, request.session_id, None if pin is None else pin.model, left)
            history = (*history, *fits)
        if bound and switches is not None:
            history = (*history, *self._bound(switches, asked.protocol))
        if asked.held:
            fits, stay = self._held(asked, writer, pin and pin.model, stay)
            history = (*history, *fits)
        if stay is not None or history:
            request = msgspec.structs.replace(request, hard_stay=stay, history=history)
        return Reading(conversation, with_pin(request, pin), goes_on, turn)

    async def route(self, reading: Reading, choice: Choice) -> Routed:
        """Decide which candidate serves it.

        Raises:
            RefusedError: None may.
        """
        assert reading.turn is not None, "what is routed belongs to a turn"
        return await self.router.route(reading.conversation, reading.request, reading.turn, policy=choice.policy)

    async def preview(self, reading: Reading, choice: Choice, *, key_id: str = "") -> tuple[DecisionInput, Decision]:
        """What would be decided."""
        return await self.router.preview(reading.conversation, reading.request, policy=choice.policy, key_id=key_id)

    def counting_model(
        self, protocol: WireProtocol, session_id: str | None, allowed: Callable[[str], bool] = lambda model: True
    ) -> str | None:
        """The candidate that is asked for a number of tokens where none is pinned: the session's, or the most capable.

        None where no candidate speaks the protocol.
        """
        current = self.turns.writer(session_id) if session_id is not None else None
        if current is not None and (current, protocol) in self.ways and allowed(current):
            return current
        ranked = sorted(self.router.policy.candidates, key=lambda candidate: -candidate.rank)
        return next((one.model for one in ranked if (one.model, protocol) in self.ways and allowed(one.model)), None)

    def providers(self, protocol: WireProtocol) -> dict[str, Endpoint]:
        """The providers that can be asked over HTTP in a protocol, each with where."""
        return {
            way.provider: way
            for (_, spoken), way in self.ways.items()
            if spoken is protocol and isinstance(way, Endpoint)
        }

    def _held(
        self, asked: Asked, writer: Writer | None, pin: str | None, stay: HardStay | None
    ) -> tuple[list[HistoryFit], HardStay | None]:
        """Who can go on from what a provider keeps: the model that wrote it, or another of that provider by a pin."""
        catalog = self.router.catalog
        if writer is None or writer.model not in catalog:
            if pin is None and len(self.providers(asked.protocol)) > 1:
                message = (
                    f"{asked.held[0][:100]!r} is kept by a provider, and the gateway has not seen which one answered "
                    "with it: name the model, or pin it with x-turnout-pin"
                )
                raise RequestError(Problem(status=400, code="unknown_state", message=message))
            return [], stay
        provider = catalog[writer.model].provider
        if pin is not None and pin in catalog and catalog[pin].provider == provider:
            return [], stay
        others = [model for model in catalog.models if model.id != writer.model]
        fits = [HistoryFit(model.id, (), ("bound:server_state",)) for model in others]
        return fits, HardStay(writer.model, "bound_state")

    def way(self, model_id: str, protocol: WireProtocol) -> tuple[Way, bool]:
        """Where a candidate is called, and whether its protocol is to be translated."""
        way = self.ways.get((model_id, protocol))
        return (way, False) if way is not None else (self._detours[model_id, protocol], True)

    def source_of(self, reading: Reading) -> Model | None:
        """The model that wrote the newest answer of a conversation; none where that is not known."""
        return self._writer(reading.request.session_id)

    def _writer(self, session_id: str) -> Model | None:
        source_id = self.turns.writer(session_id)
        catalog = self.router.catalog
        return catalog[source_id] if source_id is not None and source_id in catalog else None

    def may_move(self, conversation: Conversation, source: Model, target: Model) -> str | None:
        """Whether a history reaches another model from this task's door, as of `Switches.unchanged`.

        What is translated is written anew, so that edits are no reason against it; what has no place there makes the
        candidate ineligible anyway.
        """
        door, switches = _DOOR.get(), Switches(conversation, source)
        if door is None or (target.id, door) not in self._detours:
            return switches.unchanged(target)
        safety = switches.safety(target)
        return None if safety.survives else f"bound:{safety.reason.value}"

    def _translations(
        self, asked: Asked, session_id: str, pin: str | None, switches: Switches | None
    ) -> list[HistoryFit]:
        """How the request reaches the candidates that it is translated for; of those beside a pin nothing is said.

        Args:
            asked: The request.
            session_id: The id of its session.
            pin: The model that was named, if one was.
            switches: Where the history may go, if it is bound to the model that wrote it.
        """
        catalog, source = self.router.catalog, self._writer(session_id)
        fits = []
        for model_id in self._translated[asked.protocol]:
            if pin is not None and pin != model_id:
                continue
            target = catalog[model_id]
            if switches is not None:
                safety = switches.safety(target)
                if not safety.survives:
                    fits.append(HistoryFit(model_id, (), (f"bound:{safety.reason.value}",)))
                    continue
            written = translated(asked, self._detours[model_id, asked.protocol].protocol, source, target)
            if written.edits or written.refusals:
                fits.append(HistoryFit(model_id, written.edits, written.refusals))
        return fits

    def _bound(self, switches: Switches, protocol: WireProtocol) -> list[HistoryFit]:
        """The candidates that a history with signed thinking could not reach as it is."""
        fits = []
        for target in self.router.catalog.models:
            if target.id != switches.source.id and (target.id, protocol) in self.ways:
                why = switches.unchanged(target)
                if why is not None:
                    fits.append(HistoryFit(target.id, (), (why,)))
        return fits


def session_of(key_id: str, session_id: str) -> str:
    """A session's id among those of all keys: what one key calls its own, no other one can name."""
    return f"{key_id}:{session_id}" if key_id else session_id


def detours_of(candidates: Iterable[str], ways: Ways, inner: Mapping[str, Way] = NOTHING_INNER) -> Ways:
    """For each candidate and protocol that it is not called in where it is called instead, with translation."""
    found: dict[tuple[str, WireProtocol], Way] = {}
    for model_id in candidates:
        way = next((ways[model_id, one] for one in _DETOURS if (model_id, one) in ways), inner.get(model_id))
        for protocol in TRANSLATED if way is not None else ():
            if (model_id, protocol) not in ways and way is not None:
                found[model_id, protocol] = way
    return found
