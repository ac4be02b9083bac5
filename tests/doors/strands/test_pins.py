"""Pins of a request, its session and its tags: the narrowest holds."""

from __future__ import annotations

import msgspec
import pytest

from tests.doors.strands.support import CAPABLE, CHEAP, POLICY, Events, agent, routed
from turnout.core.catalog import UnknownModelError
from turnout.doors.strands import RoutedModel
from turnout.doors.strands.conversation import OverrideError
from turnout.testing.bedrock import BedrockDouble

# Without a cache the cheap model is always the cheaper one.
PLAIN = msgspec.structs.replace(POLICY, markers="user")


def ask(model: RoutedModel, **overrides: object) -> None:
    agent(model)("hello", invocation_state={"turnout": {"session_id": "s", **overrides}})


def test_a_tag_pins_its_requests_and_no_others(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events, policy=PLAIN, pinned_tags={"vip": CAPABLE})
    ask(model, tags=["web", "vip"])
    ask(model, tags=["web"])
    ask(model)
    assert [call.model for call in events.calls] == [CAPABLE, CHEAP, CHEAP]
    assert events.reasons[0] == "pinned"


def test_a_session_stays_pinned_until_it_is_let_go(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events, policy=PLAIN, pinned_tags={"vip": CHEAP})
    ask(model, session_pin=CAPABLE)
    ask(model, tags=["vip"])
    ask(model, pin=CHEAP)
    ask(model)
    ask(model, session_id="other")
    ask(model, session_pin="")
    assert [call.model for call in events.calls] == [CAPABLE, CAPABLE, CHEAP, CAPABLE, CHEAP, CHEAP]


def test_a_pin_to_a_model_that_is_no_candidate_is_refused(double: BedrockDouble, events: Events) -> None:
    with pytest.raises(UnknownModelError, match=CHEAP):
        routed(double, events, policy=PLAIN, pinned_tags={"vip": CHEAP + "x"})
    with pytest.raises(UnknownModelError, match=CHEAP):
        ask(routed(double, events), session_pin=CHEAP + "x")


@pytest.mark.parametrize("tags", ["vip", [3], {"vip": 1}])
def test_tags_are_a_list_of_texts(double: BedrockDouble, events: Events, tags: object) -> None:
    with pytest.raises(OverrideError, match="tags must be a list of texts"):
        ask(routed(double, events), tags=tags)
