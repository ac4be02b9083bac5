"""What a decision is given and what it returns survive storage byte for byte."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings

from tests.core.price_table import HAIKU_4_5, SONNET_4_6
from tests.core.strategies import decision_inputs
from turnout.core.cache import COLD, CacheEntry, CacheState
from turnout.core.catalog import Catalog
from turnout.core.decision import Decision, DecisionInput, Estimate, Unavailable, larger_windows_only
from turnout.core.policy import Candidate, Policy, Reason
from turnout.core.request import Request

ESTIMATES = (Estimate(model="able", rank=1, ineligible=("lacks:vision",)), Estimate(model="basic", rank=0))


def test_a_decision_without_a_model_is_a_refusal() -> None:
    assert Decision(model=None, reason=Reason.BUDGET_SPENT, estimates=ESTIMATES).refused
    assert not Decision(model="basic", reason=Reason.PINNED, estimates=ESTIMATES).refused


def test_an_estimate_is_found_by_its_model() -> None:
    decision = Decision(model="basic", reason=Reason.PINNED, estimates=ESTIMATES)
    assert decision.estimate("able") is ESTIMATES[0]
    assert not decision.estimate("able").eligible
    assert decision.estimate("basic").eligible
    with pytest.raises(KeyError, match="clever"):
        decision.estimate("clever")


def test_a_cache_that_is_not_given_is_cold() -> None:
    warm = CacheState((CacheEntry(prefix_hash="h", ttl="5m", expires_ms=1),))
    given_input = DecisionInput(
        request=Request(session_id="s", segments=()),
        policy=Policy(candidates=(Candidate(HAIKU_4_5.id, 0),)),
        catalog=Catalog.of([HAIKU_4_5]),
        now_ms=0,
        caches={HAIKU_4_5.id: warm},
    )
    assert given_input.cache_of(HAIKU_4_5.id) == warm
    assert given_input.cache_of(SONNET_4_6.id) == COLD


@settings(max_examples=50)
@given(decision_inputs())
def test_what_a_decision_is_given_survives_storage(made_from: DecisionInput) -> None:
    stored = msgspec.json.encode(made_from, order="deterministic")
    again = msgspec.json.decode(stored, type=DecisionInput)
    assert again == made_from
    assert again.catalog.content_hash == made_from.catalog.content_hash
    # Whole numbers may have become floats (2 is stored as 2 and read as 2.0); from then on nothing changes any more.
    settled = msgspec.json.encode(again, order="deterministic")
    assert msgspec.json.encode(msgspec.json.decode(settled, type=DecisionInput), order="deterministic") == settled


def test_a_stored_decision_with_an_unknown_reason_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="mood"):
        msgspec.json.decode(b'{"model": "m", "reason": "mood", "estimates": []}', type=Decision)


def test_a_prompt_that_was_too_long_goes_to_larger_windows_only() -> None:
    small, same, large = (
        msgspec.structs.replace(HAIKU_4_5, id=name, context_window=window)
        for name, window in (("small", 100), ("same", 200), ("large", 300))
    )
    told = larger_windows_only(Catalog.of([small, same, large]), same)
    assert set(told) == {Unavailable("small", "window_not_larger"), Unavailable("same", "window_not_larger")}
    assert larger_windows_only(Catalog.of([large]), same) == []
