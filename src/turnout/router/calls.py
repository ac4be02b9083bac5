"""A call to the chosen model while it runs, and the one event that it becomes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from turnout.core.bounds import Bounds, cacheable, unfinished, unreported, unsplit
from turnout.core.cost import Cost, cost_of
from turnout.core.usage import Usage
from turnout.core.verdict import UsageSource
from turnout.router.turns import Routed
from turnout.trace.events import CallEvent, Status, new_id
from turnout.trace.spans.content import Transcript
from turnout.trace.spans.context import SpanNote
from turnout.trace.spans.semconv import CHAT
from turnout.upstream.errors import failure_of, is_unbilled

if TYPE_CHECKING:
    from turnout.router.routing import Router

_CHARACTERS_PER_TOKEN = 4
"""As `turnout.messages.count` counts a prompt."""


class OpenCall:
    """A call to the chosen model while it runs: notes what comes, and records one event when it ends.

    Ending it a second time does nothing, so that a door may end it in a ``finally``.

    Attributes:
        span: The call's span; it is current while the model runs.
        outer_usage: Set by a door: whether a span of its framework reports this call's tokens too.
        transcript: Takes the answer where it may be recorded, else none.
        event: The event, once the call has ended.
        is_complete: Whether the model said that its answer is at its end.
    """

    def __init__(self, router: Router, routed: Routed, *, streamed: bool, max_output_tokens: int | None = None) -> None:
        self._router = router
        self._routed = routed
        self._streamed = streamed
        self._started = time.perf_counter()
        self._started_ms = router.now_ms()
        self._max_output_tokens = max_output_tokens
        self._first_content_ms: float | None = None
        self._begun = False
        self._characters = 0
        self._usage: Usage | None = None
        self._splits_writes = True
        self._finish_reason = ""
        self.event: CallEvent | None = None
        self.is_complete = False
        routed.turn.calls += 1
        routed.turn.called = routed
        if router.spend is not None:
            router.spend.start(routed.turn.turn_id, self._started_ms)
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
        """Note that the model stopped, and why."""
        self._finish_reason = reason
        self.is_complete = True

    def failed(self, error: BaseException) -> CallEvent | None:
        """Record the call as failed with that error; what it says of the upstream's health goes to the breaker."""
        failure = failure_of(error)
        return self.end("error", error=failure.name, of_upstream=failure.of_upstream)

    def end(self, status: Status = "ok", *, error: str = "", of_upstream: bool = False) -> CallEvent | None:
        """Record the call.

        Args:
            status: How it ended.
            error: The error's name, for status ``error``.
            of_upstream: Whether the error speaks about the upstream's health.

        Returns:
            The event, or none if the call had been ended before.
        """
        if self.event is not None:
            return None
        routed, turn, router = self._routed, self._routed.turn, self._router
        self._tell_breaker(status, of_upstream)
        turn.broke_off = status == "error" and self.has_content
        bounds, source, guess_pico, cost = self._settled(status, error)
        usage = bounds.least
        if cost is None:
            cost = cost_of(usage, routed.model.price)
        if status == "ok" or self.has_content:
            self._learn(usage if source == "reported" else None)
        total_pico = cost.total_pico
        charged_pico = total_pico if total_pico > guess_pico else guess_pico
        router.memory.spent(turn.session_id, charged_pico)
        self._book(status, usage if source == "reported" else None, charged_pico)
        event = self.event = CallEvent(
            event_id=new_id(),
            run=router.run,
            session_id=turn.session_id,
            turn_id=turn.turn_id,
            query_id=turn.query_id,
            trace_id=self.span.trace_id,
            span_id=self.span.span_id,
            parent_span_id=self.span.parent_span_id,
            model=routed.model.id,
            attempt=routed.attempt,
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
            key_id=turn.key_id,
        )
        noted = self.outer_usage or self.transcript is not None
        if noted and (spans := router.spans) is not None:
            spans.note(self.span.span_id, SpanNote(outer_usage=self.outer_usage, transcript=self.transcript))
        router.record(event)
        return event

    def _settled(self, status: Status, error: str) -> tuple[Bounds, UsageSource, int, Cost | None]:
        """The bounds of usage and cost, where they are known from, and what a budget is charged at least, in pico-USD.

        The cost of the least usage comes with them where it was worked out already.

        A report is taken as final if the call ended well or its stop reason had come. A call that was left after it
        began is billed for its prompt and for what came. One that was left or broke before that, and one that failed
        in the middle, may be billed or not; one that the provider refused is not.
        """
        model, plan = self._routed.model, self._routed.decision.cache_plan
        if self._usage is not None:
            if status != "ok" and not self._finish_reason:
                return unfinished(model.price, self._usage, most_output_tokens=self._most_output()), "partial", 0, None
            if self._splits_writes:
                cost = cost_of(self._usage, model.price)
                return Bounds(least=self._usage, high_pico=cost.total_pico), "reported", 0, cost
            bounds = unsplit(model.price, self._usage, frozenset(marker.ttl for marker in plan.markers))
            known = bounds.high_pico == cost_of(bounds.least, model.price).total_pico
            return bounds, "reported" if known else "partial", 0, None
        if status == "error" and not self._begun and is_unbilled(error):
            return Bounds(), "none", 0, None
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
        return bounds, "estimated", cost_of(Usage(input_tokens=prompt.tokens), model.price).total_pico, None

    def _most_output(self) -> int:
        model = self._routed.model
        limit = self._max_output_tokens or self._routed.given.request.max_output_tokens or model.max_output_tokens
        return limit or model.context_window

    def _book(self, status: Status, usage: Usage | None, cost_pico: int) -> None:
        """Tell the account of the spend bound what the call came to."""
        spend, turn_id = self._router.spend, self._routed.turn.turn_id
        if spend is None:
            return
        left = status == "cancelled"
        ends_turn = left or self._finish_reason != "tool_use"
        spend.finish(turn_id, usage, cost_pico, ok=status == "ok" or self.has_content, ends_turn=ends_turn)
        if left:
            spend.end_turn(turn_id)

    def _tell_breaker(self, status: Status, of_upstream: bool) -> None:
        breakers, key = self._router.breakers, self._router.breaker_of(self._routed.model.id)
        if status == "ok":
            breakers.succeeded(key, self._router.now_ms())
        elif status == "error" and of_upstream:
            breakers.failed(key, self._router.now_ms())
        else:
            breakers.released(key, self._router.now_ms())

    def _learn(self, usage: Usage | None) -> None:
        routed, turn = self._routed, self._routed.turn
        if usage is not None and usage.prompt_tokens > routed.model.context_window:
            usage = None  # a report that cannot be true teaches nothing
        prompt_tokens = None if usage is None else usage.prompt_tokens
        grown = None
        if turn.prompt_tokens is not None and prompt_tokens is not None:
            grown = prompt_tokens - turn.prompt_tokens
        self._router.memory.called(
            self._router.scope_of(routed.model.id),
            routed.model,
            routed.given.request,
            routed.decision.cache_plan,
            usage,
            self._started_ms,
            opens_turn=turn.answers == 0,
            growth_tokens=grown,
            ahead=routed.given.policy.horizon == "session",
        )
        turn.prompt_tokens = prompt_tokens
        turn.answers += 1
