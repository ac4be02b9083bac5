from __future__ import annotations

import json

import msgspec
import pytest

from tests.evaluate.replay.traces import CAPABLE, CHEAP, arrivals, call, small, trace
from turnout.core.spend_bound import SpendBound
from turnout.evaluate.replay.comparison import SIMULATED, Comparison, compare, to_json
from turnout.evaluate.replay.verdicts import Difficulty, draw

REQUESTS = [call("ab", 0), call("abcd", 60), call("abcdef", 120)]


def compared(share: float, *names: str, lost: float = 0.0, bound: SpendBound | None = None) -> Comparison:
    verdicts = draw(REQUESTS, Difficulty(share=share))
    held = small(lost=lost)
    return compare(trace(REQUESTS), arrivals(*REQUESTS), verdicts, held, names, bound=bound, lower=True)


def test_it_holds_an_outcome_for_each_policy() -> None:
    one = compared(0.5, "capable", "manage")
    assert [outcome.policy for outcome in one.outcomes] == ["capable", "manage"]
    assert one.outcome("sticky") is None
    assert one.names == {CHEAP: "cheap", CAPABLE: "capable"}
    assert one.lower_bound_pico is not None


def test_the_best_single_model_serves_nothing_below_the_bar() -> None:
    costs = dict.fromkeys(("capable", "capable-never", "naive", "naive-never"), 0)
    hard, easy = compared(0.5, *costs), compared(1.0, *costs)
    for one, names in ((hard, ["capable", "capable-never"]), (easy, list(costs))):
        outcomes = [one.outcome(name) for name in names]
        assert one.best_single_pico == min(outcome.whole.cost_pico for outcome in outcomes if outcome is not None)
    assert compared(0.5, "manage").best_single_pico is None


def test_json_says_what_is_simulated_and_keeps_money_exact() -> None:
    one = compared(0.5, "capable", lost=0.25)
    plain = json.loads(msgspec.json.encode(to_json(one)))
    assert plain["label"] == SIMULATED
    whole = plain["outcomes"][0]["whole"]
    assert whole["cost_usd"] == str(one.outcomes[0].whole.usd)
    assert whole["hit_share"] == pytest.approx(one.outcomes[0].whole.hit_share)
    assert any("0.25" in note for note in plain["notes"])


def test_json_says_how_the_bound_was_kept() -> None:
    bound = SpendBound(epsilon=0.05, kappa_pico=10**12)
    capable, manage = to_json(compared(0.5, "capable", "manage", bound=bound))["outcomes"]
    assert capable["bound"] is None
    assert (manage["bound"]["held"], manage["bound"]["broken"]) == (True, 0)
    assert manage["bound"]["account"]["reference_pico"] == manage["bound"]["alone_pico"] > 0
