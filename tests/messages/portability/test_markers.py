from typing import Any

import msgspec
import pytest

from tests.messages.portability.support import (
    GPT_5,
    HAIKU_45,
    LONG_POINT,
    POINT,
    SONNET_46,
    assistant,
    signed,
    talk,
    unsigned,
    user,
)
from turnout.core.cache import CachePlan, CacheRules, Marker
from turnout.core.catalog import Model
from turnout.messages.conversation import Conversation
from turnout.messages.portability import Carried, MarkersMode, carry
from turnout.messages.prefix import PrefixHasher

LONG = "word " * 1000
"""1,250 reference tokens."""


def markers(carried: Carried) -> list[tuple[int, str]]:
    """Cache points by the number of the block before them, as the core counts."""
    assert carried.history is not None, carried.refusals
    plan = PrefixHasher(b"k").segments(carried.history)
    return [(index, segment.marker) for index, segment in enumerate(plan) if segment.marker]


def carried(history: Conversation, mode: MarkersMode, target: Model = SONNET_46, **more: Any) -> Carried:
    return carry(history, HAIKU_45, target, mode, **more)


HISTORY = talk(user("a"), assistant(signed(), "b"), user("c"), system=[{"text": LONG}])


def test_a_plan_is_placed_and_takes_the_place_of_what_was_there() -> None:
    plan = CachePlan((Marker(0, "1h"), Marker(4)), "manage")
    history = talk(user("a", POINT), assistant(signed(), "b"), user("c"), system=[{"text": LONG}])
    made = carried(history, "manage", plan=plan)
    assert markers(made) == [(0, "1h"), (4, "5m")]
    assert made.edits == ("add_marker:system.0", "drop_marker:messages.0.content.1", "add_marker:messages.2.content.0")
    assert made.history is not None
    assert made.history.system[1] == LONG_POINT


def test_an_empty_plan_takes_all_points_away() -> None:
    history = talk(user("a"), system=[{"text": LONG}, POINT])
    made = carried(history, "manage", plan=CachePlan((), "manage"))
    assert markers(made) == []
    assert made.edit_names == ("drop_marker",)


def test_a_plan_finds_its_blocks_where_others_were_left_out() -> None:
    history = talk(user(LONG), assistant(unsigned(), "b"), user("c"))
    made = carried(history, "manage", plan=CachePlan((Marker(1), Marker(3)), "manage"))
    assert markers(made) == [(0, "5m"), (2, "5m")]


def test_a_plan_never_stands_after_thinking_nor_below_the_floor() -> None:
    assert markers(carried(HISTORY, "manage", plan=CachePlan((Marker(2),), "manage"))) == [(1, "5m")]
    high = msgspec.structs.replace(SONNET_46, cache=CacheRules(floor_tokens=4096, ttls=("5m", "1h")))
    assert markers(carried(HISTORY, "manage", high, plan=CachePlan((Marker(4),), "manage"))) == []


def test_the_floor_is_counted_in_the_targets_own_tokens() -> None:
    near = msgspec.structs.replace(SONNET_46, cache=CacheRules(floor_tokens=1500))
    assert markers(carried(HISTORY, "fill", near)) == []
    assert markers(carried(HISTORY, "fill", msgspec.structs.replace(near, tokenizer_ratio=1.3))) == [(0, "5m")]


def test_fill_follows_a_plan_where_there_is_one() -> None:
    plan = CachePlan((Marker(0, "1h"),), "fill")
    assert markers(carried(HISTORY, "fill", plan=plan)) == [(0, "1h")]
    own = talk(user(LONG, POINT), assistant("b"), user("c"))
    assert carried(own, "fill", plan=plan).history is own


def test_a_plans_ttl_is_one_that_the_target_offers() -> None:
    short = msgspec.structs.replace(SONNET_46, cache=CacheRules(floor_tokens=1024))
    assert markers(carried(HISTORY, "manage", short, plan=CachePlan((Marker(0, "1h"),), "manage"))) == [(0, "5m")]


def test_what_the_history_brought_is_mended_without_a_plan() -> None:
    system = [{"text": LONG}, POINT]
    messages = [
        user(str(number), LONG_POINT) if number % 2 == 0 else assistant(str(number), POINT) for number in range(7)
    ]
    made = carried(talk(*messages, system=system), "manage")
    assert markers(made) == [(0, "5m"), (5, "5m"), (6, "5m"), (7, "5m")]
    assert set(made.edit_names) == {"drop_marker", "marker_ttl"}


def test_points_of_the_user_stay_to_the_letter() -> None:
    odd: dict[str, Any] = {"cachePoint": {"type": "default", "ttl": "5m"}}
    history = talk(user("a", odd), assistant("b"), user("c"), system=[{"text": "s"}, POINT, POINT])
    assert carried(history, "user").history is history


@pytest.mark.parametrize(
    ("history", "refusals"),
    [
        (talk(user(*["a", POINT] * 5)), ("cache_markers:5>4",)),
        (talk(user("a", POINT, "b", LONG_POINT)), ("cache_ttl_order:messages.0.content.3",)),
    ],
)
def test_points_of_the_user_that_are_not_taken_refuse(history: Conversation, refusals: tuple[str, ...]) -> None:
    assert carried(history, "user").refusals == refusals
    assert carried(history, "fill").refusals == refusals


def test_where_caching_is_implicit_points_go_by_one_name() -> None:
    history = talk(user("a"), assistant(POINT, "b", POINT), user("c"))
    made = carry(history, HAIKU_45, GPT_5)
    assert made.edits == ("drop_marker:messages.1.content.0", "drop_marker:messages.1.content.2")
    assert made.history is not None
    assert made.history.messages[1] == assistant("b")
