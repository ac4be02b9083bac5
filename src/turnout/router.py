"""The shell around the decision: classify, decide, call, record.

Doors use it: they build a conversation and a request, ask `Router.route` which model serves, make the call themselves
and tell the router how it went through `Router.begin_call`.

A classifier that outlasts the router's time-out, or whose request is cancelled, is cancelled too. It is given
``on_call`` (`turnout.classify.protocol`), by which it tells of each call as that ends, so that these are recorded and
charged although there is no verdict. A request that is cancelled then has no decision: none was made.

Known limitation: calls of a classifier that does not use ``on_call`` are lost with its verdict.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from turnout.classify.protocol import Classifier
from turnout.core.bounds import Bounds, cacheable, of_classifier, unfinished, unreported, unsplit
from turnout.core.catalog import Catalog, Model, unknown
from turnout.core.cost import NO_COST, cost_of
from turnout.core.decide import decide, needs_verdict
from turnout.core.decision import Decision, DecisionInput, FailedAttempt
from turnout.core.horizon import NO_HORIZON
from turnout.core.policy import Policy
from turnout.core.request import Request
from turnout.core.usage import Usage
from turnout.core.verdict import ClassifierCall, Failure, UsageSource, Verdict
from turnout.messages.conversation import Conversation
from turnout.sessions.memory import CacheScope, SessionMemory
from turnout.trace.events import CallEvent, DecisionEvent, Records, Status, new_id
from turnout.trace.spans.content import Transcript
from turnout.trace.spans.context import OpenSpan, SpanNote, Spans, spans_of, surrounding_span
from turnout.trace.spans.joining import active_spans
from turnout.trace.spans.semconv import CHAT, ROUTE
from turnout.upstream.errors import is_unbilled

logger = logging.getLogger(__name__)

CANCELLED = "CancelledError"
"""The error of a classifier's call that was cancelled before it ended."""

UNPRICED = "unpriced_model"
"""The error of a call whose model the catalog has no price for."""


