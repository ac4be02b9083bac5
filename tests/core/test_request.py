"""Requests: counts in a model's own tokens, and the markers that a request brought."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.strategies import requests
from turnout.core.cache import NO_PLAN, CachePlan, Marker, Prompt
from turnout.core.request import HardStay, Needs, Request, Segment

HEAD = (
    Segment(kind="tools", tokens=700, prefix_hash="t"),
    Segment(kind="system", tokens=1_030, prefix_hash="s", marker="1h"),
    Segment(kind="message", tokens=5, prefix_hash="m", marker="5m"),
)


def test_a_request_counts_its_prompt_in_reference_tokens() -> None:
    assert Request(session_id="s", segments=HEAD).tokens == 1_735
    assert Request(session_id="s", segments=()).tokens == 0


def test_a_prompt_has_the_ends_of_its_segments_in_the_models_tokens() -> None:
    request = Request(session_id="s", segments=HEAD)
    assert request.prompt_for(1.0) == Prompt((700, 1_730, 1_735), ("t", "s", "m"))
    # 700 x 1.3 = 910; 1,730 x 1.3 = 2,249; 1,735 x 1.3 = 2,255.5, rounded half to even.
    assert request.prompt_for(1.3).offsets == (910, 2_249, 2_256)
    assert request.prompt_for(1.3).tokens == 2_256


def test_a_request_without_segments_has_an_empty_prompt() -> None:
    assert Request(session_id="s", segments=()).prompt_for(1.3).tokens == 0


def test_the_users_plan_holds_the_markers_that_the_request_brought() -> None:
    request = Request(session_id="s", segments=HEAD)
    assert request.user_plan == CachePlan((Marker(1, "1h"), Marker(2, "5m")), "user")
    assert Request(session_id="s", segments=HEAD[:1]).user_plan == NO_PLAN


@given(st.lists(st.integers(0, 5_000)), st.floats(0.5, 2))
def test_rounding_is_done_once_and_not_for_each_segment(lengths: list[int], ratio: float) -> None:
    segments = tuple(
        Segment(kind="message", tokens=tokens, prefix_hash=str(index)) for index, tokens in enumerate(lengths)
    )
    prompt = Request(session_id="s", segments=segments).prompt_for(ratio)
    assert list(prompt.offsets) == sorted(prompt.offsets)
    assert abs(prompt.tokens - sum(lengths) * ratio) <= 0.5


@given(requests())
def test_a_request_survives_storage(request: Request) -> None:
    assert msgspec.json.decode(msgspec.json.encode(request), type=Request) == request


def test_a_stored_request_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `text`"):
        msgspec.json.decode(b'{"session_id": "s", "segments": [], "text": "hello"}', type=Request)


def test_a_request_needs_only_what_it_states() -> None:
    assert not any(msgspec.to_builtins(Needs()).values())


def test_a_hard_stay_has_a_known_cause() -> None:
    with pytest.raises(msgspec.ValidationError, match="whim"):
        msgspec.json.decode(b'{"model": "m", "cause": "whim"}', type=HardStay)
