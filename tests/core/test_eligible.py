"""Eligible is who would accept every part of a request; each refusal names the part."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.core.price_table import SONNET_4_6
from turnout.core.cache import NO_CACHE, NO_PLAN, CachePlan, CacheRules, Marker
from turnout.core.catalog import Capabilities, Model
from turnout.core.eligible import ineligible_reasons, marker_reasons
from turnout.core.policy import Candidate, Policy
from turnout.core.request import HardStay, Needs, Request

POLICY = Policy(candidates=(Candidate(SONNET_4_6.id, 0),))
ADAPTING = msgspec.structs.replace(POLICY, adapt=True)
BARE = Capabilities(
    tools=False, forced_tool_choice=False, vision=False, documents=False, structured_output=False, streaming=False
)
SMALL = msgspec.structs.replace(
    SONNET_4_6, context_window=10_000, max_output_tokens=4_000, rejected_parameters=("temperature", "top_k")
)


def request(**parts: Any) -> Request:
    return Request(session_id="s", segments=(), **parts)


def reasons(asked: Request, model: Model = SMALL, policy: Policy = POLICY, prompt_tokens: int = 100) -> tuple[str, ...]:
    return ineligible_reasons(asked, model, policy, prompt_tokens)[0]


def edits(asked: Request, policy: Policy = ADAPTING, prompt_tokens: int = 100) -> tuple[str, ...]:
    return ineligible_reasons(asked, SMALL, policy, prompt_tokens)[1]


def test_a_plain_request_suits_every_model() -> None:
    assert ineligible_reasons(request(), SMALL, POLICY, 100) == ((), ())


def test_a_key_may_name_its_models() -> None:
    assert reasons(request(allowed_models=("other",))) == ("not_allowed",)
    assert reasons(request(allowed_models=())) == ("not_allowed",)
    assert reasons(request(allowed_models=("other", SMALL.id))) == ()


def test_a_history_bound_to_a_model_binds_the_request() -> None:
    assert reasons(request(hard_stay=HardStay("other", "bound_state"))) == ("history_bound:other",)
    assert reasons(request(hard_stay=HardStay(SMALL.id, "bound_state"))) == ()
    assert reasons(request(hard_stay=HardStay("other", "tool_loop"))) == ()


@pytest.mark.parametrize("need", Needs.__struct_fields__)
def test_a_need_that_a_model_cannot_meet_is_named(need: str) -> None:
    asked = request(needs=Needs(**{need: True}))
    able = msgspec.structs.replace(SMALL, capabilities=msgspec.structs.replace(BARE, **{need: True}))
    assert reasons(asked, msgspec.structs.replace(SMALL, capabilities=BARE)) == (f"lacks:{need}",)
    assert reasons(asked, able) == ()


def test_a_rejected_parameter_is_refused_or_dropped() -> None:
    asked = request(parameters=("temperature", "top_p", "top_k"))
    assert reasons(asked) == ("parameter_rejected:temperature", "parameter_rejected:top_k")
    assert edits(asked, POLICY) == ()
    assert reasons(asked, policy=ADAPTING) == ()
    assert edits(asked) == ("drop_parameter:temperature", "drop_parameter:top_k")


def test_an_output_limit_above_the_models_is_refused_or_clamped() -> None:
    assert reasons(request(max_output_tokens=4_000)) == ()
    assert reasons(request(max_output_tokens=4_001)) == ("output_limit:4001>4000",)
    assert reasons(request(max_output_tokens=4_001), policy=ADAPTING) == ()
    assert edits(request(max_output_tokens=4_001)) == ("clamp_output:4000",)
    assert edits(request(max_output_tokens=4_000)) == ()


def test_a_model_without_a_known_limit_takes_any_output() -> None:
    endless = msgspec.structs.replace(SMALL, max_output_tokens=None, context_window=10**6)
    assert reasons(request(max_output_tokens=900_000), endless) == ()


def test_prompt_and_output_fit_into_the_context_window() -> None:
    assert reasons(request(max_output_tokens=4_000), prompt_tokens=6_000) == ()
    assert reasons(request(max_output_tokens=4_000), prompt_tokens=6_001) == ("context_window:10001>10000",)
    assert reasons(request(), prompt_tokens=10_001) == ("context_window:10001>10000",)


def test_a_clamped_output_is_what_has_to_fit() -> None:
    asked = request(max_output_tokens=9_000)
    assert reasons(asked, policy=ADAPTING, prompt_tokens=6_000) == ()
    assert reasons(asked, policy=ADAPTING, prompt_tokens=6_001) == ("context_window:10001>10000",)


def test_every_part_that_does_not_fit_is_named() -> None:
    asked = request(
        allowed_models=(),
        hard_stay=HardStay("other", "bound_state"),
        needs=Needs(vision=True, documents=True),
        parameters=("temperature",),
        max_output_tokens=5_000,
    )
    assert reasons(asked, prompt_tokens=6_000) == (
        "not_allowed",
        "history_bound:other",
        "lacks:vision",
        "lacks:documents",
        "parameter_rejected:temperature",
        "output_limit:5000>4000",
        "context_window:11000>10000",
    )


def test_markers_that_a_model_would_refuse_are_named() -> None:
    short = CacheRules(ttls=("5m",), max_markers=2)
    plan = CachePlan((Marker(0, "1h"), Marker(1, "1h"), Marker(2, "5m")), "user")
    assert marker_reasons(plan, short) == ("cache_ttl:1h", "cache_markers:3>2")
    assert marker_reasons(plan, CacheRules(ttls=("5m", "1h"))) == ()
    assert marker_reasons(plan, CacheRules(ttls=("5m", "1h"), max_markers=3)) == ()


def test_markers_matter_only_where_they_came_with_the_request_and_caching_is_explicit() -> None:
    plan = CachePlan((Marker(0, "1h"),), "fill")
    assert marker_reasons(plan, CacheRules()) == ()
    assert marker_reasons(CachePlan((Marker(0, "1h"),), "user"), NO_CACHE) == ()
    assert marker_reasons(CachePlan((Marker(0, "1h"),), "user"), CacheRules(mode="implicit")) == ()
    assert marker_reasons(NO_PLAN, CacheRules()) == ()
