from __future__ import annotations

import pytest

from turnout.core.catalog import UnknownModelError
from turnout.core.pins import Pinned, check_pin, pinned, with_pin
from turnout.core.policy import Candidate, Policy
from turnout.core.request import Request

TAGS = {"vip": "capable", "batch": "cheap"}
POLICY = Policy(candidates=(Candidate("cheap", 0), Candidate("capable", 1)))


@pytest.mark.parametrize(
    ("request_pin", "session_pin", "tags", "found"),
    [
        ("a", "b", ["vip"], Pinned("a", "request")),
        (None, "b", ["vip"], Pinned("b", "session")),
        (None, None, ["vip"], Pinned("capable", "tag", "vip")),
        (None, None, ["batch", "vip"], Pinned("capable", "tag", "vip")),
        (None, None, ["new", "batch"], Pinned("cheap", "tag", "batch")),
        (None, None, ["VIP", "new"], None),
        (None, None, [], None),
    ],
)
def test_the_narrower_pin_wins(
    request_pin: str | None, session_pin: str | None, tags: list[str], found: Pinned | None
) -> None:
    assert pinned(request=request_pin, session=session_pin, tags=tags, pinned_tags=TAGS) == found


def test_without_pinned_tags_a_tag_says_nothing() -> None:
    assert pinned(tags=["vip"]) is None


def test_a_pin_is_put_on_the_request_and_none_leaves_it_as_it_is() -> None:
    request = Request(session_id="s", segments=(), pin="own")
    assert with_pin(request, Pinned("capable", "tag", "vip")).pin == "capable"
    assert with_pin(request, None) is request


def test_a_pin_says_whose_it_is() -> None:
    assert str(Pinned("m", "session")) == "m, pinned by the session"
    assert str(Pinned("m", "tag", "vip")) == "m, pinned by the tag 'vip'"


def test_only_a_candidate_can_be_pinned() -> None:
    assert check_pin("cheap", POLICY) == "cheap"
    with pytest.raises(UnknownModelError, match="unknown candidate 'capabel'; the nearest known one is 'capable'"):
        check_pin("capabel", POLICY)
