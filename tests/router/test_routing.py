import asyncio
import logging
from typing import Any

import msgspec
import pytest

from turnout.core.cache import CacheRules
from turnout.core.calls import BreakerRules, CallRules
from turnout.core.catalog import Catalog, Model, UnknownModelError
from turnout.core.decide import decide
from turnout.core.policy import Budget, Candidate, Policy, Reason
from turnout.core.price import FREE, flat_price
from turnout.core.request import HardStay
from turnout.core.usage import Usage
from turnout.core.verdict import ClassifierCall, Failure, Verdict
from turnout.messages.conversation import Conversation, conversation_of
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import request_of
from turnout.router import RefusedError, Router
from turnout.trace.events import CallEvent, DecisionEvent, Event
from turnout.trace.spans.context import OpenSpan, SpanNote
from turnout.trace.spans.ids import SpanIds
from turnout.upstream.breaker import Breakers

HASHER = PrefixHasher(b"key of the test")
CHEAP = Model(
    id="p/cheap", provider="p", model_id="cheap", name="cheap", price=flat_price("1", "5"), context_window=10_000
)
CAPABLE = Model(
    id="p/capable",
    provider="p",
    model_id="capable",
    name="capable",
    price=flat_price("3", "15", cache_read="0.3", cache_write_5m="3.75"),
    context_window=10_000,
    max_output_tokens=500,
    cache=CacheRules(floor_tokens=100),
)
LOCAL = Model(id="local/tiny", provider="local", model_id="tiny", name="tiny", price=FREE, context_window=2_000)
CATALOG = Catalog.of([CHEAP, CAPABLE, LOCAL])
POLICY = Policy(candidates=(Candidate("p/cheap", 1), Candidate("p/capable", 2)), markers="fill")
SIMPLE = Verdict(classifier="rule", label="simple", p_simple=0.9)
COMPLEX = Verdict(classifier="rule", label="complex", p_simple=0.1)


class Events:
    """Keeps events in a list."""

    def __init__(self) -> None:
        self.all: list[Event] = []

    def record(self, event: Event) -> None:
        self.all.append(event)

    @property
    def calls(self) -> list[CallEvent]:
        return [event for event in self.all if isinstance(event, CallEvent)]

    @property
    def decisions(self) -> list[DecisionEvent]:
        return [event for event in self.all if isinstance(event, DecisionEvent)]


class Rule:
    """A classifier that says what it was made with, and counts how often it is asked."""

    name = "rule"

    def __init__(self, says: Verdict | Exception, *, delay_s: float = 0.0) -> None:
        self.says, self.delay_s, self.asked = says, delay_s, 0

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        self.asked += 1
        await asyncio.sleep(self.delay_s)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def router(says: Verdict | Exception | None = SIMPLE, policy: Policy = POLICY, **options: Any) -> tuple[Router, Events]:
    events = Events()
    delay_s = options.pop("delay_s", 0.0)
    classifier = None if says is None else Rule(says, delay_s=delay_s)
    return Router(policy, CATALOG, classifier=classifier, records=events, **options), events


async def route(made: Router, query: str = "hello", **request: Any) -> Any:
    conversation = Conversation(messages=conversation_of(query).messages, system=[{"text": "be kind " * 100}])
    asked = request_of(conversation, HASHER, session_id="s", **request)
    return await made.route(conversation, asked, made.begin_turn("s", query_id="q", key_id="k"))


async def test_a_simple_query_goes_to_the_cheap_model_and_the_decision_replays() -> None:
    made, events = router()
    routed = await route(made)
    assert routed.model.id == "p/cheap"
    assert routed.decision.reason is Reason.CHEAPEST_CLEARS_BAR
    (event,) = events.decisions
    encoded = msgspec.json.encode(event.decision, order="deterministic")
    assert msgspec.json.encode(decide(event.given), order="deterministic") == encoded
    assert (event.query_id, event.session_id, event.run) == ("q", "s", "default")


