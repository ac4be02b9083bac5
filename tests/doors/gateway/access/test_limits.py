from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.doors.gateway.access.support import key
from tests.trace import samples
from turnout.core.cost import Cost, usd_to_pico
from turnout.core.usage import Usage
from turnout.doors.gateway.access.budgets import day_of, month_of
from turnout.doors.gateway.access.denial import Denial
from turnout.doors.gateway.access.keys import ANYBODY, Key
from turnout.doors.gateway.access.limits import Limits, Ticket
from turnout.doors.gateway.access.spending import Spent, spent_by_key
from turnout.trace.events import CallEvent
from turnout.trace.store.ledger import Ledger

NOW = 1_795_392_000_000 + 12 * 3_600_000
"""Noon of 2026-11-23, UTC."""
DAY = 86_400_000
USD = 10**12


def limited(**rules: Any) -> Key:
    return key(**rules).stored.public


def admitted(limits: Limits, key: Key, now_ms: int) -> Ticket:
    ticket = limits.admit(key, now_ms)
    assert isinstance(ticket, Ticket)
    return ticket


def refused(outcome: Ticket | Denial | None, code: str, retry_after_s: float | None) -> str:
    assert isinstance(outcome, Denial)
    assert (outcome.code, outcome.retry_after_s) == (code, retry_after_s)
    assert outcome.status == (403 if retry_after_s is None else 429)
    return outcome.message


def event(key: Key, pico: int, at_ms: int, *, tokens: int = 0, latency_ms: float = 0.0, **more: Any) -> CallEvent:
    return samples.call(
        key_id=key.id,
        started_ms=at_ms,
        latency_ms=latency_ms,
        cost=Cost(input_pico=pico),
        cost_high_pico=pico,
        usage=Usage(input_tokens=tokens),
        **more,
    )


def test_anybody_is_not_limited() -> None:
    limits = Limits()
    for _ in range(100):
        ticket = admitted(limits, ANYBODY, NOW)
        assert ticket.count(10**9, NOW) is None
        assert ticket.reserve(10**30, NOW) is None
        ticket.close(NOW)
    assert len(limits) == 1


def test_requests_a_minute() -> None:
    limits, ci = Limits(), limited(requests_per_minute=3)
    for _ in range(3):
        admitted(limits, ci, NOW).close(NOW)
    assert "3 requests a minute is reached: ask again in 20 s" in refused(
        limits.admit(ci, NOW), "requests_per_minute", 20.0
    )
    refused(limits.admit(ci, NOW + 19_999), "requests_per_minute", 0.001)  # what was refused did not count
    admitted(limits, ci, NOW + 20_000)
    other = limited(requests_per_minute=3)
    admitted(limits, other, NOW + 20_000)


def test_requests_at_once() -> None:
    limits, ci = Limits(), limited(concurrent_requests=2, requests_per_minute=4)
    first, second = admitted(limits, ci, NOW), admitted(limits, ci, NOW)
    for _ in range(9):
        refused(limits.admit(ci, NOW), "concurrent_requests", 1.0)
    first.close(NOW)
    first.close(NOW)  # a second time does nothing
    third = admitted(limits, ci, NOW)
    refused(limits.admit(ci, NOW), "concurrent_requests", 1.0)
    second.close(NOW)
    third.close(NOW)
    admitted(limits, ci, NOW)


def test_tokens_a_minute_are_put_right_when_the_call_has_ended() -> None:
    limits, ci = Limits(), limited(tokens_per_minute=6_000)
    ticket = admitted(limits, ci, NOW)
    assert ticket.count(4_000, NOW) is None
    other = admitted(limits, ci, NOW)
    refused(other.count(2_500, NOW), "tokens_per_minute", 5.0)
    other.close(NOW)
    limits.record(event(ci, 0, NOW, tokens=1_000))
    ticket.close(NOW)
    third = admitted(limits, ci, NOW)
    refused(third.count(5_001, NOW), "tokens_per_minute", 0.01)
    assert third.count(5_000, NOW) is None
    # It used more than was taken: the bucket is overdrawn, and filled up before anything is let in.
    limits.record(event(ci, 0, NOW, tokens=11_000))
    third.close(NOW)
    refused(admitted(limits, ci, NOW).count(1, NOW), "tokens_per_minute", 60.01)


def test_a_prompt_above_the_limit_waits_for_a_full_bucket() -> None:
    limits, ci = Limits(), limited(tokens_per_minute=600)
    ticket = admitted(limits, ci, NOW)
    assert ticket.count(2_000, NOW) is None
    limits.record(event(ci, 0, NOW, tokens=2_000))
    ticket.close(NOW)
    refused(admitted(limits, ci, NOW).count(2_000, NOW), "tokens_per_minute", 200.0)


def test_tokens_of_a_classifier_are_not_the_clients_and_its_cost_is() -> None:
    limits, ci = Limits(), limited(tokens_per_minute=600, budget_day_usd=Decimal(1))
    ticket = admitted(limits, ci, NOW)
    limits.record(event(ci, 7, NOW, tokens=600, role="classifier"))
    assert ticket.count(600, NOW) is None
    assert limits.spent(ci.id, NOW) == Spent(7, 7)


