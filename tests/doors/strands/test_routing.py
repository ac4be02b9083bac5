import inspect
import logging
from collections.abc import Callable
from typing import Any, Required, get_origin, get_type_hints

import msgspec
import pytest
from strands.models import CacheConfig

from tests.doors.strands.support import CAPABLE, CATALOG, CHEAP, HEAD, POLICY, Events, bedrock, pair
from turnout.core.catalog import Catalog
from turnout.core.policy import Policy
from turnout.doors.strands import RoutedModel, TurnoutStrategy
from turnout.doors.strands.routing import RoutingOptions, StrandsRouting
from turnout.testing.bedrock import BedrockDouble

HELLO: list[Any] = [{"role": "user", "content": [{"text": "hello"}]}]


def routing(
    double: BedrockDouble, policy: Policy = POLICY, catalog: Catalog = CATALOG, **options: Any
) -> StrandsRouting:
    return StrandsRouting(pair(double, **options), policy=policy, catalog=catalog, recorder=Events())


async def test_the_filled_point_follows_the_system_and_has_the_plans_ttl(double: BedrockDouble) -> None:
    made = routing(double, msgspec.structs.replace(POLICY, fill_ttl="1h"))
    call = made.read(HELLO, None, HEAD, {})
    _, sent = made.with_plan(call, await made.route(call), HEAD, {})
    assert sent["system_prompt_content"] == [{"text": HEAD}, {"cachePoint": {"type": "default", "ttl": "1h"}}]


async def test_without_a_system_nothing_is_filled_in_and_nothing_is_priced_as_if(double: BedrockDouble) -> None:
    made = routing(double)
    call = made.read(HELLO, None, None, {})
    routed = await made.route(call)
    assert routed.decision.cache_plan.markers == ()
    assert made.with_plan(call, routed, None, {"a": 1}) == (None, {"a": 1})


def test_a_parameter_that_a_candidate_rejects_is_refused_at_start_up(double: BedrockDouble) -> None:
    strict = Catalog.of(
        msgspec.structs.replace(model, rejected_parameters=("temperature",)) if model.id == CHEAP else model
        for model in CATALOG.models
    )
    with pytest.raises(ValueError, match=f"{CHEAP} rejects the parameter 'temperature'"):
        routing(double, catalog=strict, temperature=0.1)
    assert routing(double, catalog=strict)


def test_candidates_that_differ_in_their_cache_points_are_warned_of(
    double: BedrockDouble, caplog: pytest.LogCaptureFixture
) -> None:
    models = pair(double)
    models[CAPABLE] = bedrock(double, CAPABLE, cache_config=CacheConfig())
    with caplog.at_level(logging.WARNING):
        StrandsRouting(models, policy=POLICY, catalog=CATALOG)
    assert "only some candidates place cache points of their own" in caplog.text


def test_the_options_of_the_door_are_what_the_routing_takes() -> None:
    taken = {
        name: parameter.default is inspect.Parameter.empty
        for name, parameter in inspect.signature(StrandsRouting).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    hints = get_type_hints(RoutingOptions, include_extras=True)
    assert taken == {name: get_origin(hint) is Required for name, hint in hints.items()}


@pytest.mark.parametrize("made", [RoutedModel, TurnoutStrategy])
def test_an_option_that_is_missing_or_unknown_is_named(double: BedrockDouble, made: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'policy'"):
        made(pair(double), catalog=CATALOG)
    with pytest.raises(TypeError, match="unexpected keyword argument 'recorders'"):
        made(pair(double), policy=POLICY, catalog=CATALOG, recorders=Events())


async def test_who_wrote_the_newest_answer_is_known_before_the_route_is(double: BedrockDouble) -> None:
    made = routing(double)
    call = made.read(HELLO, None, None, {"invocation_state": {"turnout": {"session_id": "s"}}})
    routed = await made.route(call)
    assert call.written_by is None
    made.turns.wrote(routed.turn, CAPABLE)
    again = made.read(HELLO, None, None, {"invocation_state": {"turnout": {"session_id": "s"}}})
    await made.route(again)
    assert again.written_by == CAPABLE


async def test_where_nothing_is_routed_nothing_is_carried(double: BedrockDouble) -> None:
    alone = msgspec.structs.replace(POLICY, candidates=POLICY.candidates[1:])
    made = StrandsRouting({CAPABLE: bedrock(double, CAPABLE)}, policy=alone, catalog=CATALOG)
    blank: list[Any] = [{"role": "user", "content": [{"text": "hello"}, {"text": ""}]}]
    call = made.read(blank, None, None, {})
    routed = await made.route(call)
    assert made.histories.sent(call, routed).messages is blank
    both = routing(double)
    call = both.read(blank, None, None, {})
    assert both.histories.sent(call, await both.route(call)).messages == [
        {"role": "user", "content": [{"text": "hello"}]}
    ]


def test_a_candidate_that_places_cache_points_of_its_own_cannot_be_managed(double: BedrockDouble) -> None:
    managed = msgspec.structs.replace(POLICY, markers="manage", horizon="session")
    with pytest.raises(ValueError, match=f"{CHEAP} places cache points of its own"):
        routing(double, managed, cache_config=CacheConfig())
