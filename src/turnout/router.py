"""The shell around the decision: classify, decide, call, record.

Doors use it: they build a conversation and a request, ask `Router.route` which model serves, make the call themselves
and tell the router how it went through `Router.begin_call`.

Known limitation: a classifier that outlasts the router's time-out is cancelled, and what its provider bills for the
abandoned call is not known; classifiers that call models therefore keep a shorter time-out of their own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

import msgspec

from turnout.classify.protocol import Classifier
from turnout.core.catalog import Catalog, Model, unknown
from turnout.core.cost import NO_COST, cost_of
from turnout.core.decide import decide, needs_verdict
from turnout.core.decision import Decision, DecisionInput, FailedAttempt
from turnout.core.expect import call_cost_pico
from turnout.core.policy import Policy
from turnout.core.request import Request
from turnout.core.usage import NO_USAGE, Usage
from turnout.core.verdict import ClassifierCall, Failure, UsageSource, Verdict
from turnout.messages.conversation import Conversation
from turnout.sessions.memory import CacheScope, SessionMemory
from turnout.trace.events import CallEvent, DecisionEvent, Records, Status, new_id
from turnout.trace.spans.content import Transcript
from turnout.trace.spans.context import OpenSpan, SpanNote, Spans, spans_of, surrounding_span
from turnout.trace.spans.joining import active_spans
from turnout.trace.spans.semconv import CHAT, ROUTE

logger = logging.getLogger(__name__)


class RefusedError(ValueError):
    """A request that no candidate may serve; the message names each candidate's reason."""

    def __init__(self, decision: Decision, pin: str | None = None) -> None:
        self.decision = decision
        whys = "; ".join(
            f"{estimate.model}: {', '.join(estimate.ineligible) or 'eligible'}" for estimate in decision.estimates
        )
        if pin is not None and all(estimate.model != pin for estimate in decision.estimates):
            whys = f"{unknown('candidate', pin, [estimate.model for estimate in decision.estimates])}; {whys}"
        super().__init__(f"the request was refused ({decision.reason}): {whys}")


