"""The Strands door's traces: a real agent against the Bedrock double, with Strands' own spans exported and without."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from pydantic import BaseModel
from strands import Agent, tool
from strands.models import Model, ModelRouter

from tests.doors.strands.support import (
    CAPABLE,
    CATALOG,
    CHEAP,
    HEAD,
    POLICY,
    RULES,
    Compare,
    Events,
    agent,
    bedrock,
    pair,
    routed,
    settle,
)
from tests.trace.otel import (
    attributes,
    cost_pico,
    fresh_tracing,
    named,
    parent_id,
    receiving,
    span_id,
    trace_id,
    usage,
    values,
)
from turnout.classify.llm import CallSettings, LLMClassifier
from turnout.classify.llm_strands import StrandsClassifierModel
from turnout.config import load_settings
from turnout.core.usage import NO_USAGE
from turnout.core.verdict import Verdict
from turnout.doors.strands import MeteredModel, RoutedModel, TurnoutStrategy
from turnout.messages.conversation import Conversation
from turnout.testing.bedrock import BedrockDouble, Rule, RuleResponder, mid_stream, throttling
from turnout.trace.fanout import Fanout
from turnout.trace.spans.context import activate
from turnout.trace.spans.joining import joined
from turnout.trace.spans.otlp import Tracing, configure_tracing
from turnout.trace.spans.recorder import SpanRecorder
from turnout.upstream.errors import CallFailedError

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CHEAP_ID, CAPABLE_ID = CHEAP.removeprefix("bedrock/"), CAPABLE.removeprefix("bedrock/")
HELLO: Any = [{"role": "user", "content": [{"text": "hello"}]}]

leaves_a_connection = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fresh_tracing(monkeypatch):
        yield


_SESSION = BedrockDouble().session()


class Double(BedrockDouble):
    """A double whose clients share a session: botocore reads its tables once for each, which takes a while."""

    def session(self) -> boto3.Session:
        return _SESSION


class Traced(InMemorySpanExporter):
    """Spans that were exported, and the tracing that exports them."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        made = configure_tracing(exporters=[self], **options)
        assert isinstance(made, Tracing)
        self.tracing = made

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        assert self.tracing.flush()
        assert (self.tracing.dropped, self.tracing.failed) == (0, 0)
        return self.get_finished_spans()


class Answer(BaseModel):
    """What is asked for."""

    product: str


# What is done with a double and a list of events; each way of calling has a bill.


def tool_loop(double: BedrockDouble, events: Events) -> None:
    agent(routed(double, events))("compare the price of tea")


def several_turns(double: BedrockDouble, events: Events) -> None:
    asks = agent(routed(double, events))
    for query in ("compare these", "What is the price of tea?", "compare those"):
        asks(query)


def not_streamed(double: BedrockDouble, events: Events) -> None:
    agent(routed(double, events, models=pair(double, streaming=False)))("compare the price of tea")


def failover(double: BedrockDouble, events: Events) -> None:
    double.faults.add(throttling(model=CHEAP_ID))
    agent(routed(double, events), retry_strategy=None)("hello")


def all_fail(double: BedrockDouble, events: Events) -> None:
    double.faults.add(throttling(), times=4)
    with pytest.raises(CallFailedError, match="no model answered"):
        agent(routed(double, events), retry_strategy=None)("hello")


def broken(double: BedrockDouble, events: Events) -> None:
    double.faults.add(mid_stream(3, model=CHEAP_ID))
    with pytest.raises(CallFailedError, match="broke off"):
        agent(routed(double, events), retry_strategy=None)("hello")
    gc.collect()


def cancelled(double: BedrockDouble, events: Events) -> None:
    async def leave() -> None:
        model = routed(double, events)
        stream = model.stream(HELLO, None, HEAD)
        async for event in stream:
            if "contentBlockDelta" in event:
                break
        await stream.aclose()
        await settle(model)

    asyncio.run(leave())
    gc.collect()


