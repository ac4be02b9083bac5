"""On the wire: the real boto3 and Strands against the Bedrock double, whose own record of its reports is billed.

The double keeps prompt caches by their documented rules and imports nothing of Turnout. What it answered with is read
from its list of calls, never from what Turnout saw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.accounting.bill import Counts, dollars, of_bedrock
from tests.accounting.wire import (
    CATALOG,
    HAIKU_4_5,
    HAIKU_5_5,
    HELLO,
    SONNET_4_6,
    SONNET_4_6_EU,
    SONNET_4_6_GOV,
    Books,
    Wire,
    ask,
    lies_between,
    owed_by,
    system,
    take,
)
from tests.trace.otel import fresh_tracing
from turnout.classify.llm import LLMClassifier, settings_for
from turnout.classify.llm_strands import StrandsClassifierModel
from turnout.core.policy import Candidate, Policy
from turnout.doors.strands import RoutedModel
from turnout.testing.bedrock import Fault, dropped, mid_stream, stall, throttling, validation

MODELS = [HAIKU_4_5, SONNET_4_6, HAIKU_5_5, SONNET_4_6_EU, SONNET_4_6_GOV]
# A stream that is left keeps its connection until the client's thread has read it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fresh_tracing(monkeypatch):
        yield


@pytest.fixture
def books() -> Iterator[Books]:
    with Books() as books:
        yield books


@pytest.mark.parametrize("ttl", [None, "5m", "1h"])
@pytest.mark.parametrize("model_id", MODELS)
def test_streamed_and_not_the_same_request_costs_the_same(
    wire: Wire, books: Books, model_id: str, ttl: str | None
) -> None:
    # 20,000 characters are 5,000 tokens and more: above every floor.
    for streaming in (True, False):
        wire.double.caches.clear()
        for _ in range(2):  # cold, then warm
            ask(books.metered(wire, model_id, streaming=streaming), system(20_000, ttl))
    cold, warm, cold_too, warm_too = books.calls()
    assert (cold.streamed, cold_too.streamed) == (True, False)
    assert (cold.usage, cold.cost, warm.usage, warm.cost) == (
        cold_too.usage,
        cold_too.cost,
        warm_too.usage,
        warm_too.cost,
    )
    assert (cold.usage.cache_write_1h_tokens > 0, cold.usage.cache_write_5m_tokens > 0) == (ttl == "1h", ttl == "5m")
    assert (warm.usage.cache_read_tokens > 0) == (ttl is not None)
    assert books.check(wire.double) == sum(owed_by(call) for call in wire.double.calls)


def test_writes_for_an_hour_and_for_five_minutes_in_one_call(wire: Wire, books: Books) -> None:
    head = [*system(8_000, "1h"), {"text": "Be brief. " * 500}, {"cachePoint": {"type": "default", "ttl": "5m"}}]
    for streaming in (True, False):
        wire.double.caches.clear()
        ask(books.metered(wire, SONNET_4_6, streaming=streaming), head)
    for call in books.calls():
        assert call.usage.cache_write_1h_tokens > 0 < call.usage.cache_write_5m_tokens
    books.check(wire.double)


@pytest.mark.parametrize("characters", [307_000, 308_200])
def test_a_long_prompt_has_its_price_for_all_tokens(wire: Wire, books: Books, characters: int) -> None:
    ask(books.metered(wire, HAIKU_5_5), system(characters, "5m"))
    ask(books.metered(wire, HAIKU_5_5), system(characters, "5m"))
    assert books.check(wire.double) > 0
    cold, warm = books.calls()
    long = cold.usage.prompt_tokens > 100_000
    assert long == (characters == 308_200)
    # $0.50 or $2.50 for a million tokens of output, and the read at $0.01 or $0.05.
    assert cold.cost.output_pico == cold.usage.output_tokens * (2_500_000 if long else 500_000)
    assert warm.cost.cache_read_pico == warm.usage.cache_read_tokens * (50_000 if long else 10_000)


def every_event(wire: Wire) -> int:
    events = len(ask(wire.model(SONNET_4_6), system(6_000, "5m")))
    wire.reset()
    return events


@pytest.mark.parametrize("warm", [False, True])
def test_a_stream_that_is_left_at_any_event_costs_between_its_ends(wire: Wire, warm: bool) -> None:
    for left_after in range(1, every_event(wire) + 1):
        wire.reset()
        with Books() as books:
            head = system(6_000, "1h" if left_after % 2 else "5m")
            if warm:
                ask(wire.model(SONNET_4_6), head)
                wire.double.calls.clear()
            ask(books.metered(wire, SONNET_4_6), head, events=left_after)
            (call,), (sent,) = books.calls(), wire.double.calls
            assert sent.usage is not None
            whole = of_bedrock(sent.usage)
            assert call.status == "cancelled"
            # The provider may go on to the end, or stop with what came: it is one or the other.
            assert lies_between(call, SONNET_4_6, whole)
            assert lies_between(call, SONNET_4_6, whole._replace(output=max(1, call.usage.output_tokens)))
            books.check(wire.double)


def test_a_stream_that_is_left_after_its_report_is_exact(wire: Wire, books: Books) -> None:
    events = every_event(wire)
    ask(books.metered(wire, SONNET_4_6), system(6_000, "5m"), events=events)
    (call,) = books.calls()
    assert (call.status, call.usage_source) == ("cancelled", "reported")
    assert books.check(wire.double) == owed_by(wire.double.calls[0])


def test_a_task_that_is_cancelled_before_the_first_byte_costs_between_its_ends(wire: Wire, books: Books) -> None:
    head = system(6_000, "5m")
    ask(wire.model(SONNET_4_6), head)
    whole = of_bedrock(wire.double.calls[0].usage or {})
    wire.reset()
    wire.double.faults.add(stall(1.0))
    model = books.metered(wire, SONNET_4_6)

    async def run() -> None:
        task = asyncio.create_task(take(model.stream(HELLO, None, None, system_prompt_content=head)))
        while len(wire.double.faults):  # noqa: ASYNC110 - it is taken by a thread of the double, when the request comes
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.get_running_loop().shutdown_default_executor()
        # The connection is closed at once; a provider may have answered into it all the same.
        while not wire.double.calls:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.005)

    asyncio.run(run())
    (call,) = books.calls()
    assert (call.status, call.usage_source, call.cost.total_pico) == ("cancelled", "estimated", 0)
    assert lies_between(call, SONNET_4_6, whole)
    assert lies_between(call, SONNET_4_6, Counts())


@pytest.mark.parametrize("broken_after", range(6))
@pytest.mark.parametrize("fault", [mid_stream, dropped])
def test_a_stream_that_breaks_costs_between_nothing_and_its_high_end(
    wire: Wire, books: Books, fault: Any, broken_after: int
) -> None:
    head = system(6_000, "5m")
    ask(wire.model(SONNET_4_6), head)
    whole = of_bedrock(wire.double.calls[0].usage or {})
    wire.reset()
    wire.double.faults.add(fault(broken_after))
    with pytest.raises(Exception):  # noqa: B017, PT011 - which one depends on what broke; that it breaks is the point
        ask(books.metered(wire, SONNET_4_6), head)
    (call,) = books.calls()
    assert (call.status, call.usage_source) == ("error", "estimated")
    assert lies_between(call, SONNET_4_6, Counts())
    assert lies_between(call, SONNET_4_6, whole)


def routed(wire: Wire, books: Books, *, streaming: bool = True, **options: Any) -> RoutedModel:
    models = {f"bedrock/{model_id}": wire.model(model_id, streaming=streaming) for model_id in (HAIKU_4_5, SONNET_4_6)}
    return RoutedModel(
        models,
        policy=Policy(candidates=tuple(Candidate(model, rank) for rank, model in enumerate(models)), markers="fill"),
        catalog=CATALOG,
        recorder=books.records,
        run="wire",
        simulated=True,
        **options,
    )


@pytest.mark.parametrize("streaming", [True, False])
def test_refused_calls_are_free_and_the_one_that_took_over_is_billed(wire: Wire, books: Books, streaming: bool) -> None:
    wire.double.faults.add(throttling())
    ask(routed(wire, books, streaming=streaming), system(6_000))
    failed, answered = books.calls()
    assert (failed.usage_source, failed.cost_high_pico, answered.usage_source) == ("none", 0, "reported")
    assert (failed.attempt, answered.attempt) == (1, 2)
    assert books.check(wire.double) == owed_by(wire.double.calls[-1]) > 0


def test_retries_are_calls_of_their_own(wire: Wire, books: Books) -> None:
    model = books.metered(wire, SONNET_4_6)
    wire.double.faults.add(throttling(), times=2)
    for _ in range(2):
        with pytest.raises(Exception, match="Too many requests"):
            ask(model, system(6_000, "5m"))
    ask(model, system(6_000, "5m"))
    assert [call.status for call in books.calls()] == ["error", "error", "ok"]
    assert books.check(wire.double) == owed_by(wire.double.calls[-1])


@pytest.mark.parametrize("fault", [None, throttling(model=HAIKU_5_5), mid_stream(2, model=HAIKU_5_5)])
def test_a_classifiers_calls_are_charged_also_where_it_fails(wire: Wire, books: Books, fault: Fault | None) -> None:
    if fault is not None:
        wire.double.faults.add(fault)
    asked = StrandsClassifierModel(wire.model(HAIKU_5_5), model_id=f"bedrock/{HAIKU_5_5}")
    classifier = LLMClassifier(asked, settings=settings_for(CATALOG[f"bedrock/{HAIKU_5_5}"]))
    ask(routed(wire, books, classifier=classifier), system(6_000))
    total = books.check(wire.double)
    classified, answered = books.calls()
    assert (classified.role, answered.role) == ("classifier", "answer")
    assert classified.turn_id == answered.turn_id
    if fault is None:
        assert total == sum(owed_by(call) for call in wire.double.calls)
        assert classified.cost.total_pico > 0
    else:
        assert total == owed_by(wire.double.calls[-1])
        assert classified.usage_source == ("none" if fault.after_events is None else "estimated")
        assert classified.cost.total_pico == 0
        assert (classified.cost_high_pico > 0) == (fault.after_events is not None)


class Plan:
    """One call of a sequence, drawn."""

    def __init__(self, draw: Any) -> None:
        self.model_id = draw(st.sampled_from(MODELS), label="model")
        self.streaming = draw(st.booleans(), label="streaming")
        self.characters = draw(st.sampled_from([200, 6_000, 20_000]), label="characters")
        self.ttl = draw(st.sampled_from([None, "5m", "1h"]), label="ttl")
        self.pause_s = draw(st.sampled_from([0, 0, 200, 400, 4_000]), label="pause")
        self.fault = draw(st.sampled_from([None, None, None, throttling(), validation(), mid_stream(2)]), label="fault")
        self.left_after = draw(st.sampled_from([None, None, None, 1, 3]), label="left after")


@pytest.mark.once
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.data())
def test_any_sequence_of_calls_is_billed_as_the_provider_reported_it(wire: Wire, data: st.DataObject) -> None:
    wire.reset()
    with Books() as books:
        plans = [Plan(data.draw) for _ in range(data.draw(st.integers(1, 5), label="calls"))]
        for plan in plans:
            wire.clock.now_s += plan.pause_s
            wire.double.faults.clear()
            if plan.fault is not None:
                wire.double.faults.add(plan.fault)
            model = books.metered(wire, plan.model_id, streaming=plan.streaming)
            try:
                ask(model, system(plan.characters, plan.ttl), events=plan.left_after)
            except Exception:
                assert plan.fault is not None
        total = books.check(wire.double)
        billed = Fraction(0)
        for call, sent in zip(books.calls(), wire.double.calls, strict=True):
            if sent.usage is not None:
                assert lies_between(call, sent.model, of_bedrock(sent.usage))
                billed += owed_by(sent)
        calls = books.calls()
        # What the provider billed for all of them lies between the sums of the low and of the high ends.
        assert total <= dollars(sum(call.cost.total_pico for call in calls)) <= billed
        assert billed <= dollars(sum(call.cost_high_pico for call in calls))
