import asyncio
import gc
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError
from pydantic import BaseModel
from strands.models import CacheConfig, Model
from strands.types.exceptions import ModelThrottledException

from tests.doors.strands.support import (
    CAPABLE,
    CHEAP,
    HEAD,
    Compare,
    Events,
    agent,
    pair,
    routed,
    served,
    settle,
    text_of,
    usages,
)
from turnout.doors.strands import RoutedModel
from turnout.doors.strands.conversation import OverrideError
from turnout.router import RefusedError
from turnout.testing.bedrock import (
    BedrockDouble,
    access_denied,
    dropped,
    mid_stream,
    service_unavailable,
    throttling,
    validation,
)
from turnout.upstream.errors import CallFailedError

# botocore leaves the connection of a stream that broke or was left to the garbage collector. Each test that breaks one
# collects it itself, so that the warning does not come up in a test that did not.
leaves_a_connection = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CHEAP_ID = CHEAP.removeprefix("bedrock/")


def ask_without_retries(model: RoutedModel) -> Any:
    return agent(model, retry_strategy=None)


def test_each_turn_goes_to_the_model_that_its_verdict_allows(double: BedrockDouble, events: Events) -> None:
    asks = agent(routed(double, events))
    assert "10 dollars" in text_of(asks("What is the price of tea?"))
    asks("Please compare tea and coffee")
    assert served(double) == [CHEAP, CHEAP, CAPABLE]


