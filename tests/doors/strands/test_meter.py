from collections.abc import AsyncGenerator
from typing import Any

import pytest

from tests.doors.strands.support import CAPABLE, CATALOG, POLICY, Events
from turnout.core.usage import Usage
from turnout.doors.strands.meter import metered, metered_structured
from turnout.messages.conversation import conversation_of
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import request_of
from turnout.router import OpenCall, Router
from turnout.upstream.errors import TruncatedStreamError

USAGE = {"inputTokens": 5, "outputTokens": 7, "cacheReadInputTokens": 11, "cacheWriteInputTokens": 13}
STREAM: list[dict[str, Any]] = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"delta": {"text": "hi"}}},
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": {**USAGE, "cacheDetails": [{"ttl": "1h", "inputTokens": 13}]}}},
]


async def opened(events: Events) -> OpenCall:
    router = Router(POLICY, CATALOG, records=events)
    conversation = conversation_of("hello")
    request = request_of(conversation, PrefixHasher(b"key"), pin=CAPABLE)
    return router.begin_call(await router.route(conversation, request, router.begin_turn("s")))


async def of(items: list[Any], error: Exception | None = None) -> AsyncGenerator[Any, None]:
    for item in items:
        yield item
    if error is not None:
        raise error


async def test_events_pass_unchanged_and_the_call_is_recorded(events: Events) -> None:
    passed = [event async for event in metered(of(STREAM), await opened(events))]
    assert passed == STREAM
    (call,) = events.calls
    assert call.usage == Usage(
        input_tokens=5, output_tokens=7, cache_read_tokens=11, cache_write_1h_tokens=13
    )  # the split by TTL, which Strands drops
    assert (call.status, call.finish_reason) == ("ok", "end_turn")


async def test_an_error_passes_and_is_recorded_by_name(events: Events) -> None:
    with pytest.raises(ConnectionResetError):
        async for _ in metered(of(STREAM[:2], ConnectionResetError("secret")), await opened(events)):
            pass
    assert (events.calls[0].status, events.calls[0].error) == ("error", "ConnectionResetError")


async def test_a_stream_that_is_left_closes_what_it_reads(events: Events) -> None:
    source = of(STREAM)
    stream = metered(source, await opened(events))
    await anext(stream)
    await stream.aclose()
    assert events.calls[0].status == "cancelled"
    assert [event async for event in source] == []


async def test_a_stream_that_ends_before_its_answer_is_an_error(events: Events) -> None:
    with pytest.raises(TruncatedStreamError):
        async for _ in metered(of(STREAM[:2]), await opened(events)):
            pass
    (call,) = events.calls
    assert (call.status, call.error, call.usage_source) == ("error", "TruncatedStreamError", "estimated")


async def test_what_breaks_after_the_answer_is_logged(events: Events, caplog: pytest.LogCaptureFixture) -> None:
    passed = [event async for event in metered(of(STREAM[:3], ConnectionResetError("secret")), await opened(events))]
    assert passed == STREAM[:3]
    (call,) = events.calls
    # It was answered, so it is billed; only its tokens are not known.
    assert (call.status, call.error, call.usage_source) == ("ok", "", "estimated")
    assert 0 < call.cost.total_pico < call.cost_high_pico
    assert "ConnectionResetError" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("usage", [None, "many", [], {}, {"inputTokens": -1}])
async def test_a_report_that_cannot_be_read_does_not_break_the_stream(usage: Any, events: Events) -> None:
    stream = [*STREAM[:3], {"metadata": {"usage": usage}}]
    assert [event async for event in metered(of(stream), await opened(events))] == stream
    assert (events.calls[0].status, events.calls[0].usage_source) == ("ok", "estimated")
    assert 0 < events.calls[0].cost.total_pico < events.calls[0].cost_high_pico


async def test_what_came_is_counted_in_characters(events: Events) -> None:
    deltas: list[dict[str, Any]] = [
        {"text": "a" * 400},
        {"reasoningContent": {"text": "b" * 400}},
        {"reasoningContent": {"signature": "c" * 400}},
        {"toolUse": {"input": "d" * 400}},
    ]
    stream = metered(of([{"contentBlockDelta": {"delta": delta}} for delta in deltas]), await opened(events))
    for _ in deltas:
        await anext(stream)
    await stream.aclose()
    # 1,200 characters of text, thinking and a tool's input are 300 tokens by our count, of which half are sure.
    assert events.calls[0].usage.output_tokens == 150


async def test_structured_output_carries_the_events_inside(events: Events) -> None:
    items: list[Any] = [*({"event": event} for event in STREAM), {"output": 1}]
    passed = [event async for event in metered_structured(of(items), await opened(events))]
    assert passed == items
    assert events.calls[0].usage.output_tokens == 7
