"""The sums of the spend bound, by hand."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.core.catalog import Model
from turnout.core.cost import cost_of
from turnout.core.price import Price, PriceTier, flat_price
from turnout.core.spend_bound import (
    BoundAccount,
    BoundView,
    SpendBound,
    may_leave,
    worst_try_pico,
    worst_turn_pico,
)
from turnout.core.usage import Usage

MODEL = Model(
    id="lab/cheap",
    provider="lab",
    model_id="cheap",
    name="cheap",
    price=flat_price("1", "5", cache_read="0.1", cache_write_5m="1.25", cache_write_1h="2"),
    context_window=10_000,
)


def test_the_right_side_is_rounded_down() -> None:
    bound = SpendBound(epsilon=0.05, kappa_pico=7)
    assert [bound.allowed_pico(spent) for spent in (0, 19, 20, 100)] == [7, 26, 28, 112]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"epsilon": -0.1}, "epsilon must be a share of 0 or more, got -0.1"),
        ({"epsilon": float("inf")}, "epsilon must be a share of 0 or more, got inf"),
        ({"epsilon": float("nan")}, "epsilon must be a share of 0 or more, got nan"),
        ({"kappa_pico": -1}, "kappa_pico must be 0 or more, got -1"),
        ({"call_limit": 0}, "call_limit must be 1 or more, got 0"),
        ({"growth_limit_tokens": -1}, "growth_limit_tokens must be 0 or more, got -1"),
    ],
)
def test_figures_out_of_range_are_refused(parts: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        msgspec.convert(parts, SpendBound)


class TestWorstCases:
    def test_a_turn_charges_every_call_at_its_dearest(self) -> None:
        # 1,000 and 1,200 tokens written for an hour, and 100 tokens of output twice, in pico-USD.
        worst = worst_turn_pico(MODEL, 1_000, 100, calls=2, growth_tokens=200)
        assert worst == 2_200 * 2_000_000 + 2 * 100 * 5_000_000

    @pytest.mark.parametrize(
        ("asked", "own", "output"), [(None, None, 9_000), (None, 50, 50), (70, 50, 50), (30, 50, 30), (30, None, 30)]
    )
    def test_output_is_limited_by_the_caller_the_model_or_its_window(
        self, asked: int | None, own: int | None, output: int
    ) -> None:
        model = msgspec.structs.replace(MODEL, max_output_tokens=own)
        worst = worst_turn_pico(model, 1_000, asked, calls=1, growth_tokens=0)
        assert worst == 1_000 * 2_000_000 + output * 5_000_000

    def test_a_shorter_prompt_may_be_the_dearer_one(self) -> None:
        tiers = (
            PriceTier(input=Decimal(9), output=Decimal(0)),
            PriceTier(input=Decimal(1), output=Decimal(0), above_prompt_tokens=500),
        )
        model = msgspec.structs.replace(MODEL, price=Price(tiers))
        assert worst_turn_pico(model, 1_000, 10, calls=1, growth_tokens=0) == 1_000 * 9_000_000
        assert worst_try_pico(model, 1_000) == 1_000 * 9_000_000

    def test_a_failed_try_is_its_prompt(self) -> None:
        assert worst_try_pico(MODEL, 1_000) == 1_000 * 2_000_000
        assert worst_try_pico(MODEL, 0) == 0

    @given(
        st.integers(0, 5_000), st.integers(0, 5_000), st.integers(0, 5_000), st.integers(0, 500), st.integers(0, 1_000)
    )
    def test_no_call_within_the_limits_costs_more(
        self, fresh: int, read: int, written: int, written_1h: int, output: int
    ) -> None:
        usage = Usage(
            input_tokens=fresh,
            cache_read_tokens=read,
            cache_write_5m_tokens=written,
            cache_write_1h_tokens=written_1h,
            output_tokens=output,
        )
        worst = worst_turn_pico(MODEL, usage.prompt_tokens, 1_000, calls=1, growth_tokens=0)
        assert cost_of(usage, MODEL.price).total_pico <= worst


class TestMayLeave:
    def view(self, **parts: int | None) -> BoundView:
        return msgspec.convert({"reference": "lab/capable", "slack_pico": 10, "classify_pico": 2, **parts}, BoundView)

    def test_the_worst_case_must_fit(self) -> None:
        assert may_leave(self.view(), MODEL, 10, 0, to_classify=False)
        assert not may_leave(self.view(), MODEL, 11, 0, to_classify=False)

    def test_the_classifier_is_paid_first(self) -> None:
        assert may_leave(self.view(), MODEL, 8, 0, to_classify=True)
        assert not may_leave(self.view(), MODEL, 9, 0, to_classify=True)

    def test_the_debt_counts_and_a_failed_try_must_fit_without_it(self) -> None:
        assert not may_leave(self.view(leave_pico=3), MODEL, 8, 0, to_classify=False)
        assert may_leave(self.view(leave_pico=-3), MODEL, 13, 10, to_classify=False)
        assert not may_leave(self.view(leave_pico=-3), MODEL, 13, 11, to_classify=False)

    def test_the_reference_always_may_serve_and_nobody_else_where_leaving_is_barred(self) -> None:
        barred = self.view(leave_pico=None, slack_pico=-5)
        assert not may_leave(barred, MODEL, 0, 0, to_classify=False)
        reference = msgspec.structs.replace(MODEL, id="lab/capable")
        assert may_leave(barred, reference, 100, 100, to_classify=True)


class TestAccount:
    BOUND = SpendBound(epsilon=0.1, kappa_pico=50)

    def test_the_sums_move_and_the_slack_is_what_is_left(self) -> None:
        account = BoundAccount().moved(self.BOUND, spent=20, reference=100, debt=30, reserved=5)
        assert account.slack_pico(self.BOUND) == 100 + 10 + 50 - 20 - 30 - 5
        assert account.moved(self.BOUND, spent=-20, reference=-100, debt=-30, reserved=-5) == BoundAccount()

    def test_what_would_break_the_claim_is_counted_apart(self) -> None:
        account = BoundAccount().moved(self.BOUND, spent=70)
        assert (account.spent_pico, account.overrun_pico, account.slack_pico(self.BOUND)) == (50, 20, 0)
        account = account.moved(self.BOUND, debt=8, cause="unmarked")
        assert (account.spent_pico, account.debt_pico, account.unmarked_pico) == (42, 8, 8)
        assert account.total_pico == 70

    def test_what_is_outside_the_claim_does_not_touch_it(self) -> None:
        account = BoundAccount().apart("evicted", 3).apart("failed", 4).apart("outside", 5)
        assert (account.evicted_pico, account.failed_pico, account.outside_pico) == (3, 4, 5)
        assert (account.apart_pico, account.total_pico, account.spent_pico) == (12, 12, 0)

    @given(st.lists(st.tuples(*[st.integers(-50, 200)] * 4)))
    def test_the_sum_holds_after_every_move_and_no_money_is_lost(self, moves: list[tuple[int, int, int, int]]) -> None:
        account, paid = BoundAccount(), 0
        for spent, reference, debt, reserved in moves:
            reference = max(reference, -account.reference_pico)
            account = account.moved(self.BOUND, spent=spent, reference=reference, debt=debt, reserved=reserved)
            paid += spent
            assert account.slack_pico(self.BOUND) >= 0
            assert account.total_pico == paid