def test_a_turn_keeps_its_route_through_the_tool_loop(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    agent(model)("compare the price of tea")
    assert served(double) == [CAPABLE, CAPABLE]
    assert events.reasons == ["cheapest_below_bar", "hard_stay"]
    assert len({event.turn_id for event in events.events}) == 1
    assert isinstance(model.routing.router.classifier, Compare)
    assert model.routing.router.classifier.asked == ["compare the price of tea"]


def test_usage_and_cost_are_what_the_provider_reported(double: BedrockDouble, events: Events) -> None:
    asks = agent(routed(double, events))
    asks("compare the price of tea")
    reported = usages(double)
    assert [call.usage.input_tokens for call in events.calls] == [usage["inputTokens"] for usage in reported]
    assert events.calls[0].usage.cache_write_5m_tokens == reported[0]["cacheWriteInputTokens"] > 1024
    assert events.calls[1].usage.cache_read_tokens == reported[1]["cacheReadInputTokens"] > 1024
    for call in events.calls:
        usage = call.usage
        # Sonnet 4.6 in millionths of a dollar: 3 fresh, 0.30 read, 3.75 written, 15 output.
        micro = 3 * usage.input_tokens + 0.3 * usage.cache_read_tokens + 3.75 * usage.cache_write_5m_tokens
        assert call.cost.total_pico == round((micro + 15 * usage.output_tokens) * 1_000_000)
        assert call.simulated


def test_a_cache_point_is_filled_in_where_the_request_has_none(double: BedrockDouble, events: Events) -> None:
    agent(routed(double, events))("compare these")
    assert double.calls[0].request["system"][-1] == {"cachePoint": {"type": "default"}}
    assert events.decisions[0].decision.cache_plan.origin == "fill"


def test_the_users_cache_points_stay_where_they_are(double: BedrockDouble, events: Events) -> None:
    prompt: list[Any] = [{"text": HEAD}, {"cachePoint": {"type": "default"}}, {"text": "Be brief."}]
    agent(routed(double, events), system_prompt=prompt)("compare these")
    assert double.calls[0].request["system"] == prompt
    assert events.decisions[0].decision.cache_plan.origin == "user"


def test_cache_points_that_a_candidate_places_itself_are_priced(double: BedrockDouble, events: Events) -> None:
    models = pair(double, cache_config=CacheConfig(strategy="auto", tools_ttl=True))
    agent(routed(double, events, models=models))("compare these")
    plan = events.decisions[0].decision.cache_plan
    assert (plan.origin, len(plan.markers)) == ("user", 3)


def test_the_second_turn_knows_what_the_first_left_warm(double: BedrockDouble, events: Events) -> None:
    asks = agent(routed(double, events))
    asks("compare these")
    asks("compare those")
    expected = events.decisions[1].decision.estimate(CAPABLE).expected
    assert expected is not None
    assert expected.read_tokens == usages(double)[1]["cacheReadInputTokens"] > 0


@pytest.mark.parametrize("fault", [throttling, service_unavailable, dropped])
def test_before_the_first_content_another_model_takes_over(double: BedrockDouble, events: Events, fault: Any) -> None:
    double.faults.add(fault(model=CHEAP_ID), times=3)
    assert text_of(ask_without_retries(routed(double, events))("hello"))
    assert events.reasons == ["cheapest_clears_bar", "failover"]
    assert [call.model for call in events.calls if call.status == "ok"] == [CAPABLE]
    assert {call.model for call in events.calls if call.status == "error"} == {CHEAP}
    assert [call.attempt for call in events.calls] == list(range(1, len(events.calls) + 1))
    assert all(call.cost.total_pico == 0 for call in events.calls[:-1])


def test_a_model_that_failed_for_a_moment_serves_all_the_same(double: BedrockDouble, events: Events) -> None:
    double.faults.add(service_unavailable(model=CHEAP_ID))
    assert text_of(ask_without_retries(routed(double, events))("hello"))
    assert events.reasons == ["cheapest_clears_bar"]
    assert [(call.model, call.status) for call in events.calls] == [(CHEAP, "error"), (CHEAP, "ok")]


def test_when_all_fail_the_error_says_so_and_strands_does_not_try_again(double: BedrockDouble, events: Events) -> None:
    double.faults.add(throttling(), times=None)
    # The agent has Strands' own retries, which would take two minutes.
    with pytest.raises(CallFailedError) as caught:
        agent(routed(double, events))("hello")
    failed = caught.value
    assert (failed.model, failed.error, failed.why) == (CAPABLE, "ModelThrottledException", "exhausted")
    assert (failed.partial, failed.attempts, failed.event_id) == (False, 4, events.calls[-1].event_id)
    assert isinstance(failed.__cause__, ModelThrottledException)
    # Throttled, the first model is left at once; the last one gets all its attempts.
    assert [(call.model, call.status) for call in events.calls] == [(CHEAP, "error")] + 3 * [(CAPABLE, "error")]
    assert events.reasons == ["cheapest_clears_bar", "failover", "no_eligible_candidate"]


@pytest.mark.parametrize("fault", [validation, access_denied])
def test_the_callers_errors_are_not_tried_elsewhere(double: BedrockDouble, events: Events, fault: Any) -> None:
    double.faults.add(fault())
    with pytest.raises(ClientError):
        ask_without_retries(routed(double, events))("hello")
    assert len(double.calls) <= 1
    assert events.reasons == ["cheapest_clears_bar"]


@leaves_a_connection
def test_after_the_first_content_nothing_is_repeated(double: BedrockDouble, events: Events) -> None:
    double.faults.add(mid_stream(3, model=CHEAP_ID))
    with pytest.raises(CallFailedError) as caught:
        agent(routed(double, events))("hello")
    (call,) = events.calls
    assert (caught.value.partial, caught.value.why, caught.value.event_id) == (True, "broke_off", call.event_id)
    assert isinstance(caught.value.__cause__, EventStreamError)
    assert (call.status, call.error, call.usage_source) == ("error", "ModelStreamErrorException", "estimated")
    # Whether the provider bills for what broke is not known.
    assert 0 == call.cost.total_pico < call.cost_high_pico
    gc.collect()


@leaves_a_connection
async def test_a_stream_that_is_left_is_cancelled(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    stream = model.stream([{"role": "user", "content": [{"text": "hello"}]}], None, HEAD)
    async for event in stream:
        if "contentBlockDelta" in event:
            break
    await stream.aclose()
    await settle(model)
    assert [call.status for call in events.calls] == ["cancelled"]
    gc.collect()


@leaves_a_connection
async def test_a_cancelled_task_is_recorded(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    reached = asyncio.Event()

    async def consume() -> None:
        async for event in model.stream([{"role": "user", "content": [{"text": "hello"}]}], None, HEAD):
            if "contentBlockDelta" in event:
                reached.set()
                await asyncio.sleep(60)

    task = asyncio.create_task(consume())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle(model)
    assert [call.status for call in events.calls] == ["cancelled"]
    gc.collect()


class Answer(BaseModel):
    """What is asked for."""

    product: str
    count: int


def test_structured_output_of_an_invocation(double: BedrockDouble, events: Events) -> None:
    result = agent(routed(double, events))("compare them", structured_output_model=Answer)
    assert isinstance(result.structured_output, Answer)
    assert {call.model for call in events.calls} == {CAPABLE}


async def test_structured_output_called_directly_is_routed_and_recorded(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    messages: Any = [{"role": "user", "content": [{"text": "tea?"}]}]
    outputs = [event async for event in model.structured_output(Answer, messages, HEAD)]
    assert isinstance(outputs[-1]["output"], Answer)
    (call,) = events.calls
    assert (call.model, call.usage_source) == (CHEAP, "reported")
    assert call.usage.output_tokens == usages(double)[0]["outputTokens"]


async def test_structured_output_fails_over_too(double: BedrockDouble, events: Events) -> None:
    double.faults.add(throttling(model=CHEAP_ID))
    messages: Any = [{"role": "user", "content": [{"text": "tea?"}]}]
    outputs = [event async for event in routed(double, events).structured_output(Answer, messages, HEAD)]
    assert isinstance(outputs[-1]["output"], Answer)
    assert events.reasons == ["cheapest_clears_bar", "failover"]


def test_a_pin_and_names_may_be_given_for_one_invocation(double: BedrockDouble, events: Events) -> None:
    asks = agent(routed(double, events))
    asks("hello", invocation_state={"turnout": {"pin": CAPABLE, "session_id": "s-1", "query_id": "greeting"}})
    assert served(double) == [CAPABLE]
    assert events.reasons == ["pinned"]
    assert {(event.session_id, event.query_id) for event in events.events} == {("s-1", "greeting")}


def test_a_pin_that_is_no_candidate_is_refused(double: BedrockDouble, events: Events) -> None:
    with pytest.raises(RefusedError, match="pin_ineligible"):
        ask_without_retries(routed(double, events))("hello", invocation_state={"turnout": {"pin": "other"}})
    assert not double.calls


@pytest.mark.parametrize("given", [{"pinn": CAPABLE}, {"pin": 3}, "pin"])
def test_overrides_that_cannot_be_read_are_refused(double: BedrockDouble, events: Events, given: Any) -> None:
    with pytest.raises(OverrideError, match="turnout"):
        ask_without_retries(routed(double, events))("hello", invocation_state={"turnout": given})


class Keywords(Model):
    """Keeps the keywords it is called with; a provider of its own, without structured output."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, dict[str, Any]]] = []
        self.settings: dict[str, Any] = {"model_id": "keywords"}

    def update_config(self, **model_config: Any) -> None:
        self.settings.update(model_config)

    def get_config(self) -> dict[str, Any]:
        return self.settings

    async def structured_output(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        if args:
            raise ValueError("not here")
        yield {}

    async def stream(
        self, messages: Any, tool_specs: Any = None, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[Any, None]:
        self.seen.append((tool_specs, kwargs))
        yield {"messageStart": {"role": "assistant"}}
        yield {"contentBlockDelta": {"delta": {"text": "hi"}}}
        yield {"messageStop": {"stopReason": "end_turn"}}
        yield {"metadata": {"usage": {"inputTokens": "many"}}}


async def test_keywords_that_are_not_known_are_passed_on(
    double: BedrockDouble, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Keywords()
    models: dict[str, Model] = {CHEAP: keeper, CAPABLE: pair(double)[CAPABLE]}
    model = routed(double, events, models=models)
    messages: Any = [{"role": "user", "content": [{"text": "hello"}]}]
    async for _ in model.stream(messages, None, None, of_the_future=1):
        pass
    assert keeper.seen[0][1]["of_the_future"] == 1
    # A usage report that cannot be read is said, and the cost estimated.
    assert events.calls[0].usage_source == "estimated"
    assert "usage report could not be read" in caplog.text


async def test_a_provider_without_structured_output_gets_the_forced_tool_alone(
    double: BedrockDouble, events: Events
) -> None:
    keeper = Keywords()
    models: dict[str, Model] = {CHEAP: keeper, CAPABLE: pair(double)[CAPABLE]}
    specs: list[dict[str, Any]] = [
        {"name": name, "description": name, "inputSchema": {"json": {}}} for name in ("a", "b")
    ]
    messages: Any = [{"role": "user", "content": [{"text": "hello"}]}]
    options: dict[str, Any] = {"tool_choice": {"tool": {"name": "b"}}, "structured_output_model": Answer}
    async for _ in routed(double, events, models=models).stream(messages, specs, None, **options):
        pass
    seen_specs, seen = keeper.seen[0]
    assert [spec["name"] for spec in seen_specs] == ["b"]
    assert seen["structured_output_model"] is None


async def test_tool_loops_of_direct_calls_keep_their_route(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    messages: list[Any] = [{"role": "user", "content": [{"text": "compare this"}]}]
    async for _ in model.stream(messages, None, HEAD):
        pass
    use = {"toolUse": {"toolUseId": "t", "name": "get_price", "input": {}}}
    result = {"toolResult": {"toolUseId": "t", "content": [{"text": "10"}]}}
    messages += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    async for _ in model.stream(messages, None, HEAD):
        pass
    assert events.reasons == ["cheapest_below_bar", "hard_stay"]
    assert len({event.turn_id for event in events.events}) == 1


async def test_signed_thinking_binds_the_session_to_its_model(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    messages: list[Any] = [{"role": "user", "content": [{"text": "compare this"}]}]
    options: dict[str, Any] = {"invocation_state": {"turnout": {"session_id": "s"}}}
    async for _ in model.stream(messages, None, HEAD, **options):
        pass
    thought = {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "signed"}}}
    messages += [
        {"role": "assistant", "content": [thought, {"text": "done"}]},
        {"role": "user", "content": [{"text": "thanks"}]},
    ]
    options = {"invocation_state": {"turnout": {"session_id": "s"}}}
    double.faults.add(throttling(), times=3)
    with pytest.raises(CallFailedError) as caught:
        async for _ in model.stream(messages, None, HEAD, **options):
            pass
    # The verdict "simple" would have allowed the cheap model; bound state does not, not even to fail over.
    assert events.reasons == ["cheapest_below_bar", "hard_stay", "failover_unsafe"]
    assert caught.value.why == "failover_unsafe"
    assert {call.model for call in events.calls} == {CAPABLE}


def test_configuration(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events, name="support-router")
    assert model.config["model_id"] == "support-router"
    assert set(model.config["candidates"]) == {CHEAP, CAPABLE}
    assert model.context_window_limit == 200_000
    model.update_config(max_tokens=7)
    assert all(candidate.get_config()["max_tokens"] == 7 for candidate in model.candidates.values())
    with pytest.raises(ValueError, match="model_id tells the candidates apart"):
        model.update_config(model_id="x")


async def test_tokens_are_counted_by_the_most_capable(double: BedrockDouble, events: Events) -> None:
    messages: Any = [{"role": "user", "content": [{"text": "hello" * 40}]}]
    assert await routed(double, events).count_tokens(messages) == 50


def test_models_and_policy_must_agree(double: BedrockDouble, events: Events) -> None:
    with pytest.raises(ValueError, match="the policy's candidates are"):
        routed(double, events, models={CHEAP: pair(double)[CHEAP]})


def test_conversations_kept_on_a_server_cannot_be_routed(double: BedrockDouble, events: Events) -> None:
    class Stateful(Keywords):
        @property
        def stateful(self) -> bool:
            return True

    with pytest.raises(ValueError, match="cannot be routed"):
        routed(double, events, models={CHEAP: Stateful(), CAPABLE: pair(double)[CAPABLE]})
