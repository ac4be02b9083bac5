from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.doors.gateway.access.budgets import Account, Period, PeriodOf, day_of, month_of


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("at", "start", "end"),
    [
        ("2026-11-23T09:15:00", "2026-11-01", "2026-12-01"),
        ("2026-12-31T23:59:59.999", "2026-12-01", "2027-01-01"),
        ("2028-02-29T12:00:00", "2028-02-01", "2028-03-01"),
        ("2027-01-01T00:00:00", "2027-01-01", "2027-02-01"),
    ],
)
def test_months_are_those_of_the_calendar(at: str, start: str, end: str) -> None:
    assert month_of(ms(at)) == Period(ms(start), ms(end))


def test_days_begin_at_midnight_utc() -> None:
    assert day_of(ms("2026-11-23T23:59:59.999")) == Period(ms("2026-11-23"), ms("2026-11-24"))
    assert day_of(ms("2026-11-24")) == Period(ms("2026-11-24"), ms("2026-11-25"))


@given(st.integers(0, 2**42), st.sampled_from([day_of, month_of]))
def test_periods_follow_each_other_without_gaps(at_ms: int, period_of: PeriodOf) -> None:
    period = period_of(at_ms)
    assert period.start_ms <= at_ms < period.end_ms
    assert period_of(period.start_ms) == period_of(period.end_ms - 1) == period
    assert period_of(period.end_ms).start_ms == period.end_ms


def test_a_new_period_begins_with_nothing() -> None:
    account = Account(day_of, ms("2026-11-23T10:00"), 70)
    account.spend(5, ms("2026-11-23T11:00"))
    account.reserve(20)
    assert (account.spent_pico, account.reserved_pico) == (75, 20)
    account.move(ms("2026-11-23T23:59:59.999"))
    assert (account.spent_pico, account.reserved_pico) == (75, 20)
    account.move(ms("2026-11-24"))
    assert (account.spent_pico, account.reserved_pico) == (0, 0)
    account.move(ms("2026-11-23"))  # a clock that was set back
    assert account.period == day_of(ms("2026-11-24"))


def test_what_was_spent_or_set_aside_yesterday_is_yesterdays() -> None:
    account = Account(day_of, ms("2026-11-23T23:59"))
    yesterday = account.reserve(20)
    account.spend(1, ms("2026-11-24T00:01"))
    today = account.reserve(3)
    account.spend(50, ms("2026-11-23T23:59:30"))
    account.release(20, yesterday)
    assert (account.spent_pico, account.reserved_pico) == (1, 3)
    account.release(3, today)
    assert account.reserved_pico == 0