async def test_a_preview_decides_the_same_and_leaves_nothing_behind() -> None:
    made, events = router()
    conversation = Conversation(messages=conversation_of("hello").messages, system=[{"text": "be kind " * 100}])
    asked = request_of(conversation, HASHER, session_id="s")
    given, decision = await made.preview(conversation, asked)
    assert events.all == []
    assert made.memory.session("s").current_model is None
    routed = await made.route(conversation, asked, made.begin_turn("s"))
    assert decision == routed.decision
    assert msgspec.structs.replace(given, now_ms=0) == msgspec.structs.replace(routed.given, now_ms=0)


async def test_what_was_routed_names_the_event_of_its_decision() -> None:
    made, events = router()
    routed = await route(made)
    following = made.failover(routed, "ThrottlingException")
    assert [event.event_id for event in events.decisions] == [routed.event_id, following.event_id]


async def test_a_complex_query_goes_to_the_capable_model() -> None:
    made, _ = router(COMPLEX)
    routed = await route(made)
    assert (routed.model.id, routed.decision.reason) == ("p/capable", Reason.CHEAPEST_BELOW_BAR)


async def test_the_classifier_is_not_asked_where_its_verdict_cannot_count() -> None:
    made, events = router()
    routed = await route(made, pin="p/capable")
    assert routed.decision.reason is Reason.PINNED
    assert isinstance(made.classifier, Rule)
    assert made.classifier.asked == 0
    assert events.decisions[0].classifier_ms == 0


async def test_a_turn_asks_for_its_verdict_once() -> None:
    made, _ = router()
    conversation = conversation_of("hello")
    turn = made.begin_turn("s")
    for _ in range(3):
        await made.route(conversation, request_of(conversation, HASHER), turn)
    assert isinstance(made.classifier, Rule)
    assert made.classifier.asked == 1


@pytest.mark.parametrize(
    ("says", "options", "reason"),
    [
        (None, {}, Reason.NO_VERDICT),
        (RuntimeError("secret"), {}, Reason.CLASSIFIER_ERROR),
        (SIMPLE, {"delay_s": 5.0, "classifier_timeout_s": 0.01}, Reason.CLASSIFIER_TIMEOUT),
        (Verdict(classifier="rule", failure=Failure("unparsed")), {}, Reason.CLASSIFIER_UNPARSED),
    ],
)
async def test_without_a_verdict_the_capable_model_serves_and_the_reason_says_why(
    says: Any, options: dict[str, Any], reason: Reason, caplog: pytest.LogCaptureFixture
) -> None:
    made, events = router(says, **options)
    with caplog.at_level(logging.WARNING):
        routed = await route(made)
    assert (routed.model.id, routed.decision.reason) == ("p/capable", reason)
    assert made.verdict_failures == (0 if says is None else 1)
    assert ("no verdict" in caplog.text) == (says is not None)
    assert "secret" not in caplog.text + repr(events.all)


async def test_cancelling_the_caller_cancels_the_classifier() -> None:
    made, events = router(delay_s=30.0, classifier_timeout_s=60.0)
    task = asyncio.create_task(route(made))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # It called no model, and nothing was decided.
    assert events.all == []


class Calling:
    """A classifier that calls a model, is slow, and tells of its calls also where it is cancelled."""

    name = "calling"

    def __init__(self, *, fails: bool = False) -> None:
        self.begun = asyncio.Event()
        self._fails = fails

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        kwargs["on_call"](ClassifierCall(model="p/cheap", usage=Usage(input_tokens=400, output_tokens=5)))
        self.begun.set()
        try:
            if self._fails:
                raise RuntimeError("secret")
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            guess = Usage(input_tokens=400)
            kwargs["on_call"](
                ClassifierCall(model="p/cheap", usage=guess, usage_source="estimated", error="CancelledError")
            )
            raise
        raise AssertionError("it is never let finish")


