"""`Router`: from a request to the model that serves it, and to the next one where that fails."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from turnout.classify.protocol import Classifier
from turnout.core.calls import CallRules
from turnout.core.catalog import Catalog
from turnout.core.decide import decide, estimates_of, needs_verdict
from turnout.core.decision import (
    BREAKER_OPEN,
    FAILOVER_UNSAFE,
    Decision,
    DecisionInput,
    Estimate,
    FailedAttempt,
    Unavailable,
)
from turnout.core.horizon import NO_HORIZON
from turnout.core.policy import Policy
from turnout.core.request import Request
from turnout.core.spend_bound import SpendBound
from turnout.core.verdict import Verdict
from turnout.messages.conversation import Conversation
from turnout.router.calls import OpenCall
from turnout.router.turns import MayMove, RefusedError, Routed, Turn
from turnout.router.verdicts import ask, most_pico
from turnout.sessions.memory import CacheScope, SessionMemory
from turnout.sessions.spend_bound import BoundKeeper
from turnout.trace.events import CallEvent, DecisionEvent, Records, new_id
from turnout.trace.spans.context import OpenSpan, Spans, spans_of, surrounding_span
from turnout.trace.spans.joining import active_spans
from turnout.trace.spans.semconv import ROUTE
from turnout.upstream.breaker import BreakerKey, Breakers

logger = logging.getLogger(__name__)


class Router:
    """Routes requests among the candidates of one policy.

    Args:
        policy: The rules and candidates.
        catalog: Knows every candidate.
        classifier: Asked where a verdict counts; none: the most capable then serves.
        records: Takes the events; none: they are dropped. Tracing that was set up for the process
            (`turnout.trace.spans.otlp`) takes them in any case.
        memory: Sessions and caches; none: a new one in memory.
        scopes: For each candidate the cache it uses; a missing one stands for itself.
        classifier_timeout_s: Seconds until the router gives up on the classifier.
        run: The run that events belong to.
        simulated: Whether the models are simulated; every event then says so.
        clock: Seconds since the epoch.
        calls: How long and how often a request is tried.
        breakers: Which models are out of service; none: new ones, by the rules of ``calls``. Several routers of a
            process may share them.
        may_move: Asked whether a conversation may leave the model that had to go on serving, once that has failed;
            none: it may not, and the error is the caller's.
        chance: Draws the waits before retries; give one with a seed to have them repeat.
        bound: How much may be spent beyond what the most capable candidate alone would; none: spending is not bound.

    Attributes:
        spend: The account of the spend bound; none where spending is not bound.
        records: See above.
        clock: See above.
        breakers: See above; `turnout.upstream.breaker.Breakers.states` shows them.

    Raises:
        UnknownModelError: A candidate is not in the catalog.
    """

    def __init__(
        self,
        policy: Policy,
        catalog: Catalog,
        *,
        classifier: Classifier | None = None,
        records: Records | None = None,
        memory: SessionMemory | None = None,
        scopes: Mapping[str, CacheScope] | None = None,
        classifier_timeout_s: float = 10.0,
        run: str = "default",
        simulated: bool = False,
        clock: Callable[[], float] = time.time,
        calls: CallRules | None = None,
        breakers: Breakers | None = None,
        may_move: MayMove | None = None,
        chance: random.Random | None = None,
        bound: SpendBound | None = None,
    ) -> None:
        if classifier_timeout_s <= 0:
            raise ValueError(f"classifier_timeout_s must be above 0 seconds, got {classifier_timeout_s}")
        self.policy = policy
        self.prices = catalog
        self.catalog = catalog.only(candidate.model for candidate in policy.candidates)
        self.classifier = classifier
        self.memory = memory or SessionMemory()
        self.run = run
        self.simulated = simulated
        self.verdict_failures = 0
        self.calls = calls or CallRules()
        self.breakers = breakers or Breakers(self.calls.breaker)
        self.chance = chance or random.Random()
        self.spend = None if bound is None else BoundKeeper(bound)
        self._may_move = may_move
        self.records = records
        # Of every candidate, so that no request makes them anew.
        self._scopes = {one.model: CacheScope(one.model) for one in policy.candidates} | dict(scopes or {})
        self._breaker_keys = {model: BreakerKey(model, scope.region) for model, scope in self._scopes.items()}
        self._timeout_s = classifier_timeout_s
        self.clock = clock

    def begin_turn(self, session_id: str, *, query_id: str = "", key_id: str = "") -> Turn:
        """Open a turn."""
        return Turn(session_id=session_id, turn_id=new_id(), query_id=query_id, key_id=key_id)

    async def route(
        self, conversation: Conversation, request: Request, turn: Turn, *, policy: Policy | None = None
    ) -> Routed:
        """Decide which model serves a request, asking the classifier where its verdict counts.

        A turn's verdict is asked for once; later calls of the turn use it again.

        Args:
            conversation: What the classifier reads.
            request: What the decision is made from.
            turn: The turn that the request belongs to.
            policy: Rules for this request alone, over the same candidates; default: the router's.

        Raises:
            RefusedError: No candidate may serve it.
        """
        given = self._input(request, policy or self.policy, turn.verdict)
        classify_pico = 0
        if self.spend is not None and turn.verdict is None:
            classify_pico = most_pico(self, self.classifier, conversation)
            given = self._viewed(given, turn, classify_pico)
        span = self._begin_request(turn)
        classifier_ms = 0.0
        before, estimates, counts = given, None, False
        if turn.verdict is None and self.classifier is not None:
            estimates = estimates_of(given)
            counts = needs_verdict(given, estimates)
        if counts and self.classifier is not None:
            if self.spend is None or self.spend.classifying(turn.turn_id, classify_pico):
                try:
                    token = span.attach()
                    try:
                        turn.verdict, classifier_ms = await ask(
                            self, self.classifier, conversation, turn, span, self._timeout_s
                        )
                    finally:
                        span.detach(token)
                finally:
                    if self.spend is not None:
                        self.spend.classified(turn.turn_id, 0)
            given = msgspec.structs.replace(given, verdict=turn.verdict, unavailable=self._out_of_service(given.policy))
        given = self._viewed(given, turn)
        spans = self.spans
        kept = conversation if spans is not None and spans.record_text and span.span_id else None
        if given.unavailable != before.unavailable or given.bound is not before.bound:
            estimates, counts = None, False
        return self._decide(
            given, turn, span, classifier_ms=classifier_ms, conversation=kept, estimates=estimates, counts=counts
        )

    async def preview(
        self, conversation: Conversation, request: Request, *, policy: Policy | None = None, key_id: str = ""
    ) -> tuple[DecisionInput, Decision]:
        """What `route` would decide now, without a call to follow: no event of it, nothing remembered or booked.

        A classifier that is asked is on record, in a turn of its own: its calls cost what they cost.

        Args:
            conversation: What the classifier reads.
            request: What the decision is made from.
            policy: As of `route`.
            key_id: The id of the key that the request came with, for the classifier's calls.
        """
        turn = self.begin_turn(request.session_id, key_id=key_id)
        given = self._viewed(self._input(request, policy or self.policy, None), turn)
        if self.classifier is not None and needs_verdict(given):
            verdict, _ = await ask(self, self.classifier, conversation, turn, surrounding_span(), self._timeout_s)
            given = msgspec.structs.replace(given, verdict=verdict)
        return given, decide(given)

    def withdraw(self, routed: Routed) -> None:
        """Take back a decision that no call follows, since its door may not make one.

        The account of the spend bound is then as if it had never been made; what a classifier cost stays.
        """
        self.breakers.released(self.breaker_of(routed.model.id), self.now_ms())
        if self.spend is not None:
            self.spend.withdraw(routed.turn.turn_id)

    def retry(self, routed: Routed, *, request: Request | None = None) -> Routed | None:
        """The same decision for one more call to its model; none where the spend bound has no room for it.

        Args:
            routed: The decision whose model failed.
            request: What is sent this time, where that has changed; default: as before.
        """
        given = routed.given if request is None else msgspec.structs.replace(routed.given, request=request)
        turn = routed.turn
        if self.spend is not None and not self.spend.retry(turn.turn_id):
            return None
        turn.routed = msgspec.structs.replace(routed, given=given, attempt=routed.attempt + 1)
        self.breakers.admit(self.breaker_of(routed.model.id), self.now_ms(), anyway=True)
        return turn.routed

    def can_fail_over(
        self,
        routed: Routed,
        error: str,
        *,
        conversation: Conversation | None = None,
        unavailable: Sequence[Unavailable] = (),
        request: Request | None = None,
    ) -> bool:
        """Whether `failover` would find another candidate; nothing is recorded."""
        return decide(self._after_failure(routed, error, conversation, unavailable, request)).model is not None

    def failover(
        self,
        routed: Routed,
        error: str,
        *,
        same_request: bool = True,
        conversation: Conversation | None = None,
        unavailable: Sequence[Unavailable] = (),
        request: Request | None = None,
    ) -> Routed:
        """Decide again after the chosen model failed.

        Args:
            routed: The decision whose model failed.
            error: The error's name.
            same_request: Whether this door makes the next call by itself; not where a framework asks it anew.
            conversation: What ``may_move`` is asked about, in a hard stay; none: it is not asked, and nothing may move.
            unavailable: Candidates that the door cannot use for what is left to do, each with the reason.
            request: What is sent this time, where that has changed; default: as before.

        Raises:
            RefusedError: No other candidate may serve the request; its decision says why.
        """
        given = self._after_failure(routed, error, conversation, unavailable, request)
        span = routed.span if same_request else self._begin_request(routed.turn)
        return self._decide(given, routed.turn, span, conversation=routed.conversation, attempt=routed.attempt + 1)

    def _after_failure(
        self,
        routed: Routed,
        error: str,
        conversation: Conversation | None,
        unavailable: Sequence[Unavailable],
        request: Request | None,
    ) -> DecisionInput:
        given = routed.given
        request, stay = request or given.request, given.request.hard_stay
        unsafe = [one for one in given.unavailable if one.why.startswith(FAILOVER_UNSAFE)]
        if stay is not None:
            unsafe = self._unsafe_moves(given, stay.model, conversation)
            # Each move was judged by itself: what is left of the stay is in `unsafe`.
            request = msgspec.structs.replace(request, hard_stay=None)
        after = msgspec.structs.replace(
            given,
            request=request,
            failed=(*given.failed, FailedAttempt(routed.model.id, error)),
            now_ms=self.now_ms(),
            unavailable=(*unsafe, *unavailable, *self._out_of_service(given.policy)),
        )
        return self._viewed(after, routed.turn)

    def _unsafe_moves(self, given: DecisionInput, source: str, conversation: Conversation | None) -> list[Unavailable]:
        """The candidates that the conversation cannot move to from the model that had to go on serving."""
        unsafe = []
        for candidate in given.policy.candidates:
            if candidate.model == source:
                continue
            why: str | None = ""
            if self._may_move is not None and conversation is not None and source in self.catalog:
                why = self._may_move(conversation, self.catalog[source], self.catalog[candidate.model])
            if why is not None:
                unsafe.append(Unavailable(candidate.model, f"{FAILOVER_UNSAFE}:{why}" if why else FAILOVER_UNSAFE))
        return unsafe

    def begin_call(self, routed: Routed, *, streamed: bool = True, max_output_tokens: int | None = None) -> OpenCall:
        """Start the record of a call to the chosen model.

        Args:
            routed: The decision.
            streamed: Whether the answer is streamed.
            max_output_tokens: The limit on output that is really sent; none: the request's, else the model's.
        """
        return OpenCall(self, routed, streamed=streamed, max_output_tokens=max_output_tokens)

    @property
    def records(self) -> Records | None:
        """See above."""
        return self._records

    @records.setter
    def records(self, records: Records | None) -> None:
        self._records = records
        self._own_spans = spans_of(records)

    @property
    def spans(self) -> Spans | None:
        """What derives spans from the events: found among the records, else what was set up for the process."""
        return self._own_spans or active_spans()

    def record(self, event: CallEvent | DecisionEvent) -> None:
        """Hand an event to the records, and to tracing."""
        if self._records is not None:
            self._records.record(event)
        if self._own_spans is None and (spans := active_spans()) is not None:
            spans.record(event)

    def scope_of(self, model_id: str) -> CacheScope:
        """The prompt cache that a candidate uses."""
        return self._scopes.get(model_id) or CacheScope(model_id)

    def _begin_request(self, turn: Turn) -> OpenSpan:
        spans = self.spans
        if spans is None:
            return surrounding_span()
        span = spans.open(ROUTE, follows=turn.span)
        turn.span = turn.span or span
        return span

    def now_ms(self) -> int:
        """Milliseconds since the epoch, by the router's clock."""
        return int(self.clock() * 1000)

    def _input(self, request: Request, policy: Policy, verdict: Verdict | None) -> DecisionInput:
        models, memory, now_ms = policy.models, self.memory, self.now_ms()
        return DecisionInput(
            request=request,
            policy=policy,
            catalog=self.catalog,
            now_ms=now_ms,
            verdict=verdict,
            caches=memory.caches(models, self._scopes, request),
            session=memory.session(request.session_id),
            statistics=memory.statistics(models),
            horizon=memory.horizon(request, models, now_ms) if policy.horizon == "session" else NO_HORIZON,
            unavailable=self._out_of_service(policy),
        )

    def breaker_of(self, model_id: str) -> BreakerKey:
        """What a candidate's breaker is kept under."""
        return self._breaker_keys.get(model_id) or BreakerKey(model_id, self.scope_of(model_id).region)

    def _out_of_service(self, policy: Policy) -> tuple[Unavailable, ...]:
        if self.breakers.all_closed:
            return ()
        now_ms = self.now_ms()
        return tuple(
            [
                Unavailable(candidate.model, BREAKER_OPEN)
                for candidate in policy.candidates
                if not self.breakers.admits(self.breaker_of(candidate.model), now_ms)
            ]
        )

    def begin_span(self, name: str, parent: OpenSpan) -> OpenSpan:
        """Draw the ids of a span below one of ours."""
        spans = self.spans
        if spans is None:
            return OpenSpan(trace_id=parent.trace_id, parent_span_id=parent.span_id or parent.parent_span_id)
        return spans.open(name, parent=parent)

    def _decide(
        self,
        given: DecisionInput,
        turn: Turn,
        span: OpenSpan,
        *,
        classifier_ms: float = 0.0,
        conversation: Conversation | None = None,
        attempt: int = 1,
        estimates: tuple[Estimate, ...] | None = None,
        counts: bool = False,
    ) -> Routed:
        started = time.perf_counter()
        given, decision = self._booked(given, turn, estimates, counts)
        event_id = new_id()
        self.record(
            DecisionEvent(
                event_id=event_id,
                run=self.run,
                session_id=turn.session_id,
                turn_id=turn.turn_id,
                query_id=turn.query_id,
                trace_id=span.trace_id,
                span_id=span.span_id,
                parent_span_id=span.parent_span_id,
                started_ms=given.now_ms,
                latency_ms=(time.perf_counter() - started) * 1000,
                classifier_ms=classifier_ms,
                given=given,
                decision=decision,
                simulated=self.simulated,
            )
        )
        if decision.model is None:
            raise RefusedError(decision, given.request.pin, event_id)
        turn.model = decision.model
        self.memory.served(turn.session_id, decision.model)
        model = self.catalog[decision.model]
        turn.routed = Routed(
            turn=turn,
            given=given,
            decision=decision,
            model=model,
            span=span,
            conversation=conversation,
            attempt=attempt,
            event_id=event_id,
        )
        return turn.routed

    def _viewed(self, given: DecisionInput, turn: Turn, classify_pico: int = 0) -> DecisionInput:
        """The input with what the spend bound allows."""
        if self.spend is None:
            return given
        return msgspec.structs.replace(given, bound=self.spend.view(given, turn.turn_id, classify_pico))

    def _booked(
        self, given: DecisionInput, turn: Turn, estimates: tuple[Estimate, ...] | None, counts: bool
    ) -> tuple[DecisionInput, Decision]:
        """The decision, with room set aside for it in the account; where another request took that, decided again."""
        while True:
            given, decision = self._admitted(given, estimates, counts)
            if self.spend is None or self.spend.reserve(given, decision, turn.turn_id):
                return given, decision
            if decision.model is not None:
                self.breakers.released(self.breaker_of(decision.model), self.now_ms())
            given, estimates, counts = self._viewed(given, turn), None, False

    def _admitted(
        self, given: DecisionInput, estimates: tuple[Estimate, ...] | None, counts: bool
    ) -> tuple[DecisionInput, Decision]:
        """The decision, with its model's breaker told of the call; where another request was faster, decided again."""
        while True:
            decision = decide(given, estimates, verdict_counts=counts)
            if decision.model is None:
                return given, decision
            if self.breakers.all_closed:
                return given, decision
            tried = any(one.model == decision.model and one.why == BREAKER_OPEN for one in given.unavailable)
            if self.breakers.admit(self.breaker_of(decision.model), self.now_ms(), anyway=tried):
                return given, decision
            now_open = Unavailable(decision.model, BREAKER_OPEN)
            given = msgspec.structs.replace(given, unavailable=(*given.unavailable, now_open))
            estimates, counts = None, False