def classified(double: BedrockDouble, events: Events) -> None:
    model = StrandsClassifierModel(bedrock(double, CHEAP), model_id=CHEAP)
    classifier = LLMClassifier(model, settings=CallSettings(max_tokens=20))
    agent(routed(double, events, classifier=classifier))("compare the price of tea")


def structured(double: BedrockDouble, events: Events) -> None:
    agent(routed(double, events))("compare them", structured_output_model=Answer)


def structured_directly(double: BedrockDouble, events: Events) -> None:
    async def ask() -> None:
        async for _ in routed(double, events).structured_output(Answer, HELLO, HEAD):
            pass

    asyncio.run(ask())


def strands_router(double: BedrockDouble, events: Events) -> None:
    double.faults.add(throttling(model=CHEAP_ID))
    made = TurnoutStrategy(pair(double), policy=POLICY, catalog=CATALOG, classifier=Compare(), recorder=events)
    asks = agent(ModelRouter(made.candidates, strategy=made), retry_strategy=None)
    asks("hello")
    asks("compare the price of tea")


def metered_alone(double: BedrockDouble, events: Events) -> None:
    model = MeteredModel.alone(bedrock(double, CAPABLE), CAPABLE, catalog=CATALOG, recorder=events)
    agent(model)("What is the price of tea?")


WAYS = [
    tool_loop,
    several_turns,
    not_streamed,
    failover,
    all_fail,
    broken,
    cancelled,
    classified,
    structured,
    structured_directly,
    strands_router,
    metered_alone,
]


@contextmanager
def asked(way: Callable[[BedrockDouble, Events], None]) -> Iterator[Events]:
    events = Events()
    with Double(RULES) as double:
        way(double, events)
        yield events


def bill(events: Events) -> dict[str, int]:
    """The tokens of all calls, as a sum over spans gives them."""
    return sum((call.usage for call in events.calls), NO_USAGE).to_opentelemetry()


@leaves_a_connection
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("strands", [True, False])
def test_the_sum_over_all_spans_is_the_bill(way: Callable[[BedrockDouble, Events], None], strands: bool) -> None:
    traced = Traced(set_global=strands)
    with asked(way) as events:
        spans = traced.spans
    assert any(span.name.startswith("invoke_agent") for span in spans) is (
        strands and way not in (cancelled, structured_directly)
    )
    assert usage(spans).to_opentelemetry() == bill(events)
    assert cost_pico(spans) == sum(call.cost.total_pico for call in events.calls)
    assert len(named(spans, "chat global")) == len(events.calls)
    requests = {event.span_id for event in events.decisions}
    assert {span_id(span) for span in named(spans, "turnout.route")} == requests


@leaves_a_connection
@pytest.mark.parametrize("way", [tool_loop, failover, broken, cancelled, classified, strands_router])
def test_the_sum_is_the_bill_in_an_applications_own_tracing_too(
    way: Callable[[BedrockDouble, Events], None],
) -> None:
    memory, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)
    with asked(way) as events:
        assert provider.force_flush()
    # What Strands writes onto its spans of agents is the application's own affair.
    spans = [span for span in memory.get_finished_spans() if not span.name.startswith("invoke_agent")]
    assert usage(spans).to_opentelemetry() == bill(events)
    assert cost_pico(spans) == sum(call.cost.total_pico for call in events.calls)
    assert len(named(spans, "turnout.route")) > 0


