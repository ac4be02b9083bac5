"""Policies refuse rules that cannot be followed; reasons are a closed list with one meaning each."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from tests.core.strategies import policies
from turnout.core.policy import NOTHING_CLEARS, Budget, Candidate, Policy, Reason

PAIR = (Candidate("cheap", 0), Candidate("capable", 1))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"candidates": ()}, "at least one candidate"),
        ({"candidates": (Candidate("a", 0), Candidate("a", 1))}, r"two candidates have the same model: \['a', 'a'\]"),
        ({"candidates": (Candidate("a", 1), Candidate("b", 1))}, r"two candidates have the same rank: \[1, 1\]"),
        ({"simple_bar": 1.1}, "simple_bar must be between 0 and 1, got 1.1"),
        ({"simple_bar": float("nan")}, "simple_bar must be between 0 and 1, got nan"),
        ({"quality_bar": -0.1}, "quality_bar must be between 0 and 1, got -0.1"),
        ({"simple_share": 0.0}, "simple_share must be above 0 and below 1, got 0.0"),
        ({"simple_share": 1.0}, "simple_share must be above 0 and below 1, got 1.0"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Policy(**{"candidates": PAIR, **parts})


def test_the_bars_may_be_at_either_end() -> None:
    policy = Policy(candidates=PAIR, simple_bar=0.0, quality_bar=1.0)
    assert (policy.simple_bar, policy.quality_bar) == (0.0, 1.0)
    assert Policy(candidates=PAIR, quality_bar=NOTHING_CLEARS).quality_bar > 1.0


def test_the_hash_is_of_the_content() -> None:
    policy = Policy(candidates=PAIR, budget=Budget(limit_pico=5))
    assert policy.content_hash == Policy(candidates=PAIR, budget=Budget(limit_pico=5)).content_hash
    assert policy.content_hash != Policy(candidates=PAIR, budget=Budget(limit_pico=6)).content_hash


def test_a_stored_policy_with_an_unknown_rule_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `quality`"):
        msgspec.json.decode(b'{"candidates": [{"model": "a", "rank": 0}], "quality": 1}', type=Policy)


@given(policies())
def test_a_policy_survives_storage(policy: Policy) -> None:
    assert msgspec.json.decode(msgspec.json.encode(policy), type=Policy) == policy


def test_reasons_are_a_closed_list() -> None:
    # Ledgers, headers and dashboards hold these words: a change here is a change of their format.
    assert [reason.value for reason in Reason] == [
        "pinned",
        "hard_stay",
        "budget_cheapest",
        "verdict_not_needed",
        "cheapest_clears_bar",
        "cheapest_below_bar",
        "no_verdict",
        "classifier_timeout",
        "classifier_error",
        "classifier_unparsed",
        "unlike_calibration",
        "spend_bound",
        "failover",
        "no_eligible_candidate",
        "pin_ineligible",
        "hard_stay_ineligible",
        "failover_unsafe",
        "budget_spent",
    ]