def test_tokens_are_taken_when_the_call_ended_and_not_when_it_began() -> None:
    limits, ci = Limits(), limited(tokens_per_minute=600)
    first, second = admitted(limits, ci, NOW), admitted(limits, ci, NOW)
    limits.record(event(ci, 0, NOW, tokens=600, latency_ms=60_000.0))
    first.close(NOW + 60_000)
    refused(second.count(1, NOW + 60_000), "tokens_per_minute", 0.1)


def test_tokens_of_all_calls_of_a_request_are_taken_when_they_were_used() -> None:
    limits, ci = Limits(), limited(tokens_per_minute=600)
    ticket = admitted(limits, ci, NOW)
    for _ in range(3):
        limits.record(event(ci, 0, NOW, tokens=200))
    ticket.close(NOW)
    # Half a minute later half of them is there again: they were taken at the close, not at this look.
    other = admitted(limits, ci, NOW + 30_000)
    refused(other.count(301, NOW + 30_000), "tokens_per_minute", 0.1)
    assert other.count(300, NOW + 30_000) is None


def test_output_tokens_count() -> None:
    limits, ci = Limits(), limited(tokens_per_minute=600)
    ticket = admitted(limits, ci, NOW)
    told = event(ci, 0, NOW)
    limits.record(msgspec.structs.replace(told, usage=Usage(input_tokens=1, cache_read_tokens=2, output_tokens=597)))
    assert ticket.count(0, NOW) is None
    refused(ticket.count(2, NOW), "tokens_per_minute", 0.2)