class Turn(msgspec.Struct, kw_only=True):
    """One query and everything it takes to answer it; a door keeps it through the turn's tool loop.

    ``span`` is that of the turn's first request, whose trace the others join where nothing is around them.
    """

    session_id: str
    turn_id: str
    query_id: str = ""
    span: OpenSpan | None = None
    model: str | None = None
    verdict: Verdict | None = None
    calls: int = 0
    prompt_tokens: int | None = None
    routed: Routed | None = None


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that may be served, with what it was made from.

    ``span`` is that of the request; ``conversation`` is kept only where prompts may be recorded.
    """

    turn: Turn
    given: DecisionInput
    decision: Decision
    model: Model
    span: OpenSpan
    conversation: Conversation | None = None


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
        self._records = records
        self._scopes = dict(scopes or {})
        self._timeout_s = classifier_timeout_s
        self._clock = clock

    def begin_turn(self, session_id: str, *, query_id: str = "") -> Turn:
        """Open a turn."""
        return Turn(session_id=session_id, turn_id=new_id(), query_id=query_id)

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
        span = self._begin_request(turn)
        classifier_ms = 0.0
        if turn.verdict is None and self.classifier is not None and needs_verdict(given):
            with span.current():
                turn.verdict, classifier_ms = await self._classify(self.classifier, conversation, turn, span)
            given = msgspec.structs.replace(given, verdict=turn.verdict)
        spans = self.spans
        kept = conversation if spans is not None and spans.record_text and span.span_id else None
        return self._decide(given, turn, span, classifier_ms=classifier_ms, conversation=kept)

    def failover(self, routed: Routed, error: str, *, same_request: bool = True) -> Routed:
        """Decide again after the chosen model failed before its first content.

        Args:
            routed: The decision whose model failed.
            error: The error's name.
            same_request: Whether this door makes the next call by itself; not where a framework asks it anew.

        Raises:
            RefusedError: No other candidate may serve the request.
        """
        failed = (*routed.given.failed, FailedAttempt(routed.model.id, error))
        given = msgspec.structs.replace(routed.given, failed=failed, now_ms=self._now_ms())
        span = routed.span if same_request else self._begin_request(routed.turn)
        return self._decide(given, routed.turn, span, conversation=routed.conversation)

    def begin_call(self, routed: Routed, *, streamed: bool = True) -> OpenCall:
        """Start the record of a call to the chosen model."""
        return OpenCall(self, routed, streamed=streamed)

    @property
    def spans(self) -> Spans | None:
        """What derives spans from the events: found among the records, else what was set up for the process."""
        return spans_of(self._records) or active_spans()

    def record(self, event: CallEvent | DecisionEvent) -> None:
        """Hand an event to the records, and to tracing."""
        if self._records is not None:
            self._records.record(event)
        if spans_of(self._records) is None and (spans := active_spans()) is not None:
            spans.record(event)

    def scope_of(self, model_id: str) -> CacheScope:
        """The prompt cache that a candidate uses."""
        return self._scopes.get(model_id, CacheScope(model_id))

    def _begin_request(self, turn: Turn) -> OpenSpan:
        spans = self.spans
        if spans is None:
            return surrounding_span()
        span = spans.open(ROUTE, follows=turn.span)
        turn.span = turn.span or span
        return span

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _input(self, request: Request, policy: Policy, verdict: Verdict | None) -> DecisionInput:
        hashes = [segment.prefix_hash for segment in request.segments]
        models = [candidate.model for candidate in policy.candidates]
        caches = {model_id: self.memory.cache(self.scope_of(model_id), hashes) for model_id in models}
        return DecisionInput(
            request=request,
            policy=policy,
            catalog=self.catalog,
            now_ms=self._now_ms(),
            verdict=verdict,
            caches={model_id: state for model_id, state in caches.items() if state.entries},
            session=self.memory.session(request.session_id),
            statistics=self.memory.statistics(models),
        )

    async def _classify(
        self, classifier: Classifier, conversation: Conversation, turn: Turn, span: OpenSpan
    ) -> tuple[Verdict, float]:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s):
                verdict = await classifier.classify(conversation)
        except TimeoutError:
            verdict = Verdict(
                classifier=classifier.name, failure=Failure("timeout", f"no verdict within {self._timeout_s} s")
            )
        except Exception as error:
            verdict = Verdict(classifier=classifier.name, failure=Failure("error", type(error).__name__))
        classifier_ms = (time.perf_counter() - started) * 1000
        if verdict.failure is not None:
            self.verdict_failures += 1
            logger.warning(
                "classifier=<%s>, kind=<%s>, detail=<%s> | no verdict, the most capable model serves",
                verdict.classifier,
                verdict.failure.kind,
                verdict.failure.detail,
            )
        for attempt, call in enumerate(verdict.calls, start=1):
            self._record_classifier_call(verdict.classifier, call, attempt, turn, span)
        return verdict, classifier_ms

    def _record_classifier_call(
        self, classifier: str, call: ClassifierCall, attempt: int, turn: Turn, span: OpenSpan
    ) -> None:
        error = call.error or ""
        if call.model in self.prices:
            cost = cost_of(call.usage, self.prices[call.model].price)
        else:
            # Not priced in silence, and not worth losing the caller's request: the event itself says so.
            logger.error("classifier=<%s>, model=<%s> | the classifier's model has no price", classifier, call.model)
            cost, error = NO_COST, error or "unpriced_model"
        self.memory.spent(turn.session_id, cost.total_pico)
        own = self.begin_span(CHAT, span)
        self.record(
            CallEvent(
                event_id=new_id(),
                run=self.run,
                session_id=turn.session_id,
                turn_id=turn.turn_id,
                query_id=turn.query_id,
                trace_id=own.trace_id,
                span_id=own.span_id,
                parent_span_id=own.parent_span_id,
                role="classifier",
                model=call.model,
                classifier=classifier,
                attempt=attempt,
                started_ms=call.started_ms,
                latency_ms=call.latency_ms,
                usage=call.usage,
                usage_source=call.usage_source,
                cost=cost,
                cost_high_pico=cost.total_pico,
                status="error" if error else "ok",
                error=error,
                simulated=False,
            )
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
    ) -> Routed:
        started = time.perf_counter()
        decision = decide(given)
        self.record(
            DecisionEvent(
                event_id=new_id(),
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
            raise RefusedError(decision, given.request.pin)
        turn.model = decision.model
        self.memory.served(turn.session_id, decision.model)
        model = self.catalog[decision.model]
        turn.routed = Routed(
            turn=turn, given=given, decision=decision, model=model, span=span, conversation=conversation
        )
        return turn.routed


class OpenCall:
    """A call to the chosen model while it runs: notes what comes, and records one event when it ends.

    Ending it a second time does nothing, so that a door may end it in a ``finally``.

    Attributes:
        span: The call's span; it is current while the model runs.
        outer_usage: Set by a door: whether a span of its framework reports this call's tokens too.
        transcript: Takes the answer where it may be recorded, else none.
    """

    def __init__(self, router: Router, routed: Routed, *, streamed: bool) -> None:
        self._router = router
        self._routed = routed
        self._streamed = streamed
        self._started = time.perf_counter()
        self._started_ms = router._now_ms()
        self._first_content_ms: float | None = None
        self._usage: Usage | None = None
        self._finish_reason = ""
        self._ended = False
        routed.turn.calls += 1
        self._number = routed.turn.calls
        self.span = router.begin_span(CHAT, routed.span)
        self.outer_usage = False
        self.transcript = None if routed.conversation is None else Transcript(routed.conversation)

    @property
    def has_content(self) -> bool:
        """Whether content has come: then the call can no longer fail over."""
        return self._first_content_ms is not None

    def content(self) -> None:
        """Note that content came."""
        if self._first_content_ms is None:
            self._first_content_ms = (time.perf_counter() - self._started) * 1000

    def usage(self, usage: Usage) -> None:
        """Note the usage that the provider reported."""
        self._usage = usage

    def finish_reason(self, reason: str) -> None:
        """Note why the model stopped."""
        self._finish_reason = reason

    def end(self, status: Status = "ok", *, error: str = "") -> CallEvent | None:
        """Record the call.

        Args:
            status: How it ended.
            error: The error's name, for status ``error``.

        Returns:
            The event, or none if the call had been ended before.
        """
        if self._ended:
            return None
        self._ended = True
        routed, turn, router = self._routed, self._routed.turn, self._router
        usage, source, high_pico = self._settled(status)
        cost = cost_of(usage, routed.model.price)
        if status == "ok" or self.has_content:
            self._learn(usage if source == "reported" else None)
        router.memory.spent(turn.session_id, cost.total_pico)
        event = CallEvent(
            event_id=new_id(),
            run=router.run,
            session_id=turn.session_id,
            turn_id=turn.turn_id,
            query_id=turn.query_id,
            trace_id=self.span.trace_id,
            span_id=self.span.span_id,
            parent_span_id=self.span.parent_span_id,
            model=routed.model.id,
            attempt=len(routed.given.failed) + 1,
            started_ms=self._started_ms,
            latency_ms=(time.perf_counter() - self._started) * 1000,
            first_content_ms=self._first_content_ms if self._streamed else None,
            usage=usage,
            usage_source=source,
            cost=cost,
            cost_high_pico=max(cost.total_pico, high_pico),
            status=status,
            error=error,
            finish_reason=self._finish_reason,
            streamed=self._streamed,
            simulated=router.simulated,
        )
        noted = self.outer_usage or self.transcript is not None
        if noted and (spans := router.spans) is not None:
            spans.note(self.span.span_id, SpanNote(outer_usage=self.outer_usage, transcript=self.transcript))
        router.record(event)
        return event

    def _settled(self, status: Status) -> tuple[Usage, UsageSource, int]:
        """Usage, where it is known from, and the most that the call can have cost in pico-USD.

        A call that ended without a report after content came was billed by its provider: its prompt is estimated as
        fresh input, and the high cost adds the whole output limit and the dearest price that the prompt can have had.
        A call that failed before any content is not billed.
        """
        if self._usage is not None:
            return self._usage, "reported", 0
        if status == "error" and not self.has_content:
            return NO_USAGE, "none", 0
        given, model = self._routed.given, self._routed.model
        ratio = given.statistics.of(model.id).tokenizer_ratio or model.tokenizer_ratio
        prompt_tokens = given.request.prompt_for(ratio).tokens
        most_output = given.request.max_output_tokens or model.max_output_tokens or 0
        tier = model.price.tier_for(prompt_tokens)
        dearest = max(tier.input_pico, tier.cache_write_1h_pico, tier.cache_write_5m_pico)
        high_pico = prompt_tokens * dearest + call_cost_pico(tier, 0, (), 0, most_output)
        return Usage(input_tokens=prompt_tokens), "estimated", high_pico

    def _learn(self, usage: Usage | None) -> None:
        routed, turn = self._routed, self._routed.turn
        prompt_tokens = None if usage is None else usage.prompt_tokens
        grown = None
        if turn.prompt_tokens is not None and prompt_tokens is not None and self._number > 1:
            grown = prompt_tokens - turn.prompt_tokens
        self._router.memory.called(
            self._router.scope_of(routed.model.id),
            routed.model,
            routed.given.request,
            routed.decision.cache_plan,
            usage,
            self._started_ms,
            opens_turn=self._number == 1,
            growth_tokens=grown,
        )
        turn.prompt_tokens = prompt_tokens