_CHARACTERS_PER_TOKEN = 4
"""As `turnout.messages.count` counts a prompt."""


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

    def begin_call(self, routed: Routed, *, streamed: bool = True, max_output_tokens: int | None = None) -> OpenCall:
        """Start the record of a call to the chosen model.

        Args:
            routed: The decision.
            streamed: Whether the answer is streamed.
            max_output_tokens: The limit on output that is really sent; none: the request's, else the model's.
        """
        return OpenCall(self, routed, streamed=streamed, max_output_tokens=max_output_tokens)

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
        now_ms = self._now_ms()
        return DecisionInput(
            request=request,
            policy=policy,
            catalog=self.catalog,
            now_ms=now_ms,
            verdict=verdict,
            caches={model_id: state for model_id, state in caches.items() if state.entries},
            session=self.memory.session(request.session_id),
            statistics=self.memory.statistics(models),
            horizon=self.memory.horizon(request, models, now_ms) if policy.horizon == "session" else NO_HORIZON,
        )

    async def _classify(
        self, classifier: Classifier, conversation: Conversation, turn: Turn, span: OpenSpan
    ) -> tuple[Verdict, float]:
        started = time.perf_counter()
        ended: list[ClassifierCall] = []
        failure: Failure | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                verdict = await classifier.classify(conversation, on_call=ended.append)
        except TimeoutError:
            failure = Failure("timeout", f"no verdict within {self._timeout_s} s")
        except asyncio.CancelledError:
            # Without a decision the request's span is not built: the calls stand where it would have stood.
            unbuilt = OpenSpan(span.trace_id, "", span.parent_span_id, span.span_context)
            self._record_classifier_calls(classifier.name, ended, turn, unbuilt)
            raise
        except Exception as error:
            failure = Failure("error", type(error).__name__)
        if failure is not None:
            verdict = Verdict(classifier=classifier.name, failure=failure, calls=tuple(ended))
        classifier_ms = (time.perf_counter() - started) * 1000
        if verdict.failure is not None:
            self.verdict_failures += 1
            logger.warning(
                "classifier=<%s>, kind=<%s>, detail=<%s> | no verdict, the most capable model serves",
                verdict.classifier,
                verdict.failure.kind,
                verdict.failure.detail,
            )
        self._record_classifier_calls(verdict.classifier, verdict.calls, turn, span)
        return verdict, classifier_ms

    def _record_classifier_calls(
        self, classifier: str, calls: Sequence[ClassifierCall], turn: Turn, span: OpenSpan
    ) -> None:
        for attempt, call in enumerate(calls, start=1):
            self._record_classifier_call(classifier, call, attempt, turn, span)

    def _record_classifier_call(
        self, classifier: str, call: ClassifierCall, attempt: int, turn: Turn, span: OpenSpan
    ) -> None:
        error, status = call.error or "", _status_of(call)
        if call.model in self.prices:
            model = self.prices[call.model]
            bounds = of_classifier(call, model, unbilled=is_unbilled(error))
            cost = cost_of(bounds.least, model.price)
            charged_pico = max(cost.total_pico, cost_of(call.usage, model.price).total_pico)
        else:
            # Not priced in silence, and not worth losing the caller's request: the event itself says so.
            logger.error("classifier=<%s>, model=<%s> | the classifier's model has no price", classifier, call.model)
            bounds, cost, charged_pico = Bounds(least=call.usage), NO_COST, 0
            status, error = "error", error if error not in ("", CANCELLED) else UNPRICED
        self.memory.spent(turn.session_id, charged_pico)
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
                usage=bounds.least,
                usage_source=call.usage_source,
                cost=cost,
                cost_high_pico=bounds.high_pico,
                status=status,
                error="" if status == "cancelled" else error,
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

    def __init__(self, router: Router, routed: Routed, *, streamed: bool, max_output_tokens: int | None = None) -> None:
        self._router = router
        self._routed = routed
        self._streamed = streamed
        self._started = time.perf_counter()
        self._started_ms = router._now_ms()
        self._max_output_tokens = max_output_tokens
        self._first_content_ms: float | None = None
        self._begun = False
        self._characters = 0
        self._usage: Usage | None = None
        self._splits_writes = True
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

    def began(self) -> None:
        """Note that the provider began to answer: from then on it may bill for the call, however it ends."""
        self._begun = True

    def content(self, characters: int = 0) -> None:
        """Note that content came, and how many characters of it."""
        self._begun = True
        self._characters += characters
        if self._first_content_ms is None:
            self._first_content_ms = (time.perf_counter() - self._started) * 1000

    def usage(self, usage: Usage, *, splits_writes: bool = True) -> None:
        """Note the usage that the provider reported.

        Args:
            usage: The tokens; where the report does not say for how long writes are kept, all as 5 minute ones.
            splits_writes: Whether it says so.
        """
        self._begun = True
        self._usage, self._splits_writes = usage, splits_writes

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
        bounds, source, guess_pico = self._settled(status, error)
        usage, cost = bounds.least, cost_of(bounds.least, routed.model.price)
        if status == "ok" or self.has_content:
            self._learn(usage if source == "reported" else None)
        router.memory.spent(turn.session_id, max(cost.total_pico, guess_pico))
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
            cost_high_pico=bounds.high_pico,
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

    def _settled(self, status: Status, error: str) -> tuple[Bounds, UsageSource, int]:
        """The bounds of usage and cost, where they are known from, and what a budget is charged at least, in pico-USD.

        A report is taken as final if the call ended well or its stop reason had come. A call that was left after it
        began is billed for its prompt and for what came. One that was left or broke before that, and one that failed
        in the middle, may be billed or not; one that the provider refused is not.
        """
        model, plan = self._routed.model, self._routed.decision.cache_plan
        if self._usage is not None:
            if status != "ok" and not self._finish_reason:
                return unfinished(model.price, self._usage, most_output_tokens=self._most_output()), "partial", 0
            if self._splits_writes:
                cost_pico = cost_of(self._usage, model.price).total_pico
                return Bounds(least=self._usage, high_pico=cost_pico), "reported", 0
            bounds = unsplit(model.price, self._usage, frozenset(marker.ttl for marker in plan.markers))
            known = bounds.high_pico == cost_of(bounds.least, model.price).total_pico
            return bounds, "reported" if known else "partial", 0
        if status == "error" and not self._begun and is_unbilled(error):
            return Bounds(), "none", 0
        given = self._routed.given
        ratio = given.statistics.of(model.id).tokenizer_ratio or model.tokenizer_ratio
        prompt = given.request.prompt_for(ratio)
        bounds = unreported(
            model.price,
            prompt_tokens=prompt.tokens,
            cacheable_tokens=cacheable(prompt, plan, model.cache),
            seen_output_tokens=int(self._characters / _CHARACTERS_PER_TOKEN * ratio),
            most_output_tokens=self._most_output(),
            surely_billed=self._begun and status != "error",
        )
        return bounds, "estimated", cost_of(Usage(input_tokens=prompt.tokens), model.price).total_pico

    def _most_output(self) -> int:
        model = self._routed.model
        limit = self._max_output_tokens or self._routed.given.request.max_output_tokens or model.max_output_tokens
        return limit or model.context_window

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


def _status_of(call: ClassifierCall) -> Status:
    if call.error == CANCELLED:
        return "cancelled"
    return "error" if call.error else "ok"
