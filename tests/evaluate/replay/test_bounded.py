"""The spend bound on samples of real traces and on small ones, against the simulated provider's bills."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tests.evaluate.replay.traces import CAPABLE, arrivals, call, mooncake, real, small, tau_bench
from turnout.config import load_catalog
from turnout.config.pairs import PAIR_4
from turnout.core.cost import usd_to_pico
from turnout.core.spend_bound import SpendBound
from turnout.core.verdict import Verdict
from turnout.evaluate.replay.bounded import Bounded, BoundOutcome
from turnout.evaluate.replay.compared import TURNOUT_POLICIES, policy_named
from turnout.evaluate.replay.conditions import Conditions, conditions
from turnout.evaluate.replay.engine import replay
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.outcome import Outcome
from turnout.evaluate.replay.verdicts import Difficulty, Verdicts, draw

AMPLE = SpendBound(epsilon=0.05, kappa_pico=10**12)
CALLS = arrivals(call("ab", 0), call("abcd", 60), call("abcdef", 90))


def bounded(name: str, bound: SpendBound | None, *simple: bool, held: Conditions | None = None) -> Outcome:
    held = held or small()
    shown = tuple(
        Verdict(classifier="test", label="simple" if one else "complex", p_simple=float(one)) for one in simple
    )
    verdicts = Verdicts(shown=shown, simple=simple, name="test")
    return replay(CALLS, verdicts, policy_named(name, CALLS, verdicts, held, bound=bound), held)


def kept(outcome: Outcome) -> BoundOutcome:
    assert outcome.bound is not None
    return outcome.bound


def test_what_the_reference_serves_costs_what_it_would_have_cost() -> None:
    outcome = bounded("user", AMPLE, False, False, False)
    one = kept(outcome)
    assert one.account.spent_pico == one.account.reference_pico == one.alone_pico == outcome.whole.cost_pico
    assert (one.account.debt_pico, one.most_debt_pico, one.account.apart_pico) == (0, 0, 0)
    assert one.held


def test_a_turn_that_was_left_is_owed_and_repaid() -> None:
    outcome = bounded("user", AMPLE, True, True, False)
    one = kept(outcome)
    # Alone: writes 2,000, reads them and writes 2,000, reads 4,000 and writes 2,000, 100 out each: at 3.75, 0.3, 15.
    assert one.alone_pico == one.account.reference_pico == usd_to_pico(Decimal("0.0288"))
    assert one.account.spent_pico == outcome.whole.cost_pico
    # 4,000 tokens were owed at 3.75 less 0.3; the last call brought them back.
    assert one.most_debt_pico == usd_to_pico(Decimal("0.0138"))
    assert one.account.debt_pico == 0


def test_without_room_the_reference_serves_all() -> None:
    outcome = bounded("user", SpendBound(epsilon=0.0, kappa_pico=0), True, True, True)
    one = kept(outcome)
    assert outcome.whole.cheap_calls == 0
    assert one.kept == 3
    assert (one.smallest_slack_pico, one.broken) == (0, 0)


def test_simple_policies_are_not_bound() -> None:
    assert bounded("naive", AMPLE, True, True, True).bound is None
    assert bounded("manage", None, True, True, True).bound is None


@pytest.mark.parametrize("name", TURNOUT_POLICIES)
@pytest.mark.parametrize("kappa", ["0.01", "1"])
def test_it_holds_on_a_sample_of_a_trace_of_blocks(name: str, kappa: str) -> None:
    _, calls = mooncake()
    held = real()
    verdicts = draw([one.request for one in calls], Difficulty())
    bound = SpendBound(epsilon=0.02, kappa_pico=usd_to_pico(Decimal(kappa)))
    outcome = replay(calls, verdicts, policy_named(name, calls, verdicts, held, bound=bound), held)
    one = kept(outcome)
    assert one.held
    assert one.account.apart_pico == 0
    # To the last pico-USD what the provider billed in the reference's own run, and in fact.
    assert one.account.reference_pico == one.alone_pico
    assert one.account.spent_pico == outcome.whole.cost_pico <= bound.allowed_pico(one.alone_pico)
    assert outcome.whole.cheap_calls > 0


@pytest.mark.parametrize("name", TURNOUT_POLICIES)
def test_it_holds_on_conversations_with_tools(name: str) -> None:
    _, calls = tau_bench()
    held = conditions(load_catalog(), PAIR_4, "entries")
    verdicts = draw([one.request for one in calls], Difficulty())
    bound = msgspec.structs.replace(AMPLE, kappa_pico=3 * 10**12)
    one = kept(replay(calls, verdicts, policy_named(name, calls, verdicts, held, bound=bound), held))
    assert one.held
    assert one.account.reference_pico == one.alone_pico


def test_early_evictions_are_counted_apart() -> None:
    one = kept(bounded("user", AMPLE, False, False, False, held=small(lost=1.0)))
    assert one.held
    assert one.account.evicted_pico > 0


def test_a_claim_that_fails_is_told() -> None:
    one = kept(bounded("user", AMPLE, True, True, True))
    assert one.held
    assert not msgspec.structs.replace(one, broken=1).held
    for cause in ("overrun_pico", "unmarked_pico"):
        account = msgspec.structs.replace(one.account, **{cause: 1})
        assert not msgspec.structs.replace(one, account=account).held


def test_bills_beyond_the_claim_break_it() -> None:
    """An account that is told nothing of a debt is found out by the bills."""
    held = small()
    policy = policy_named("user", CALLS, _complex(), held, bound=AMPLE)
    tight = policy.bounded
    assert tight is not None
    tight._alone_pico -= usd_to_pico(Decimal(1))
    outcome = replay(CALLS, _complex(), policy, held)
    assert kept(outcome).broken == 3


def test_only_the_providers_own_convention_is_bound() -> None:
    with pytest.raises(TraceError, match="in the convention 'strict' alone, not 'reference'"):
        Bounded(AMPLE, small("reference"))


def _complex() -> Verdicts:
    shown = (Verdict(classifier="test", label="complex", p_simple=0.0),) * 3
    return Verdicts(shown=shown, simple=(False,) * 3, name="test")


def test_the_reference_is_the_capable_model() -> None:
    held = small()
    policy = policy_named("manage", CALLS, _complex(), held, bound=AMPLE)
    choice = policy.choose(CALLS[0], _complex().shown[0])
    assert choice.model == CAPABLE