@pytest.mark.parametrize(("name", "end_ms"), [("day", day_of(NOW).end_ms), ("month", month_of(NOW).end_ms)])
def test_a_budget_that_is_spent(name: str, end_ms: int) -> None:
    limits, ci = Limits(), limited(**{f"budget_{name}_usd": Decimal("0.5")})
    ticket = admitted(limits, ci, NOW)
    assert ticket.reserve(USD // 2, NOW) is None
    limits.record(event(ci, USD // 2, NOW))
    ticket.close(NOW)
    left_s = (end_ms - NOW) / 1000
    message = refused(limits.admit(ci, NOW), "budget_spent", left_s)
    assert f"of the key's budget of 0.5 USD a {name}, 0 USD are left; the next {name} begins in" in message
    refused(limits.admit(ci, end_ms - 1), "budget_spent", 0.001)
    admitted(limits, ci, end_ms)


def test_the_month_is_told_where_both_are_spent() -> None:
    ci = limited(budget_day_usd=Decimal(1), budget_month_usd=Decimal(2))
    limits = Limits({ci.id: Spent(1 * USD, 2 * USD)}, NOW)
    refused(limits.admit(ci, NOW), "budget_spent", (month_of(NOW).end_ms - NOW) / 1000)


def test_what_a_call_may_cost_is_set_aside() -> None:
    limits, ci = Limits(), limited(budget_day_usd=Decimal(1))
    first, second = admitted(limits, ci, NOW), admitted(limits, ci, NOW)
    assert first.reserve(7 * USD // 10, NOW) is None
    assert "can cost up to 0.4 USD" in refused(second.reserve(4 * USD // 10, NOW), "budget_reserved", 1.0)
    assert second.reserve(3 * USD // 10, NOW) is None
    # The next attempt of a request takes the place of the one before.
    limits.record(event(ci, USD // 10, NOW))
    assert first.reserve(6 * USD // 10, NOW) is None
    first.close(NOW)
    third = admitted(limits, ci, NOW)
    message = refused(third.reserve(95 * USD // 100, NOW), "budget_spent", (day_of(NOW).end_ms - NOW) / 1000)
    assert "0.9 USD are left, and the request can cost up to 0.95 USD; the next day begins in 12 h" in message
    assert third.reserve(6 * USD // 10, NOW) is None
    assert "more than the key's whole budget of 1 USD a day: ask for fewer output tokens" in refused(
        third.reserve(USD + 1, NOW), "over_budget", None
    )
    # A denial lets go of what was set aside before: no call follows it.
    assert admitted(limits, ci, NOW).reserve(6 * USD // 10, NOW) is None


def test_a_closed_ticket_is_of_no_use() -> None:
    limits, ci = Limits(), limited(budget_day_usd=Decimal(1))
    ticket = admitted(limits, ci, NOW)
    ticket.close(NOW)
    with pytest.raises(ValueError, match="ticket is closed"):
        ticket.reserve(1, NOW)
    with pytest.raises(ValueError, match="ticket is closed"):
        ticket.count(1, NOW)


def test_rules_may_change_while_the_server_runs_and_what_was_spent_stays() -> None:
    limits, ci = Limits(), limited(budget_day_usd=Decimal(1), requests_per_minute=2)
    admitted(limits, ci, NOW)
    limits.record(event(ci, USD // 2, NOW))
    tighter = limited(budget_day_usd=Decimal("0.5"))
    changed = Key(id=ci.id, name=ci.name, created=ci.created, rules=tighter.rules)
    refused(limits.admit(changed, NOW), "budget_spent", (day_of(NOW).end_ms - NOW) / 1000)
    free = Key(id=ci.id, name=ci.name, created=ci.created)
    for _ in range(5):
        admitted(limits, free, NOW)


def test_events_of_nobody_and_decisions_change_nothing() -> None:
    limits, ci = Limits(), limited()
    limits.record(event(ci, 5, NOW))
    limits.record(samples.decision())
    assert len(limits) == 0
    assert limits.spent(ci.id, NOW) == Spent(0, 0)


def test_what_is_kept_is_one_record_a_key() -> None:
    limits = Limits()
    keys = [limited() for _ in range(3)]
    running = admitted(limits, keys[0], NOW)
    for number in range(600):
        admitted(limits, keys[number % 3], NOW + number).close(NOW + number)
        limits.record(event(keys[number % 3], 1, NOW + number))
    assert len(limits) == 3
    limits.forget({keys[1].id})
    assert len(limits) == 2  # one has a request under way
    running.close(NOW)
    limits.forget({keys[1].id})
    assert len(limits) == 1


def test_what_is_booked_for_a_day_that_is_over_counts_for_its_month_only() -> None:
    ci = limited(budget_day_usd=Decimal(1))
    limits = Limits({ci.id: Spent(0, 0)}, NOW)
    ticket = admitted(limits, ci, NOW + DAY)
    limits.record(event(ci, USD, NOW))
    ticket.close(NOW + DAY)
    assert limits.spent(ci.id, NOW + DAY) == Spent(0, USD)
    admitted(limits, ci, NOW + DAY)


_OPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "reserve", "call", "close", "pass"]),
        st.integers(0, 3),
        st.integers(1, 60),
    ),
    max_size=60,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ops=_OPS, day=st.integers(20, 100), month=st.integers(20, 200), most=st.integers(1, 4))
def test_no_order_of_requests_exceeds_a_budget_and_a_restart_changes_nothing(
    tmp_path: Path, ops: list[tuple[str, int, int]], day: int, month: int, most: int
) -> None:
    """Requests in any order, over days: what was spent never exceeds a budget, and the ledger tells the same sums."""
    ci = limited(budget_day_usd=Decimal(day) / USD, budget_month_usd=Decimal(month) / USD, concurrent_requests=most)
    assert ci.rules.budget_day_usd is not None
    assert usd_to_pico(ci.rules.budget_day_usd) == day
    now_ms, limits = NOW, Limits(now_ms=NOW)
    open_: list[Ticket] = []
    held: dict[int, int] = {}
    spent: list[tuple[int, int]] = []
    path = tmp_path / f"{len(list(tmp_path.glob('*.db')))}.db"
    with Ledger(path) as ledger:
        for what, which, amount in ops:
            ticket = open_[which % len(open_)] if open_ else None
            if what == "admit":
                outcome = limits.admit(ci, now_ms)
                if isinstance(outcome, Ticket):
                    open_.append(outcome)
                else:
                    assert outcome.status == 429
            elif what == "pass":
                now_ms += amount * 1_800_000
                held.clear()  # a call is made at the time that it was reserved at
            elif ticket is None:
                continue
            elif what == "reserve":
                held.pop(id(ticket), None)
                if ticket.reserve(amount, now_ms) is None:
                    held[id(ticket)] = amount
            elif what == "call" and id(ticket) in held:
                pico = min(amount, held.pop(id(ticket)))
                recorded = event(ci, pico, now_ms)
                limits.record(recorded)
                ledger.append([recorded])
                spent.append((now_ms, pico))
            elif what == "close":
                open_.remove(ticket)
                held.pop(id(ticket), None)
                ticket.close(now_ms)
            assert len(open_) <= most
            for limit, start_ms in ((day, day_of(now_ms).start_ms), (month, month_of(now_ms).start_ms)):
                assert sum(pico for at_ms, pico in spent if at_ms >= start_ms) <= limit
        again = Limits(spent_by_key(ledger, now_ms), now_ms)
        assert again.spent(ci.id, now_ms) == limits.spent(ci.id, now_ms)
    for ticket in open_:
        ticket.close(now_ms)
    for _ in range(most):
        outcome = limits.admit(ci, now_ms + 40 * DAY)
        assert isinstance(outcome, Ticket)


def test_what_the_ledger_tells_of_other_processes_counts_where_it_is_more() -> None:
    limits = Limits(now_ms=NOW)
    limits.adopt({"k": Spent(5, 9)}, NOW)
    limits.adopt({"k": Spent(3, 12)}, NOW)
    assert limits.spent("k", NOW) == Spent(5, 12)
    tomorrow_ms = NOW + 24 * 3_600_000
    assert limits.spent("k", tomorrow_ms) == Spent(0, 12)
    limits.adopt({"k": Spent(99, 99)}, NOW)  # read just before midnight
    assert limits.spent("k", tomorrow_ms) == Spent(0, 99)