@pytest.mark.parametrize("way", [several_turns, classified, failover])
def test_strands_telemetry_changes_no_total(
    way: Callable[[BedrockDouble, Events], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    totals = []
    for strands in (True, False):
        with fresh_tracing(monkeypatch):
            traced = Traced(set_global=strands)
            with asked(way):
                totals.append((usage(traced.spans), cost_pico(traced.spans), len(named(traced.spans, "chat global"))))
    assert totals[0] == totals[1]
    assert totals[0][0].total_tokens > 1_000


def test_a_turn_is_one_trace_from_the_agent_to_the_call() -> None:
    traced = Traced()
    with asked(classified) as events:
        spans = traced.spans
    names = {span_id(span): span.name for span in spans}
    above = {span.name: names.get(parent_id(span), "") for span in spans}
    assert above["turnout.route"] == "chat"
    assert above["chat"] == "execute_event_loop_cycle"
    assert above["execute_event_loop_cycle"] == "invoke_agent Strands Agents"
    assert above[f"chat {CAPABLE_ID}"] == above[f"chat {CHEAP_ID}"] == "turnout.route"
    assert len({trace_id(span) for span in spans}) == 1
    assert {event.trace_id for event in events.events} == {trace_id(spans[0])}
    (classifying,) = named(spans, f"chat {CHEAP_ID}")
    assert attributes(classifying)["turnout.role"] == "classifier"
    first = named(spans, "turnout.route")[0]
    assert attributes(first)["turnout.verdict.failure"] == "unparsed"
    assert parent_id(classifying) == span_id(first)
    answer = named(spans, f"chat {CAPABLE_ID}")[0]
    assert first.start_time is not None
    assert answer.end_time is not None
    assert first.start_time <= (classifying.start_time or 0) <= (answer.start_time or 0) <= answer.end_time
    assert first.end_time == answer.end_time


def test_strands_span_names_the_model_and_the_span_that_has_the_tokens() -> None:
    traced = Traced()
    with asked(tool_loop):
        spans = traced.spans
    outer = [span for span in spans if span.name == "chat"]
    assert [attributes(span)["turnout.call.span_id"] for span in outer] == [
        span_id(span) for span in named(spans, f"chat {CAPABLE_ID}")
    ]
    assert {attributes(span)["gen_ai.response.model"] for span in outer} == {CAPABLE_ID}
    assert [attributes(span)["turnout.reason"] for span in outer] == ["cheapest_below_bar", "hard_stay"]
    assert not [name for span in outer for name in attributes(span) if name.startswith("gen_ai.usage.")]


def test_a_failover_is_one_request_with_two_calls() -> None:
    traced = Traced()
    with asked(failover):
        spans = traced.spans
    (request,) = named(spans, "turnout.route")
    tried, served = (named(spans, f"chat {name}")[0] for name in (CHEAP_ID, CAPABLE_ID))
    assert parent_id(tried) == parent_id(served) == span_id(request)
    assert (tried.status.status_code, attributes(tried)["error.type"]) == (StatusCode.ERROR, "ModelThrottledException")
    assert request.status.status_code is StatusCode.UNSET
    assert attributes(request)["turnout.reasons"] == ("cheapest_clears_bar", "failover")
    assert (attributes(request)["turnout.model"], attributes(request)["turnout.attempts"]) == (CAPABLE, 2)
    assert [attributes(span)["turnout.attempt"] for span in (tried, served)] == [1, 2]


def test_a_failover_that_strands_asks_for_is_a_request_of_its_own() -> None:
    traced = Traced()
    with asked(strands_router):
        spans = traced.spans
    first, second = named(spans, "turnout.route")[:2]
    assert (attributes(first)["turnout.status"], attributes(first)["turnout.failover"]) == ("error", False)
    assert (attributes(second)["turnout.status"], attributes(second)["turnout.reason"]) == ("ok", "failover")
    assert attributes(second)["turnout.failed_models"] == (CHEAP,)
    served = next(span for span in named(spans, f"chat {CAPABLE_ID}"))
    assert parent_id(served) == span_id(second)


@leaves_a_connection
def test_a_cancelled_call_says_so() -> None:
    traced = Traced()
    with asked(cancelled) as events:
        spans = traced.spans
    (call,) = named(spans, "chat ")
    assert attributes(call)["turnout.status"] == "cancelled"
    assert attributes(call)["turnout.usage.source"] == "estimated"
    assert call.status.status_code is StatusCode.UNSET
    assert attributes(call)["turnout.cost.high_usd"] == events.calls[0].cost_high_pico / 10**12
    assert attributes(call)["turnout.cost.high_usd"] > attributes(call)["turnout.cost.low_usd"] > 0


@pytest.mark.parametrize(("way", "streamed"), [(tool_loop, True), (not_streamed, False)])
def test_time_to_the_first_chunk_stands_where_there_are_chunks(
    way: Callable[[BedrockDouble, Events], None], streamed: bool
) -> None:
    traced = Traced()
    with asked(way) as events:
        calls = named(traced.spans, "chat global")
    assert [attributes(call)["gen_ai.request.stream"] for call in calls] == [streamed, streamed]
    times = [attributes(call).get("gen_ai.response.time_to_first_chunk") for call in calls]
    assert times == [None if ms is None else ms / 1000 for ms in (call.first_content_ms for call in events.calls)]
    assert (None in times) is not streamed


@pytest.mark.parametrize("strands", [True, False])
def test_the_trace_is_the_callers(strands: bool) -> None:
    traced = Traced(set_global=strands)
    with joined({"traceparent": f"00-{TRACE}-{CALLER}-01"}), asked(tool_loop) as events:
        spans = traced.spans
    assert {trace_id(span) for span in spans} == {TRACE} == {event.trace_id for event in events.events}
    top = [span.name for span in spans if parent_id(span) == CALLER]
    assert top == (["invoke_agent Strands Agents"] if strands else ["turnout.route", "turnout.route"])


@pytest.mark.parametrize("strands", [True, False])
def test_a_caller_that_does_not_sample_gets_no_spans_and_the_ledger_everything(strands: bool) -> None:
    traced = Traced(set_global=strands)
    with joined({"traceparent": f"00-{TRACE}-{CALLER}-00"}), asked(tool_loop) as events:
        assert traced.spans == ()
    assert (len(events.decisions), len(events.calls)) == (2, 2)
    assert {event.trace_id for event in events.events} == {TRACE}
    assert {event.span_id for event in events.events} == {""}


def test_without_strands_spans_a_turn_is_still_one_trace() -> None:
    traced = Traced(set_global=False)
    with asked(several_turns) as events:
        spans = traced.spans
    traces = {event.turn_id: event.trace_id for event in events.events}
    assert len(set(traces.values())) == len(traces) == 3
    assert {trace_id(span) for span in spans} == set(traces.values())


def test_without_tracing_events_name_the_trace_around_them() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    activate(None)
    with provider.get_tracer("mine").start_as_current_span("work") as work, asked(tool_loop) as events:
        context = work.get_span_context()
    assert {event.trace_id for event in events.events} == {f"{context.trace_id:032x}"}
    assert {event.span_id for event in events.events} == {""}
    assert {event.parent_span_id for event in events.events} == {f"{context.span_id:016x}"}


class Looks(Model):
    """Notes which span is current while it works."""

    def __init__(self) -> None:
        self.spans: list[str] = []

    def update_config(self, **model_config: Any) -> None:
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {"model_id": "looks"}

    async def structured_output(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        if not args:
            yield {}
        raise NotImplementedError

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        for event in (
            {"contentBlockDelta": {"delta": {"text": "hi"}}},
            {"messageStop": {"stopReason": "end_turn"}},
            {"metadata": {"usage": {"inputTokens": 5, "outputTokens": 1}}},
        ):
            self.spans.append(current())
            yield event


class Asks:
    """A classifier that notes which span is current."""

    name = "asks"

    def __init__(self) -> None:
        self.span = ""

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        self.span = current()
        return Verdict(classifier=self.name, label="simple", p_simple=0.9)


def current() -> str:
    return f"{trace.get_current_span().get_span_context().span_id:016x}"


async def test_what_others_do_meanwhile_hangs_under_our_spans(double: BedrockDouble, events: Events) -> None:
    Traced()
    looks, asks = Looks(), Asks()
    model = routed(double, events, models={CHEAP: looks, CAPABLE: pair(double)[CAPABLE]}, classifier=asks)
    outside = current()
    seen = [current() async for _ in model.stream(HELLO, None, HEAD)]
    assert set(seen) == {outside} == {current()}
    assert asks.span == events.decisions[0].span_id != ""
    assert set(looks.spans) == {events.calls[0].span_id} != {""}


def test_records_may_bring_their_own_spans(double: BedrockDouble, events: Events) -> None:
    memory = InMemorySpanExporter()
    with SpanRecorder([SimpleSpanProcessor(memory)]) as recorder:
        both = Fanout(events, recorder)
        model = RoutedModel(pair(double), policy=POLICY, catalog=CATALOG, classifier=Compare(), recorder=both)
        agent(model)("hello")
        assert recorder.flush()
    assert sorted(span.name for span in memory.get_finished_spans()) == [f"chat {CHEAP_ID}", "turnout.route"]
    assert [event.span_id != "" for event in events.events] == [True, True]


SECRETS = ("mauve-system", "mauve-question", "mauve-argument", "mauve-result", "mauve-failure", "mauve-answer")


@tool
def look_up(word: str) -> str:
    """Look something up.

    Args:
        word: The word.
    """
    if "fail" in word:
        raise ValueError(f"mauve-failure of {word}")
    return f"mauve-result for {word}"


def confide(double: BedrockDouble, events: Events) -> None:
    """A conversation whose every text holds a word that must not leave."""
    double.responder = RuleResponder(
        [
            Rule(pattern="look", tool="look_up", input={"word": "mauve-argument"}),
            Rule(pattern="break", tool="look_up", input={"word": "mauve-argument fail"}),
        ]
    )
    asks = Agent(
        model=routed(double, events, policy=POLICY),
        tools=[look_up],
        system_prompt="mauve-system: answer with mauve-answer. " + HEAD,
        callback_handler=None,
    )
    asks("look up mauve-question")
    asks("break mauve-question")


@pytest.mark.parametrize(
    "conventions",
    [
        "",
        "gen_ai_latest_experimental,gen_ai_tool_definitions",
        "gen_ai_latest_experimental,gen_ai_span_attributes_only",
        "gen_ai_span_attributes_only",
    ],
)
@pytest.mark.parametrize("recorded", [False, True])
def test_texts_leave_the_process_only_if_they_may(
    monkeypatch: pytest.MonkeyPatch, conventions: str, recorded: bool
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", conventions)
    monkeypatch.setenv("TURNOUT_RECORD_TEXT", str(recorded).lower())
    traced = Traced(settings=load_settings(), redact=[lambda text: text.replace("mauve-question", "[redacted]")])
    with asked(confide):
        spans = traced.spans
    text = "".join(span.to_json() for span in spans)
    found = {word for word in SECRETS if word in text}
    if not recorded:
        assert found == set()
        return
    assert found >= {"mauve-system", "mauve-argument", "mauve-result", "mauve-failure"}
    assert "mauve-question" not in found
    ours = "".join(span.to_json() for span in named(spans, "chat global"))
    assert "[redacted]" in ours
    assert "mauve-result" in ours


def test_no_text_is_in_the_bytes_that_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        tracing = configure_tracing(load_settings())
        assert tracing is not None
        with asked(confide) as events:
            assert tracing.close()
        assert len(receiver.spans()) == tracing.exported > 10
        assert not [word for word in SECRETS if word.encode() in receiver.payload]
        assert b"mauve" not in receiver.payload
        sent = {span.span_id.hex(): values(span.attributes) for _, _, span in receiver.spans()}
    for call in events.calls:
        assert sent[call.span_id]["turnout.cost.usd"] == call.cost.total_pico / 10**12
