from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from turnout.core.calls import BreakerRules, CallRules


def test_the_defaults_fail_over_within_half_a_second() -> None:
    assert CallRules().failover_after_s <= 0.5


@pytest.mark.parametrize(
    ("rules", "name", "value"),
    [
        (CallRules, "deadline_s", 0),
        (CallRules, "deadline_s", math.inf),
        (CallRules, "stall_s", -1.0),
        (CallRules, "attempts_per_model", 0),
        (CallRules, "base_backoff_s", -0.1),
        (CallRules, "max_backoff_s", math.nan),
        (CallRules, "failover_after_s", -1),
        (BreakerRules, "consecutive_failures", 0),
        (BreakerRules, "minimum_calls", 0),
        (BreakerRules, "window_s", 0.0),
        (BreakerRules, "open_s", math.nan),
        (BreakerRules, "probes", 0),
        (BreakerRules, "error_rate", 0.0),
        (BreakerRules, "error_rate", 1.1),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(rules: type[msgspec.Struct], name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        rules(**{name: value})


def test_no_wait_at_all_may_be_asked_for() -> None:
    assert CallRules(base_backoff_s=0, max_backoff_s=0, failover_after_s=0).base_backoff_s == 0
