from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from tests.evaluate.plan.world import CAPABLE, CHEAP, POLICY, World, priced, side
from turnout.core.policy import Budget
from turnout.evaluate.plan.errors import PlanError
from turnout.evaluate.plan.limits import Limits, held, percent
from turnout.evaluate.plan.planning import Plan, make_plan
from turnout.evaluate.plan.quality import Quality
from turnout.evaluate.plan.sides import Side
from turnout.trace.store.ledger import Ledger


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return World(sessions=30).write(tmp_path_factory.mktemp("world") / "ledger.db")


def plan(path: Path, new: Side) -> Plan:
    with Ledger(path, create=False) as ledger:
        return make_plan(ledger, side(), new, days=30)


def kept(made: Plan, **limits: object) -> list[bool]:
    return [one.kept for one in held(made, msgspec.convert(limits, Limits))]


@pytest.mark.parametrize(("text", "share"), [("5%", "0.05"), ("0.5 %", "0.005"), ("0%", "0"), ("150%", "1.5")])
def test_a_share_is_a_number_with_a_percent_sign(text: str, share: str) -> None:
    assert percent(text) == Decimal(share)


@pytest.mark.parametrize("text", ["5", "-5%", "five%", "", "5%%", "1e3%", "nan%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="is no share: write a number and a percent sign, such as 5%"):
        percent(text)


def test_nothing_is_bound_unless_it_is_asked_for(path: Path) -> None:
    assert held(plan(path, side(catalog=priced(CHEAP, "5"))), Limits()) == ()


def test_spend_may_rise_by_so_much_and_not_more(path: Path) -> None:
    # Twice all prices: the spend doubles to the digit.
    twice = plan(path, side(catalog=priced(CHEAP, "2", priced(CAPABLE, "2"))))
    assert kept(twice, spend_increase=Decimal(1)) == [True, True]
    assert kept(twice, spend_increase=Decimal("0.999999")) == [False, True]
    assert held(twice, Limits(spend_increase=Decimal("0.05")))[0].bound == "spend increases by at most 5 %"
    assert "+100.00 %" in held(twice, Limits(spend_increase=Decimal(1)))[0].words
    same = plan(path, side())
    assert kept(same, spend_increase=Decimal(0), strict=True) == [True, True]


def test_strict_bounds_are_held_against_the_bad_ends(path: Path) -> None:
    made = plan(path, side(msgspec.structs.replace(POLICY, simple_bar=0.6)))
    old, new = made.old.tally.spend, made.new.tally.spend
    share = (Decimal(new.pico) / old.pico - 1) * Decimal("1.01")
    assert kept(made, spend_increase=share) == [True, True]
    assert kept(made, spend_increase=share, strict=True) == [False, True]


def test_a_day_may_cost_so_much(path: Path) -> None:
    made = plan(path, side())
    a_day = Decimal(made.new.tally.spend.pico).scaleb(-12) / made.window.days
    assert kept(made, spend_usd_per_day=a_day) == [True, True]
    assert kept(made, spend_usd_per_day=a_day - Decimal("1e-9")) == [False, True]


def test_quality_may_drop_by_so_much(path: Path) -> None:
    made = plan(path, side(msgspec.structs.replace(POLICY, simple_bar=0.2)))
    assert made.old.quality.value is not None
    assert made.new.quality.value is not None
    drop = Decimal(repr(round(made.old.quality.value - made.new.quality.value, 6)))
    assert drop > Decimal("0.05")
    assert kept(made, quality_drop=drop) == [True, True]
    assert kept(made, quality_drop=drop - Decimal("0.000001")) == [False, True]
    assert kept(made, quality_drop=drop, strict=True) == [False, True]


def test_quality_that_is_not_known_cannot_be_bound(path: Path) -> None:
    made = plan(path, side())
    nobody = msgspec.structs.replace(made.new, quality=Quality(source="outcomes", missing=(CAPABLE,)))
    with pytest.raises(PlanError, match=f"nobody graded {CAPABLE}"):
        held(msgspec.structs.replace(made, new=nobody), Limits(quality_drop=Decimal("0.1")))
    nothing = msgspec.structs.replace(made.new, quality=Quality(source="none"))
    with pytest.raises(PlanError, match="there are neither grades nor verdicts"):
        held(msgspec.structs.replace(made, new=nothing), Limits(quality_drop=Decimal("0.1")))


def test_who_refuses_more_breaks_every_bound(path: Path) -> None:
    made = plan(path, side(msgspec.structs.replace(POLICY, budget=Budget(limit_pico=1))))
    assert made.new.tally.refused > 0
    assert made.new.tally.spend.pico < made.old.tally.spend.pico
    assert kept(made, spend_increase=Decimal("0.1")) == [True, False]