@pytest.mark.parametrize("has_spans", [False, True])
async def test_a_request_that_is_cancelled_while_its_classifier_is_asked_is_charged_for_that(has_spans: bool) -> None:
    events = Spans() if has_spans else Events()
    classifier = Calling()
    made = Router(POLICY, CATALOG, classifier=classifier, records=events)
    task = asyncio.create_task(route(made))
    await classifier.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert events.decisions == []
    ended, cancelled = events.calls
    # 400 x $1 + 5 x $5 per million tokens were reported.
    assert (ended.status, ended.usage_source, ended.cost.total_pico) == ("ok", "reported", 425_000_000)
    # Of the other nothing is known: at the most twice the count and all of the context window as output.
    assert (cancelled.status, cancelled.error, cancelled.usage_source) == ("cancelled", "", "estimated")
    assert (cancelled.cost.total_pico, cancelled.cost_high_pico) == (0, 800 * 1_000_000 + 10_000 * 5_000_000)
    assert {(event.role, event.classifier, event.query_id, event.key_id) for event in events.calls} == {
        ("classifier", "calling", "q", "k")
    }
    # The request's span is not built, so nothing may hang under it.
    assert {event.parent_span_id for event in events.calls} == {""}
    assert all(bool(event.span_id) == has_spans for event in events.calls)
    # The budget is charged what was reported and the guess.
    assert made.memory.session("s").spent_pico == 425_000_000 + 400_000_000


@pytest.mark.parametrize("fails", [False, True])
async def test_a_classifier_without_a_verdict_is_charged_for_its_calls(fails: bool) -> None:
    events = Events()
    made = Router(POLICY, CATALOG, classifier=Calling(fails=fails), records=events, classifier_timeout_s=0.05)
    routed = await route(made)
    assert routed.decision.reason is (Reason.CLASSIFIER_ERROR if fails else Reason.CLASSIFIER_TIMEOUT)
    assert [call.status for call in events.calls] == (["ok"] if fails else ["ok", "cancelled"])
    assert routed.given.verdict is not None
    assert len(routed.given.verdict.calls) == len(events.calls)


async def test_the_classifiers_calls_are_charged_to_the_turn_also_when_it_failed() -> None:
    usage = Usage(input_tokens=400, output_tokens=5)
    call = ClassifierCall(model="p/cheap", usage=usage, latency_ms=3.0)
    made, events = router(Verdict(classifier="rule", failure=Failure("unparsed"), calls=(call,)))
    await route(made)
    (charged,) = events.calls
    # 400 x $1 + 5 x $5 per million tokens = $0.000425
    assert (charged.role, charged.classifier, charged.cost.total_pico) == ("classifier", "rule", 425_000_000)
    assert made.memory.session("s").spent_pico == 425_000_000


async def test_a_classifier_model_without_a_price_is_said_in_its_event(caplog: pytest.LogCaptureFixture) -> None:
    made, events = router(
        Verdict(classifier="rule", label="simple", p_simple=0.9, calls=(ClassifierCall(model="p/unknown"),))
    )
    await route(made)
    assert (events.calls[0].status, events.calls[0].error) == ("error", "unpriced_model")
    assert "has no price" in caplog.text


async def test_a_refusal_names_each_candidates_reason_and_is_recorded() -> None:
    made, events = router()
    with pytest.raises(RefusedError, match=r"p/capable: 9000 .*output_limit:9000>500.*p/cheap: prompt .*context_win"):
        await route(made, "long " * 10_000, max_output_tokens=9000)
    assert events.decisions[0].decision.reason is Reason.NO_ELIGIBLE_CANDIDATE


async def test_a_pin_that_is_no_candidate_is_refused_and_says_so() -> None:
    made, _ = router()
    with pytest.raises(RefusedError, match=r"pin_ineligible.*unknown candidate 'p/cheep'; the nearest .* 'p/cheap'"):
        await route(made, pin="p/cheep")


async def test_a_spent_budget_refuses() -> None:
    made, _ = router(policy=msgspec.structs.replace(POLICY, budget=Budget(limit_pico=1)))
    made.memory.spent("s", 1)
    with pytest.raises(RefusedError, match="budget_spent"):
        await route(made)


