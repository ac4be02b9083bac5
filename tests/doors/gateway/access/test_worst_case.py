from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from turnout.core.cache import CacheRules
from turnout.core.catalog import Catalog, Model
from turnout.core.policy import Candidate, Policy
from turnout.core.price import flat_price
from turnout.core.usage import Usage
from turnout.doors.gateway.access.worst_case import worst_pico
from turnout.messages.conversation import Conversation, conversation_of
from turnout.messages.prefix import PrefixHasher
from turnout.messages.request import request_of
from turnout.router import Router
from turnout.router.calls import OpenCall
from turnout.trace.records import ListRecorder

MODEL = Model(
    id="p/m",
    provider="p",
    model_id="m",
    name="m",
    price=flat_price("3", "15", cache_read="0.3", cache_write_5m="3.75", cache_write_1h="6"),
    context_window=10_000,
    max_output_tokens=500,
    cache=CacheRules(floor_tokens=100, ttls=("5m", "1h")),
)


async def begun(sent: int | None, asked: int | None, model: Model = MODEL) -> tuple[OpenCall, int]:
    """A call with an output limit that is sent and one that was asked for, and the most that it can cost."""
    router = Router(Policy(candidates=(Candidate("p/m", 1),)), Catalog.of([model]), records=ListRecorder())
    system: list[Any] = [{"text": "be kind " * 100}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    conversation = Conversation(messages=conversation_of("hello").messages, system=system)
    request = request_of(conversation, PrefixHasher(b"key"), session_id="s", max_output_tokens=asked)
    routed = await router.route(conversation, request, router.begin_turn("s"))
    worst = worst_pico(routed, max_output_tokens=sent)
    return router.begin_call(routed, max_output_tokens=sent), worst


def _left(call: OpenCall) -> None:
    call.end("cancelled")


def _unreachable(call: OpenCall) -> None:
    call.end("error", error="APIConnectionError")


def _left_after_content(call: OpenCall) -> None:
    call.content(400)
    call.end("cancelled")


def _broken_after_a_report(call: OpenCall) -> None:
    call.usage(Usage(input_tokens=150))
    call.content(1)
    call.end("error", error="x")


def _reported(call: OpenCall) -> None:
    call.usage(Usage(cache_write_1h_tokens=200, output_tokens=80))
    call.end()


def _reported_without_durations(call: OpenCall) -> None:
    call.usage(Usage(cache_write_5m_tokens=200, output_tokens=80), splits_writes=False)
    call.end()


ENDINGS = [_left, _unreachable, _left_after_content, _broken_after_a_report, _reported, _reported_without_durations]


@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize("limits", [(None, None), (None, 90), (120, 90)])
async def test_no_call_is_booked_with_more_than_was_set_aside(
    end: Callable[[OpenCall], None], limits: tuple[int | None, int | None]
) -> None:
    sent, asked = limits
    call, worst = await begun(sent, asked)
    end(call)
    assert call.event is not None
    assert call.event.cost_high_pico <= worst


@pytest.mark.parametrize("limits", [(None, None), (None, 90), (120, 90)])
async def test_it_is_what_a_call_is_booked_with_of_which_nothing_is_known(
    limits: tuple[int | None, int | None],
) -> None:
    sent, asked = limits
    for model in (MODEL, msgspec.structs.replace(MODEL, max_output_tokens=None)):
        call, worst = await begun(sent, asked, model)
        call.end("cancelled")
        assert call.event is not None
        assert call.event.cost_high_pico == worst > 0


async def test_each_of_several_answers_may_take_the_whole_limit() -> None:
    router = Router(Policy(candidates=(Candidate("p/m", 1),)), Catalog.of([MODEL]), records=ListRecorder())
    conversation = conversation_of("hello")
    request = request_of(conversation, PrefixHasher(b"key"), session_id="s", max_output_tokens=100)
    routed = await router.route(conversation, request, router.begin_turn("s"))
    more = worst_pico(routed, answers=3) - worst_pico(routed)
    assert more == 200 * 15 * 10**6
