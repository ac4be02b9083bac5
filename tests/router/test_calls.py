from __future__ import annotations

from botocore.exceptions import ClientError

from tests.router.test_routing import CHEAP, route, router
from turnout.core.calls import BreakerRules, CallRules
from turnout.upstream.breaker import BreakerKey

ONE_FAILURE = CallRules(breaker=BreakerRules(consecutive_failures=1))


def error(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Converse")  # type: ignore[typeddict-item]  # all that is read


async def test_only_errors_of_the_upstream_reach_its_breaker() -> None:
    made, events = router(calls=ONE_FAILURE)
    for failing, state in (
        (error("ValidationException", 400), "closed"),
        (error("InternalServerException", 500), "open"),
    ):
        call = made.begin_call(await route(made, pin=CHEAP.id))
        event = call.failed(failing)
        assert event is call.event is events.calls[-1]
        assert event is not None
        assert event.error == failing.response["Error"]["Code"]
        assert made.breakers.states(made.now_ms()) == {BreakerKey(CHEAP.id): state}


async def test_a_call_that_was_left_says_nothing_of_the_upstream() -> None:
    made, _ = router(calls=ONE_FAILURE)
    made.begin_call(await route(made, pin=CHEAP.id)).end("cancelled")
    assert made.breakers.states(made.now_ms()) == {BreakerKey(CHEAP.id): "closed"}


async def test_a_turn_knows_whether_its_newest_call_broke_off() -> None:
    made, _ = router()
    for content, status, broke_off in ((False, "error", False), (True, "error", True), (True, "cancelled", False)):
        routed = await route(made)
        call = made.begin_call(routed)
        if content:
            call.content(3)
        call.end("error" if status == "error" else "cancelled", error="E" if status == "error" else "")
        assert routed.turn.broke_off is broke_off


async def test_a_failed_first_call_does_not_count_as_a_call_of_the_turns_tool_loop() -> None:
    made, _ = router()
    routed = await route(made)
    made.begin_call(routed).end("error", error="InternalServerException")
    again = made.retry(routed)
    assert again is not None
    call = made.begin_call(again)
    call.content(3)
    call.end()
    assert (routed.turn.calls, routed.turn.answers) == (2, 1)
    assert made.memory.statistics([CHEAP.id]).of(CHEAP.id).calls_per_turn <= 2.0