async def test_failover_takes_the_other_candidate_and_then_gives_up() -> None:
    made, events = router()
    routed = await route(made)
    following = made.failover(routed, "ThrottlingException")
    assert (following.model.id, following.decision.reason) == ("p/capable", Reason.FAILOVER)
    assert following.decision.estimate("p/cheap").ineligible == ("failed:ThrottlingException",)
    with pytest.raises(RefusedError):
        made.failover(following, "ThrottlingException")
    assert len(events.decisions) == 3


class Spans(Events):
    """Events, and the ids of spans."""

    record_text = False

    def __init__(self, *, record_text: bool = False) -> None:
        super().__init__()
        self._ids = SpanIds()
        self.record_text = record_text
        self.notes: dict[str, SpanNote] = {}

    @property
    def span_source(self) -> Any:
        return self

    def open(self, name: str, *, parent: OpenSpan | None = None, follows: OpenSpan | None = None) -> OpenSpan:
        return self._ids.open(name, parent=parent, follows=follows)

    def note(self, span_id: str, note: SpanNote) -> None:
        self.notes[span_id] = note


def traced(says: Verdict = SIMPLE, **options: Any) -> tuple[Router, Spans]:
    spans = Spans(**options)
    return Router(POLICY, CATALOG, classifier=Rule(says), records=spans), spans


async def test_a_request_is_a_span_and_its_calls_are_below_it() -> None:
    classifying = ClassifierCall(model="p/cheap")
    made, spans = traced(Verdict(classifier="rule", label="simple", p_simple=0.9, calls=(classifying,)))
    routed = await route(made)
    made.begin_call(routed).end("error", error="ThrottlingException")
    made.begin_call(made.failover(routed, "ThrottlingException")).end()
    first, failover = spans.decisions
    assert (
        (first.span_id, first.parent_span_id)
        == (failover.span_id, failover.parent_span_id)
        == (routed.span.span_id, "")
    )
    assert {call.parent_span_id for call in spans.calls} == {first.span_id}
    assert len({call.span_id for call in spans.calls} | {first.span_id}) == 4
    assert {event.trace_id for event in spans.all} == {routed.span.trace_id}


async def test_a_failover_that_somebody_else_asks_for_is_a_request_of_its_own() -> None:
    made, spans = traced()
    routed = await route(made)
    following = made.failover(routed, "ThrottlingException", same_request=False)
    assert following.span.span_id not in {"", routed.span.span_id}
    assert following.span.trace_id == routed.span.trace_id
    assert spans.decisions[1].span_id == following.span.span_id


async def test_the_requests_of_a_turn_share_a_trace() -> None:
    made, spans = traced()
    conversation = conversation_of("hello")
    turn = made.begin_turn("s")
    for _ in range(2):
        await made.route(conversation, request_of(conversation, HASHER), turn)
    assert len({event.trace_id for event in spans.decisions}) == 1
    assert len({event.span_id for event in spans.decisions}) == 2


@pytest.mark.parametrize("record_text", [False, True])
async def test_a_conversation_is_kept_only_where_it_may_be_recorded(record_text: bool) -> None:
    made, spans = traced(record_text=record_text)
    routed = await route(made, "my card is 4111")
    call = made.begin_call(routed)
    assert (call.transcript is not None) is (routed.conversation is not None) is record_text
    call.end()
    assert set(spans.notes) == ({call.span.span_id} if record_text else set())


async def test_without_tracing_there_are_no_spans() -> None:
    made, events = router()
    routed = await route(made)
    call = made.begin_call(routed)
    call.outer_usage = True
    call.end()
    assert {(event.trace_id, event.span_id, event.parent_span_id) for event in events.all} == {("", "", "")}


