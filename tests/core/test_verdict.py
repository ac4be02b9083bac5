"""Verdicts say either a label or a failure, and say of quality only what was calibrated on it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from tests.core.strategies import verdicts
from turnout.core.usage import Usage
from turnout.core.verdict import ClassifierCall, Failure, Verdict

CALL = ClassifierCall(model="m", usage=Usage(input_tokens=400, output_tokens=5))


@pytest.mark.parametrize(
    "parts",
    [
        {"label": "simple", "p_simple": 0.8},
        {"label": "complex", "p_simple": 0.0},
        {"label": "simple", "basis": "outcome", "p_suffices": {"m": 1.0}},
        {"label": "simple", "basis": "outcome", "p_simple": 0.8, "p_suffices": {"m": 0.0, "n": 1.0}},
        {"failure": Failure("timeout")},
        {"failure": Failure("error", "ValueError"), "calls": (CALL,)},
        {"failure": Failure("unparsed"), "basis": "outcome"},
    ],
)
def test_a_verdict_may_be_a_label_with_its_probability_or_a_failure(parts: dict[str, Any]) -> None:
    verdict = Verdict(classifier="c", **parts)
    assert (verdict.label is None) == (verdict.failure is not None)
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({}, "either a label or a failure"),
        ({"label": "simple", "p_simple": 0.8, "failure": Failure("error")}, "either a label or a failure"),
        ({"label": "simple"}, "needs p_simple"),
        ({"label": "simple", "p_simple": 1.1}, "p_simple must be between 0 and 1, got 1.1"),
        ({"label": "simple", "p_simple": -0.1}, "p_simple must be between 0 and 1"),
        ({"label": "simple", "p_simple": float("nan")}, "p_simple must be between 0 and 1, got nan"),
        ({"failure": Failure("error"), "p_simple": 2.0}, "p_simple must be between 0 and 1"),
        ({"label": "simple", "basis": "outcome", "p_suffices": {"m": 7.0}}, "m must be between 0 and 1, got 7.0"),
        ({"label": "simple", "p_simple": 0.8, "unlikeness": -0.1}, "unlikeness must be 0 or more, got -0.1"),
        ({"label": "simple", "p_simple": 0.8, "unlikeness": float("inf")}, "unlikeness must be 0 or more, got inf"),
        ({"label": "simple", "p_simple": 0.8, "p_suffices": {"m": 1.0}}, "p_suffices needs basis 'outcome'"),
    ],
)
def test_a_verdict_that_contradicts_itself_is_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Verdict(classifier="c", **parts)


def test_a_stored_verdict_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="either a label or a failure"):
        msgspec.json.decode(b'{"classifier": "c"}', type=Verdict)


def test_two_verdicts_share_no_probabilities() -> None:
    one = Verdict(classifier="c", failure=Failure("error"))
    other = Verdict(classifier="c", failure=Failure("error"))
    one.p_suffices["m"] = 0.5
    assert other.p_suffices == {}


@given(verdicts())
def test_a_verdict_survives_storage(verdict: Verdict) -> None:
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=Verdict) == verdict
