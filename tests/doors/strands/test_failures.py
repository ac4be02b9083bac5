"""Every fault at every event of a stream, for both doors of Strands: the whole answer once, or an error that says so.

The double fails on the wire; boto3, Strands and the door are the real ones. An answer is never repeated, nothing hangs,
and every call to a provider is an event whose bounds hold what the double would have billed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import pytest
from strands.models import BedrockModel, Model

from tests.doors.strands.support import CAPABLE, CHEAP, RULES, Compare, Events, bedrock, entry
from turnout.core.calls import CallRules
from turnout.core.catalog import Catalog
from turnout.core.policy import Candidate, Policy
from turnout.doors.strands import MeteredModel, RoutedModel
from turnout.testing.bedrock import (
    BedrockDouble,
    Fault,
    dropped,
    garbage,
    internal_error,
    mid_stream,
    stall,
    throttling,
    truncated,
    validation,
)
from turnout.upstream.errors import CallFailedError

SONNET_4_5 = "bedrock/global.anthropic.claude-sonnet-4-5-20250929-v1:0"
"""Like the cheap model it takes prefill; the newer one does not."""

HELLO: Any = [{"role": "user", "content": [{"text": "hello"}]}]
TEA: Any = [{"role": "user", "content": [{"text": "What is the price of tea?"}]}]
TOOL: Any = [{"name": "get_price", "description": "Price of a product.", "inputSchema": {"json": {"type": "object"}}}]
STALL_S = 0.4
RULES_OF_CALLS = CallRules(stall_s=20.0, deadline_s=25.0, base_backoff_s=0.005, attempts_per_model=2)
IMPATIENT = msgspec.structs.replace(RULES_OF_CALLS, stall_s=STALL_S)
PRICES = {
    CHEAP: ("1", "5", "0.10", "1.25"),
    SONNET_4_5: ("3", "15", "0.30", "3.75"),
    CAPABLE: ("3", "15", "0.30", "3.75"),
}

MID_STREAM: dict[str, Callable[[int], Fault]] = {
    "error": mid_stream,
    "throttled": lambda index: mid_stream(index, "ThrottlingException"),
    "internal error": lambda index: mid_stream(index, "InternalServerException"),
    "reset": dropped,
    "truncated": truncated,
    "garbage": garbage,
}
BEFORE: dict[str, Callable[[], Fault]] = {
    "throttled": throttling,
    "internal error": internal_error,
    "reset": dropped,
    "truncated": truncated,
    "garbage": garbage,
    "stall": lambda: stall(3 * STALL_S),
}
EVENTS_OF_HELLO = 9
"""messageStart, five deltas, contentBlockStop, messageStop, metadata; a fault may stand before each and at the end."""


def catalog_of(*prefilling: str) -> Catalog:
    entries = []
    for model_id, price in PRICES.items():
        one = entry(model_id, 4096 if model_id == CHEAP else 1024, price)
        can = msgspec.structs.replace(one.capabilities, prefill=model_id in prefilling)
        entries.append(msgspec.structs.replace(one, capabilities=can))
    return Catalog.of(entries)


class Answered(NamedTuple):
    """What the caller got."""

    events: list[Any]
    error: Exception | None

    @property
    def text(self) -> str:
        deltas = [event["contentBlockDelta"]["delta"] for event in self.events if "contentBlockDelta" in event]
        return "".join(delta.get("text", "") for delta in deltas)

    @property
    def shape(self) -> list[str]:
        return [
            f"{kind}{(body or {}).get('contentBlockIndex', '')}"
            for event in self.events
            for kind, body in event.items()
        ]


class Shop:
    """A double, and models whose clients are made once: a new one takes longer than the calls of a test."""

    def __init__(self, double: BedrockDouble) -> None:
        self.double = double
        self._models = {
            (model_id, streaming): bedrock(double, model_id, streaming=streaming)
            for model_id in PRICES
            for streaming in (True, False)
        }
        for model in self._models.values():
            # What a client learns at its first call takes a while, which is not to count as a stall.
            model.client.converse(
                modelId=model.config["model_id"], messages=[{"role": "user", "content": [{"text": "hi"}]}]
            )

    def model(
        self, events: Events, *, second: str = SONNET_4_5, streaming: bool = True, prefill: bool = True, **more: Any
    ) -> RoutedModel:
        models: dict[str, Model] = {one: self._models[one, streaming] for one in (CHEAP, second)}
        more.setdefault("calls", RULES_OF_CALLS)
        return RoutedModel(
            models,
            policy=Policy(candidates=(Candidate(CHEAP, 1), Candidate(second, 2))),
            catalog=catalog_of(*((CHEAP, SONNET_4_5) if prefill else ())),
            classifier=Compare(),
            recorder=events,
            **more,
        )

    def close(self) -> None:
        for model in self._models.values():
            model.client.close()


@pytest.fixture(scope="module")
def opened() -> Iterator[Shop]:
    with BedrockDouble(RULES) as double:
        shop = Shop(double)
        yield shop
        shop.close()


@pytest.fixture
def shop(opened: Shop) -> Shop:
    opened.double.faults.clear()
    opened.double.calls.clear()
    opened.double.caches.clear()
    return opened


async def ask(model: Model, messages: Any = HELLO, tools: Any = None, **kwargs: Any) -> Answered:
    passed: list[Any] = []

    async def read() -> None:
        async for event in model.stream(messages, tools, "be kind", **kwargs):
            passed.append(event)  # noqa: PERF401  # what came before an error counts

    try:
        await asyncio.wait_for(read(), 30)
    except TimeoutError:
        raise
    except Exception as error:
        return Answered(passed, error)
    return Answered(passed, None)


def check_record(shop: Shop, events: Events) -> None:
    """Every call is an event, in the order of the calls, and the bill of an answered one lies within its bounds."""
    called = sorted(shop.double.calls, key=lambda call: call.at_s)
    assert [event.model.removeprefix("bedrock/") for event in events.calls] == [call.model for call in called]
    assert [event.attempt for event in events.calls] == list(range(1, len(events.calls) + 1))
    for event, call in zip(events.calls, called, strict=True):
        assert event.cost.total_pico <= event.cost_high_pico
        assert (event.status == "error") == bool(event.error)
        fresh, output, _, write = (float(price) for price in PRICES[event.model])
        if call.usage is not None:
            bill = round(
                1e6 * (fresh * call.usage["inputTokens"] + output * call.usage["outputTokens"])
                + 1e6 * write * call.usage["cacheWriteInputTokens"]
            )
            assert event.cost.total_pico <= bill <= event.cost_high_pico
        elif call.error in ("ThrottlingException", "InternalServerException") and event.first_content_ms is None:
            assert event.cost.total_pico == 0


@pytest.mark.parametrize("index", range(EVENTS_OF_HELLO + 1))
@pytest.mark.parametrize("fault", MID_STREAM)
async def test_a_fault_in_a_stream_does_not_show_where_the_answer_can_be_continued(
    shop: Shop, events: Events, fault: str, index: int
) -> None:
    whole = await ask(shop.model(Events()))
    shop.double.calls.clear()
    shop.double.faults.add(MID_STREAM[fault](index))
    answered = await ask(shop.model(events))
    assert answered.error is None
    assert answered.text == whole.text
    # Also in its shape: one start, one block, one end. Usage that never came cannot be passed on.
    assert answered.shape == (whole.shape if index != EVENTS_OF_HELLO - 1 else whole.shape[:-1])
    assert len(events.calls) == (1 if index >= EVENTS_OF_HELLO - 1 else 2)
    check_record(shop, events)


@pytest.mark.parametrize("index", range(EVENTS_OF_HELLO + 1))
@pytest.mark.parametrize("fault", MID_STREAM)
async def test_a_fault_in_a_stream_that_cannot_be_continued_is_marked(
    shop: Shop, events: Events, fault: str, index: int
) -> None:
    whole = await ask(shop.model(Events(), prefill=False))
    shop.double.calls.clear()
    shop.double.faults.add(MID_STREAM[fault](index))
    answered = await ask(shop.model(events, prefill=False))
    begun, complete = index > 1, index >= EVENTS_OF_HELLO - 1
    if begun and not complete:
        assert isinstance(answered.error, CallFailedError)
        assert (answered.error.partial, answered.error.why) == (True, "broke_off")
        assert answered.error.event_id == events.calls[-1].event_id
        assert whole.text.startswith(answered.text)
        assert answered.shape == whole.shape[:index]
        assert len(events.calls) == 1
    else:
        assert (answered.error, answered.text) == (None, whole.text)
    check_record(shop, events)


@pytest.mark.parametrize("prefill", [True, False])
@pytest.mark.parametrize("index", [0, 1, 2, 5, EVENTS_OF_HELLO - 2, EVENTS_OF_HELLO - 1])
async def test_a_stream_that_stalls_is_given_up(shop: Shop, events: Events, index: int, prefill: bool) -> None:
    whole = await ask(shop.model(Events()))
    shop.double.calls.clear()
    shop.double.faults.add(Fault(after_events=index, delay_s=20.0))
    answered = await ask(shop.model(events, prefill=prefill, calls=IMPATIENT))
    if prefill or index < 2 or index == EVENTS_OF_HELLO - 1:
        assert (answered.error, answered.text) == (None, whole.text)
    else:
        assert isinstance(answered.error, CallFailedError)
        assert (answered.error.partial, answered.error.error) == (True, "StalledError")
        assert answered.shape == whole.shape[:index]
    check_record(shop, events)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("fault", BEFORE)
async def test_a_fault_before_the_answer_does_not_show(shop: Shop, events: Events, fault: str, streaming: bool) -> None:
    whole = await ask(shop.model(Events(), streaming=streaming))
    shop.double.calls.clear()
    slow = fault in ("throttled", "stall")
    # A slow model is left at once; another one gets both its attempts before it is.
    shop.double.faults.add(BEFORE[fault](), times=2 if slow else 3)
    rules = IMPATIENT if fault == "stall" else RULES_OF_CALLS
    answered = await ask(shop.model(events, streaming=streaming, calls=rules))
    assert (answered.error, answered.events and answered.text) == (None, whole.text)
    assert answered.shape == whole.shape
    await _until(lambda: len(shop.double.calls) == len(events.calls))
    # Without streaming a whole answer takes its time: only the deadline ends it.
    assert len(events.calls) == (1 if fault == "stall" and not streaming else 3 if slow else 4)
    check_record(shop, events)


@pytest.mark.parametrize("streaming", [True, False])
async def test_the_deadline_ends_a_request_that_nobody_answers(shop: Shop, events: Events, streaming: bool) -> None:
    shop.double.faults.add(stall(1.0), times=None)
    rules = msgspec.structs.replace(RULES_OF_CALLS, deadline_s=0.5)
    answered = await ask(shop.model(events, streaming=streaming, calls=rules))
    assert isinstance(answered.error, CallFailedError)
    assert (answered.error.why, answered.error.error, answered.error.partial) == ("deadline", "StalledError", False)
    assert [(call.status, call.usage_source) for call in events.calls] == [("error", "estimated")]
    shop.double.faults.clear()
    await _until(lambda: len(shop.double.calls) == len(events.calls))


async def test_the_callers_error_comes_as_it_is_and_at_once(shop: Shop, events: Events) -> None:
    shop.double.faults.add(validation())
    answered = await ask(shop.model(events))
    assert type(answered.error).__name__ == "ValidationException"
    assert len(events.calls) == 1


@pytest.mark.parametrize("breaks", [2, 3, 4, 5])
async def test_an_answer_is_continued_as_often_as_it_breaks(shop: Shop, events: Events, breaks: int) -> None:
    whole = await ask(shop.model(Events()))
    shop.double.calls.clear()
    shop.double.faults.add(mid_stream(2), times=breaks)
    rules = msgspec.structs.replace(RULES_OF_CALLS, attempts_per_model=3)
    answered = await ask(shop.model(events, calls=rules))
    assert (answered.error, answered.text) == (None, whole.text)
    assert len(events.calls) == breaks + 1
    check_record(shop, events)


async def test_a_continuation_that_fails_for_good_keeps_what_was_passed_on(shop: Shop, events: Events) -> None:
    whole = await ask(shop.model(Events()))
    shop.double.faults.add(mid_stream(3))
    shop.double.faults.add(throttling(), times=None)
    answered = await ask(shop.model(events))
    assert isinstance(answered.error, CallFailedError)
    assert (answered.error.partial, answered.error.why) == (True, "exhausted")
    assert answered.text
    assert whole.text.startswith(answered.text)
    shop.double.faults.clear()


async def test_a_continuation_never_goes_to_a_model_that_would_refuse_it(shop: Shop, events: Events) -> None:
    shop.double.faults.add(mid_stream(3), times=2)
    answered = await ask(shop.model(events, second=CAPABLE))
    assert isinstance(answered.error, CallFailedError)
    assert {call.model for call in events.calls} == {CHEAP}
    assert events.decisions[-1].decision.estimate(CAPABLE).ineligible == ("unavailable:no_prefill",)


async def test_what_is_sent_to_be_continued_is_the_text_so_far_without_its_last_blank(
    shop: Shop, events: Events
) -> None:
    def spaced(model_id: str, request: Any) -> list[dict[str, Any]]:
        said = request["messages"][-1]["content"][0]["text"] if request["messages"][-1]["role"] == "assistant" else ""
        return [{"text": "one two three four \n\n five six seven eight nine"[len(said) :]}]

    shop.double.responder = spaced
    try:
        # Four words make a delta; the blank before the fifth word belongs to the second one.
        whole = await ask(shop.model(Events()))
        for index in range(2, 6):
            shop.double.calls.clear()
            shop.double.faults.add(mid_stream(index))
            assert (await ask(shop.model(Events()))).text == whole.text
            said = shop.double.calls[1].request["messages"][-1]
            assert said["role"] == "assistant"
            assert said["content"][0]["text"] == said["content"][0]["text"].rstrip()
    finally:
        shop.double.responder = RULES


@pytest.mark.parametrize("index", range(2, 6))
async def test_a_tool_use_that_broke_off_is_never_continued(shop: Shop, events: Events, index: int) -> None:
    shop.double.faults.add(mid_stream(index))
    answered = await ask(shop.model(events), TEA, TOOL)
    assert isinstance(answered.error, CallFailedError)
    assert (answered.error.partial, len(events.calls)) == (True, 1)


def loop_of(*first: Any) -> list[Any]:
    use = {"toolUse": {"toolUseId": "t", "name": "get_price", "input": {}}}
    result = {"toolResult": {"toolUseId": "t", "content": [{"text": "10"}]}}
    return [*TEA, {"role": "assistant", "content": [*first, use]}, {"role": "user", "content": [result]}]


THOUGHT: Any = {"reasoningContent": {"redactedContent": b"sealed"}}
"""Thinking that its author needs back unchanged until the loop ends."""


@pytest.mark.parametrize(("thought", "why"), [((), None), ((THOUGHT,), "history:untranslatable:messages.1.content.0")])
async def test_in_a_tool_loop_a_failover_is_made_only_where_it_is_safe(
    shop: Shop, events: Events, thought: tuple[Any, ...], why: str | None
) -> None:
    model = shop.model(events)
    state: dict[str, Any] = {}
    await ask(model, TEA, TOOL, invocation_state=state)
    shop.double.faults.add(throttling(model=CHEAP.removeprefix("bedrock/")), times=None)
    answered = await ask(model, loop_of(*thought), TOOL, invocation_state=state)
    if why is None:
        assert answered.error is None
        assert events.calls[-1].model == SONNET_4_5
    else:
        assert isinstance(answered.error, CallFailedError)
        assert (answered.error.why, answered.error.partial) == ("failover_unsafe", False)
        assert str(events.decisions[-1].decision.reason) == "failover_unsafe"
        assert events.decisions[-1].decision.estimate(SONNET_4_5).ineligible == (why,)
    shop.double.faults.clear()


async def test_a_prompt_too_long_goes_to_a_larger_window_only(shop: Shop, events: Events) -> None:
    too_long = "Input is too long for requested model."
    shop.double.faults.add(validation(too_long, model=CHEAP.removeprefix("bedrock/")), times=None)
    answered = await ask(shop.model(events))
    # Strands shortens the conversation on that error: it has to come as it is.
    assert type(answered.error).__name__ == "ContextWindowOverflowException"
    assert len(events.calls) == 1
    model = shop.model(events)
    larger = [
        msgspec.structs.replace(one, context_window=1_000_000) if one.id == SONNET_4_5 else one
        for one in model.routing.router.catalog.models
    ]
    model.routing.router.catalog = Catalog.of(larger)
    model.routing.router.policy = msgspec.structs.replace(model.routing.router.policy)
    answered = await ask(model)
    assert answered.error is None
    assert [call.model for call in events.calls][-2:] == [CHEAP, SONNET_4_5]
    shop.double.faults.clear()


async def test_a_model_that_keeps_failing_is_left_alone_and_comes_back(shop: Shop, events: Events) -> None:
    breaker = msgspec.structs.replace(RULES_OF_CALLS.breaker, consecutive_failures=4, open_s=0.2)
    model = shop.model(events, calls=msgspec.structs.replace(RULES_OF_CALLS, breaker=breaker))
    breakers, now_ms = model.routing.router.breakers, model.routing.router.now_ms
    shop.double.faults.add(internal_error(model=CHEAP.removeprefix("bedrock/")), times=4)
    for _ in range(2):
        assert (await ask(model)).error is None
    assert {key.model: state for key, state in breakers.states(now_ms()).items()} == {
        CHEAP: "open",
        SONNET_4_5: "closed",
    }
    assert {key.region for key in breakers.states(now_ms())} == {"us-east-1"}
    events.events.clear()
    assert (await ask(model)).error is None
    assert [call.model for call in events.calls] == [SONNET_4_5]
    assert events.decisions[0].decision.estimate(CHEAP).ineligible == ("unavailable:breaker_open",)
    await asyncio.sleep(0.25)
    events.events.clear()
    assert (await ask(model)).error is None
    assert [call.model for call in events.calls] == [CHEAP]
    assert set(breakers.states(now_ms()).values()) == {"closed"}


async def test_where_all_breakers_are_open_the_request_is_tried_all_the_same(shop: Shop, events: Events) -> None:
    breaker = msgspec.structs.replace(RULES_OF_CALLS.breaker, consecutive_failures=1, open_s=60.0)
    model = shop.model(events, calls=msgspec.structs.replace(RULES_OF_CALLS, breaker=breaker, attempts_per_model=1))
    shop.double.faults.add(internal_error(), times=2)
    assert isinstance((await ask(model)).error, CallFailedError)
    assert set(model.routing.router.breakers.states(model.routing.router.now_ms()).values()) == {"open"}
    assert (await ask(model)).error is None


async def test_a_cancelled_agent_gets_no_further_call(shop: Shop, events: Events) -> None:
    signal = threading.Event()
    shop.double.faults.add(throttling(), times=None)
    rules = msgspec.structs.replace(RULES_OF_CALLS, base_backoff_s=60.0, max_backoff_s=60.0, deadline_s=300.0)
    task = asyncio.create_task(ask(shop.model(events, calls=rules), cancel_signal=signal))
    await _until(lambda: len(events.calls) == 2)
    signal.set()
    answered = await asyncio.wait_for(task, 10)
    assert answered == Answered([], None)
    shop.double.faults.clear()


async def test_a_cancelled_stream_is_recorded_as_cancelled(shop: Shop, events: Events) -> None:
    signal = threading.Event()
    shop.double.faults.add(Fault(after_events=3, delay_s=15.0))
    stream = shop.model(events).stream(HELLO, None, "be kind", cancel_signal=signal)
    async for event in stream:
        if "contentBlockDelta" in event:
            signal.set()
    assert [(call.status, call.usage_source) for call in events.calls] == [("cancelled", "estimated")]
    assert events.calls[0].cost.total_pico > 0


class TestMetered:
    """`MeteredModel`, which `TurnoutStrategy` routes among."""

    def metered(self, shop: Shop, events: Events, *, streaming: bool = True) -> MeteredModel:
        model = shop.model(Events(), streaming=streaming).candidates[CHEAP]
        assert isinstance(model, BedrockModel)
        return MeteredModel.alone(model, CHEAP, catalog=catalog_of(), recorder=events)

    @pytest.mark.parametrize("index", range(EVENTS_OF_HELLO + 1))
    @pytest.mark.parametrize("fault", MID_STREAM)
    async def test_a_fault_in_a_stream_is_marked(self, shop: Shop, events: Events, fault: str, index: int) -> None:
        whole = await ask(self.metered(shop, Events()))
        shop.double.calls.clear()
        shop.double.faults.add(MID_STREAM[fault](index))
        answered = await ask(self.metered(shop, events))
        assert whole.text.startswith(answered.text)
        if index >= EVENTS_OF_HELLO - 1:
            assert (answered.error, answered.text) == (None, whole.text)
        else:
            assert answered.error is not None
            assert isinstance(answered.error, CallFailedError) == (index > 1)
        check_record(shop, events)


async def _until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not reached():  # noqa: ASYNC110  # what is waited for happens in another thread
            await asyncio.sleep(0.01)


async def test_leaving_a_stream_closes_it(shop: Shop, events: Events) -> None:
    shop.double.faults.add(Fault(after_events=3, delay_s=20.0))
    stream: AsyncGenerator[Any, None] = shop.model(events).stream(HELLO, None, "be kind")
    async for event in stream:
        if "contentBlockDelta" in event:
            break
    await stream.aclose()
    # The thread that reads would wait for twenty seconds; it ends with its connection.
    await asyncio.wait_for(asyncio.get_running_loop().shutdown_default_executor(), 10)
    assert [call.status for call in events.calls] == ["cancelled"]