async def test_a_finished_call_is_recorded_priced_and_learned_from() -> None:
    made, events = router(COMPLEX)
    routed = await route(made)
    call = made.begin_call(routed)
    call.content()
    call.usage(Usage(input_tokens=10, cache_write_5m_tokens=200, output_tokens=20))
    call.finish_reason("end_turn")
    call.end()
    assert call.end("cancelled") is None
    (event,) = events.calls
    # 10 x $3 + 200 x $3.75 + 20 x $15 per million tokens = $0.00108
    assert (event.cost.total_pico, event.cost_high_pico) == (1_080_000_000, 1_080_000_000)
    assert (event.usage_source, event.status, event.finish_reason, event.attempt) == ("reported", "ok", "end_turn", 1)
    assert event.first_content_ms is not None
    again = await route(made)
    assert "p/capable" in again.given.caches
    assert again.given.session.spent_pico == event.cost.total_pico
    assert again.given.session.current_model == "p/capable"


async def test_a_call_that_failed_before_content_costs_nothing() -> None:
    made, events = router()
    call = made.begin_call(await route(made), streamed=False)
    call.end("error", error="ThrottlingException")
    (event,) = events.calls
    assert (event.cost.total_pico, event.cost_high_pico, event.usage_source) == (0, 0, "none")
    assert (event.status, event.error, event.first_content_ms) == ("error", "ThrottlingException", None)


async def test_an_abandoned_call_is_estimated_with_a_high_cost() -> None:
    made, events = router(COMPLEX)
    call = made.begin_call(await route(made))
    call.content()
    call.end("cancelled")
    (event,) = events.calls
    # The prompt has 200 + 2 reference tokens, and a cache point after the 200: low half of them, read where they can be
    # (100 x $0.30 + 1 x $3); high twice of them, written where they can be (400 x $3.75 + 4 x $3), and 500 x $15.
    assert (event.usage_source, event.status) == ("estimated", "cancelled")
    assert event.usage == Usage(cache_read_tokens=100, input_tokens=1)
    assert event.cost.total_pico == 100 * 300_000 + 1 * 3_000_000
    assert event.cost_high_pico == 400 * 3_750_000 + 4 * 3_000_000 + 500 * 15_000_000
    # A budget is charged our own count of the prompt: neither end would do.
    assert made.memory.session("s").spent_pico == 202 * 3_000_000


async def test_what_came_of_an_answer_counts_at_the_low_end() -> None:
    made, events = router(COMPLEX)
    call = made.begin_call(await route(made), max_output_tokens=9)
    call.content(400)
    call.end("cancelled")
    (event,) = events.calls
    # 400 characters are 100 reference tokens, of which half are taken as sure; the limit that was sent bounds the rest.
    assert event.usage.output_tokens == 50
    assert event.cost_high_pico == 400 * 3_750_000 + 4 * 3_000_000 + 9 * 15_000_000


@pytest.mark.parametrize(
    ("error", "begun", "content", "source"),
    [
        ("ThrottlingException", False, False, "none"),
        ("ConnectTimeoutError", False, False, "none"),
        ("ReadTimeoutError", False, False, "estimated"),
        ("ModelStreamErrorException", True, False, "estimated"),
        ("ModelStreamErrorException", True, True, "estimated"),
    ],
)
async def test_a_failed_call_is_free_only_where_the_provider_refused_it(
    error: str, begun: bool, content: bool, source: str
) -> None:
    made, events = router(COMPLEX)
    call = made.begin_call(await route(made))
    if begun:
        call.began()
    if content:
        call.content(40)
    call.end("error", error=error)
    (event,) = events.calls
    # Whether a provider bills what broke is not known: at the least nothing, at the most all of it.
    assert (event.usage_source, event.cost.total_pico) == (source, 0)
    assert (event.cost_high_pico > 0) == (source == "estimated")


async def test_a_call_that_was_left_before_it_began_may_not_be_billed() -> None:
    made, events = router(COMPLEX)
    made.begin_call(await route(made)).end("cancelled")
    assert events.calls[0].usage_source == "estimated"
    assert events.calls[0].cost.total_pico == 0 < events.calls[0].cost_high_pico


