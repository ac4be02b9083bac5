"""Learned statistics: priors for a model that was never seen, and no values that decisions could not use."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.core.statistics import ModelStatistics, Statistics


def test_a_model_that_was_never_seen_has_the_priors() -> None:
    seen = ModelStatistics(output_tokens=120, calls=9)
    statistics = Statistics({"seen": seen})
    assert statistics.of("seen") is seen
    assert statistics.of("unseen") == ModelStatistics(
        output_tokens=300, calls_per_turn=2, growth_tokens=400, tokenizer_ratio=None, calls=0
    )


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"calls_per_turn": 0.99}, "a turn is at least one call and not endless, got calls_per_turn=0.99"),
        ({"calls_per_turn": math.inf}, "calls_per_turn=inf"),
        ({"calls_per_turn": math.nan}, "calls_per_turn=nan"),
        ({"output_tokens": -1}, "output_tokens must be a number that is not negative, got -1"),
        ({"output_tokens": math.inf}, "output_tokens"),
        ({"growth_tokens": -0.5}, "growth_tokens must be a number that is not negative, got -0.5"),
        ({"growth_tokens": math.nan}, "growth_tokens"),
        ({"tokenizer_ratio": 0.0}, "tokenizer_ratio must be positive, got 0.0"),
        ({"tokenizer_ratio": -1.3}, "tokenizer_ratio must be positive, got -1.3"),
        ({"tokenizer_ratio": math.inf}, "tokenizer_ratio"),
    ],
)
def test_values_that_decisions_cannot_use_are_refused(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelStatistics(**parts)


@given(st.floats(0, 1e6), st.floats(1, 50), st.floats(0, 1e6), st.none() | st.floats(0.1, 10))
def test_statistics_survive_storage(output: float, calls: float, growth: float, ratio: float | None) -> None:
    statistics = Statistics(
        {"m": ModelStatistics(output_tokens=output, calls_per_turn=calls, growth_tokens=growth, tokenizer_ratio=ratio)}
    )
    assert msgspec.json.decode(msgspec.json.encode(statistics), type=Statistics) == statistics