async def test_a_report_before_the_end_is_partial() -> None:
    made, events = router(COMPLEX)
    for reason in ("", "end_turn"):
        call = made.begin_call(await route(made))
        call.content()
        call.finish_reason(reason)
        call.usage(Usage(input_tokens=10, output_tokens=20))
        call.end("cancelled")
    partial, whole = events.calls
    # 10 x $3 + 20 x $15 at the least; it may have gone on to its limit of 500.
    assert (partial.usage_source, partial.cost.total_pico) == ("partial", 10 * 3_000_000 + 20 * 15_000_000)
    assert partial.cost_high_pico == 10 * 3_000_000 + 500 * 15_000_000
    assert (whole.usage_source, whole.cost_high_pico) == ("reported", whole.cost.total_pico)


async def test_writes_whose_ttl_is_not_reported_are_what_the_request_asked_for() -> None:
    dear = msgspec.structs.replace(
        CAPABLE,
        price=flat_price("3", "15", cache_read="0.3", cache_write_5m="3.75", cache_write_1h="6"),
        cache=CacheRules(floor_tokens=100, ttls=("5m", "1h")),
    )
    for ttls, source, low, high in (
        (("5m",), "reported", 3_750_000, 3_750_000),
        (("1h",), "reported", 6_000_000, 6_000_000),
        (("1h", "5m"), "partial", 3_750_000, 6_000_000),
    ):
        events = Events()
        made = Router(POLICY, Catalog.of([CHEAP, dear]), records=events)
        system: list[Any] = []
        for ttl in ttls:
            system += [{"text": "be kind " * 100}, {"cachePoint": {"type": "default", "ttl": ttl}}]
        conversation = Conversation(messages=conversation_of("hello").messages, system=system)
        asked = request_of(conversation, HASHER, session_id="s", pin="p/capable")
        call = made.begin_call(await made.route(conversation, asked, made.begin_turn("s")))
        call.usage(Usage(cache_write_5m_tokens=200), splits_writes=False)
        call.end()
        (event,) = events.calls
        assert (event.usage_source, event.cost.total_pico, event.cost_high_pico) == (source, 200 * low, 200 * high)


async def test_a_retry_is_an_attempt_and_no_decision() -> None:
    made, events = router()
    routed = await route(made)
    made.begin_call(routed).end("error", error="InternalServerException")
    again = made.retry(routed)
    assert again is not None
    assert again.turn.routed is again
    made.begin_call(again).end()
    assert [event.attempt for event in events.calls] == [1, 2]
    assert [event.key_id for event in events.calls] == ["k", "k"]
    assert len(events.decisions) == 1


def staying(cause: Any) -> dict[str, Any]:
    return {"hard_stay": HardStay("p/cheap", cause)}


@pytest.mark.parametrize("cause", ["tool_loop", "bound_state"])
async def test_a_hard_stay_ends_only_where_the_move_is_safe(cause: Any) -> None:
    conversation = conversation_of("hello")
    for says, why in ((None, None), ("signed_thinking", "unavailable:failover_unsafe:signed_thinking")):
        asked: list[tuple[str, str]] = []

        def may_move(given: Conversation, source: Model, target: Model, says: Any = says, asked: Any = asked) -> Any:
            assert given is conversation
            asked.append((source.id, target.id))
            return says

        made, events = router(may_move=may_move)
        routed = await route(made, **staying(cause))
        assert made.can_fail_over(routed, "E", conversation=conversation) is (why is None)
        if why is None:
            following = made.failover(routed, "E", conversation=conversation)
            assert (following.model.id, following.decision.reason) == ("p/capable", Reason.FAILOVER)
        else:
            with pytest.raises(RefusedError, match="failover_unsafe"):
                made.failover(routed, "E", conversation=conversation)
            assert events.decisions[-1].decision.estimate("p/capable").ineligible == (why,)
        assert set(asked) == {("p/cheap", "p/capable")}
        assert decide(events.decisions[-1].given) == events.decisions[-1].decision


@pytest.mark.parametrize("cause", ["tool_loop", "bound_state"])
async def test_without_somebody_to_ask_a_hard_stay_never_ends(cause: Any) -> None:
    made, events = router()
    routed = await route(made, **staying(cause))
    assert not made.can_fail_over(routed, "E", conversation=conversation_of("hello"))
    assert len(events.decisions) == 1
    with pytest.raises(RefusedError, match="failover_unsafe"):
        made.failover(routed, "E")


async def test_what_is_unsafe_stays_so_through_further_failovers() -> None:
    policy = msgspec.structs.replace(POLICY, candidates=(*POLICY.candidates, Candidate("local/tiny", 0)))
    made, _ = router(policy=policy, may_move=lambda _, __, target: "no_tools" if target.id == "local/tiny" else None)
    routed = await route(made, **staying("tool_loop"))
    following = made.failover(routed, "E", conversation=conversation_of("hello"))
    assert following.model.id == "p/capable"
    with pytest.raises(RefusedError, match=r"local/tiny: unavailable:failover_unsafe:no_tools"):
        made.failover(following, "E", conversation=conversation_of("hello"))


OPENS_AT_ONCE = CallRules(breaker=BreakerRules(consecutive_failures=1, open_s=10.0))


class Clock:
    """Seconds that pass when told to."""

    now_s = 1_760_000_000.0

    def __call__(self) -> float:
        return self.now_s


async def test_a_model_whose_breaker_is_open_is_left_out_and_probed_later() -> None:
    clock = Clock()
    made, events = router(calls=OPENS_AT_ONCE, clock=clock)
    made.begin_call(await route(made)).end("error", error="E", of_upstream=True)
    routed = await route(made)
    assert routed.model.id == "p/capable"
    assert routed.decision.estimate("p/cheap").ineligible == ("unavailable:breaker_open",)
    assert decide(routed.given) == routed.decision
    clock.now_s += 10.0
    probe = await route(made)
    assert probe.model.id == "p/cheap"
    # One probe at a time: another request of the same moment goes elsewhere.
    assert (await route(made)).model.id == "p/capable"
    made.begin_call(probe).end()
    assert (await route(made)).model.id == "p/cheap"
    assert len(events.decisions) == 5


async def test_of_two_requests_that_saw_room_for_one_probe_the_slower_decides_again() -> None:
    clock = Clock()
    made, _ = router(calls=OPENS_AT_ONCE, clock=clock, delay_s=0.05)
    made.begin_call(await route(made)).end("error", error="E", of_upstream=True)
    clock.now_s += 10.0
    both = await asyncio.gather(route(made), route(made))
    assert sorted(routed.model.id for routed in both) == ["p/capable", "p/cheap"]
    for routed in both:
        assert decide(routed.given) == routed.decision


async def test_breakers_can_be_shared() -> None:
    breakers = Breakers(OPENS_AT_ONCE.breaker)
    one, _ = router(breakers=breakers)
    other, _ = router(breakers=breakers)
    one.begin_call(await route(one)).end("error", error="E", of_upstream=True)
    assert (await route(other)).model.id == "p/capable"


async def test_failovers_count_attempts() -> None:
    made, events = router()
    routed = await route(made)
    made.begin_call(routed).end("error", error="ThrottlingException")
    made.begin_call(made.failover(routed, "ThrottlingException")).end()
    assert [event.attempt for event in events.calls] == [1, 2]


def test_a_candidate_without_a_price_is_refused_at_start_up() -> None:
    unknown = Policy(candidates=(Candidate("p/chaep", 1), Candidate("p/capable", 2)))
    with pytest.raises(UnknownModelError, match=r"unknown model 'p/chaep'.*'p/cheap'"):
        Router(unknown, CATALOG)


def test_a_time_out_must_be_positive() -> None:
    with pytest.raises(ValueError, match="classifier_timeout_s"):
        router(classifier_timeout_s=0)
