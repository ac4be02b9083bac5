"""How much a key may do: requests and tokens a minute, requests at once, money a day and a month.

State in memory and time as an argument; nothing here reads a clock. A request goes through it so::

    ticket = limits.admit(key, now_ms)             # requests a minute and at once; is the budget spent?
    refused = ticket.count(prompt_tokens, now_ms)  # tokens a minute, once the prompt is known
    refused = ticket.reserve(high_pico, now_ms)    # before each call: the most that it can cost
    ...                                            # the call's event reaches `Limits.record`
    ticket.close(now_ms)                           # always, however the request ended

**Money is reserved before it is spent**: a call is made only if the most that it can cost fits into what is neither
spent nor reserved, and an event is booked with the most that its call can have cost. So a budget is never exceeded by
calls that reserved enough. The price is that a key is refused early: near the end of its budget a request is that may
cost more than is left, though it hardly ever would. What remains as slack: calls of a classifier, which are booked but
not reserved; a call that is reserved before midnight and begins after it, which counts for the new day unasked; and
after the process was killed, the calls that were under way and those of its last 200 ms, which the ledger does not
have.

**Tokens are taken when the prompt is counted and put right when the call's event tells how many they were**, answer
included; a bucket may be overdrawn by what calls under way turn out to be longer, and what is overdrawn is filled up
before anything is let in. Cached tokens count like others.

A request that was let in counts, whatever becomes of it; one that was refused does not.

The clock must be one that is never set back, such as the epoch's time at the start plus `time.monotonic`, and the same
one that the events' times come from (the router's ``clock``): what is booked for a day that is over no longer counts.

Memory: one record a key that has been used, of a fixed size, until `forget`. Known limitation: each process has limits
of its own.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from decimal import Decimal

from turnout.core.cost import pico_to_usd, usd_to_pico
from turnout.doors.gateway.access.buckets import MINUTE_MS, Bucket
from turnout.doors.gateway.access.budgets import Account, day_of, month_of
from turnout.doors.gateway.access.denial import Denial
from turnout.doors.gateway.access.keys import Key, KeyRules
from turnout.doors.gateway.access.spending import Spent, charge_pico
from turnout.trace.events import CallEvent, Event

_BUSY_S = 1.0
"""When to ask again where it is not known when a request that is under way will end."""


class Limits:
    """What every key has used; one for a server, in one thread.

    It is a place where events go (`turnout.trace.events.Records`): each call of a key is booked by its event, answers,
    failed attempts and classifiers alike.

    Args:
        spent: What keys had spent when the server started (`turnout.doors.gateway.access.spending.spent_by_key`).
        now_ms: The time, in milliseconds since the epoch.
    """

    def __init__(self, spent: Mapping[str, Spent] | None = None, now_ms: int = 0) -> None:
        self._use = {key_id: _Use(now_ms, one) for key_id, one in (spent or {}).items()}

    def __len__(self) -> int:
        return len(self._use)

    def admit(self, key: Key, now_ms: int) -> Ticket | Denial:
        """Let a request in, or say why not; then nothing was changed.

        Args:
            key: Whose request it is; for `ANYBODY` everything is let in.
            now_ms: Milliseconds since the epoch.
        """
        use = self._use.get(key.id)
        if use is None:
            use = self._use[key.id] = _Use(now_ms, Spent(0, 0))
        use.follow(key.rules, now_ms)
        denial = use.deny_money(0, now_ms) or use.deny_request(now_ms)
        if denial is not None:
            return denial
        use.running += 1
        if use.requests is not None:
            use.requests.take(1, now_ms)
        return Ticket(use)

    def record(self, event: Event) -> None:
        """Book what a call of a key has used."""
        if not isinstance(event, CallEvent):
            return
        use = self._use.get(event.key_id)
        if use is None:
            return
        pico = charge_pico(event)
        use.day.spend(pico, event.started_ms)
        use.month.spend(pico, event.started_ms)
        if event.role == "answer":  # what a classifier reads is not the client's
            use.owed_tokens += event.usage.prompt_tokens + event.usage.output_tokens

    def spent(self, key_id: str, now_ms: int) -> Spent:
        """What a key has spent in the current day and month."""
        use = self._use.get(key_id)
        if use is None:
            return Spent(0, 0)
        use.move(now_ms)
        return Spent(use.day.spent_pico, use.month.spent_pico)

    def adopt(self, spent: Mapping[str, Spent], now_ms: int) -> None:
        """Count what keys have spent by the ledger where that is more, since other processes serve them too.

        Args:
            spent: What each key has spent in the current day and month.
            now_ms: The time when that was read.
        """
        for key_id, found in spent.items():
            use = self._use.get(key_id)
            if use is None:
                self._use[key_id] = _Use(now_ms, found)
                continue
            use.move(now_ms)
            for account, pico in ((use.day, found.day_pico), (use.month, found.month_pico)):
                # What was read just before midnight says nothing of the day that has begun.
                if account.period.start_ms <= now_ms:
                    account.spent_pico = max(account.spent_pico, pico)

    def forget(self, known: Collection[str]) -> None:
        """Drop what is kept for keys that are no longer there and have no request under way."""
        for key_id in [one for one, use in self._use.items() if one not in known and not use.running]:
            del self._use[key_id]


class Ticket:
    """A request that was let in; whoever has it must close it."""

    __slots__ = ("_money", "_open", "_tokens", "_use")

    def __init__(self, use: _Use) -> None:
        self._use = use
        self._open = True
        self._tokens = 0
        self._money: tuple[int, int, int] | None = None

    def count(self, tokens: int, now_ms: int) -> Denial | None:
        """Take the tokens that the request is expected to need at least; none: it may go on.

        Args:
            tokens: The tokens of its prompt.
            now_ms: Milliseconds since the epoch.
        """
        self._check_open()
        bucket = self._use.settled(now_ms)
        if bucket is None:
            return None
        wait_ms = bucket.wait_ms(tokens, now_ms)
        if wait_ms:
            return _limited("tokens_per_minute", f"{bucket.limit:,} tokens a minute", wait_ms)
        bucket.take(tokens, now_ms)
        self._tokens += tokens
        return None

    def reserve(self, high_pico: int, now_ms: int) -> Denial | None:
        """Set aside the most that the next call can cost, in the place of what was set aside for the one before.

        The event of the call before must have been recorded. None: the call may be made.

        Args:
            high_pico: Pico-USD.
            now_ms: Milliseconds since the epoch.
        """
        self._check_open()
        use = self._use
        self._release()
        denial = use.deny_money(high_pico, now_ms)
        if denial is None:
            self._money = high_pico, use.day.reserve(high_pico), use.month.reserve(high_pico)
        return denial

    def close(self, now_ms: int) -> None:
        """The request has ended, and the events of its calls were recorded; a second time does nothing."""
        if not self._open:
            return
        self._open = False
        self._release()
        self._use.running -= 1
        bucket = self._use.settled(now_ms)
        if bucket is not None:
            # What its calls really used was taken by their events.
            bucket.give(self._tokens, now_ms)

    def _check_open(self) -> None:
        if not self._open:
            raise ValueError("the request has ended: its ticket is closed")

    def _release(self) -> None:
        if self._money is not None:
            pico, day, month = self._money
            self._use.day.release(pico, day)
            self._use.month.release(pico, month)
            self._money = None


class _Use:
    """What one key has used."""

    __slots__ = ("budgets", "day", "month", "owed_tokens", "requests", "rules", "running", "tokens")

    def __init__(self, now_ms: int, spent: Spent) -> None:
        self.rules = KeyRules()
        self.running = 0
        self.owed_tokens = 0
        self.requests: Bucket | None = None
        self.tokens: Bucket | None = None
        self.day = Account(day_of, now_ms, spent.day_pico)
        self.month = Account(month_of, now_ms, spent.month_pico)
        self.budgets: tuple[tuple[str, Account, int], ...] = ()

    def follow(self, rules: KeyRules, now_ms: int) -> None:
        """Let rules hold from now on; what was used stays used."""
        self.move(now_ms)
        if rules is self.rules:
            return
        self.rules = rules
        self.requests = _resized(self.requests, rules.requests_per_minute, now_ms)
        self.tokens = _resized(self.tokens, rules.tokens_per_minute, now_ms)
        self.budgets = tuple(
            (name, account, usd_to_pico(usd))
            for name, account, usd in (
                ("day", self.day, rules.budget_day_usd),
                ("month", self.month, rules.budget_month_usd),
            )
            if usd is not None
        )

    def settled(self, now_ms: int) -> Bucket | None:
        """The bucket of tokens, with those taken that events have told of since the last time."""
        owed, self.owed_tokens = self.owed_tokens, 0
        if self.tokens is not None and owed:
            self.tokens.take(owed, now_ms)
        return self.tokens

    def move(self, now_ms: int) -> None:
        self.day.move(now_ms)
        self.month.move(now_ms)

    def deny_request(self, now_ms: int) -> Denial | None:
        """Why one more request may not come now."""
        most = self.rules.concurrent_requests
        if most is not None and self.running >= most:
            return _limited("concurrent_requests", f"{most:,} requests at once", int(_BUSY_S * 1000))
        wait_ms = self.requests.wait_ms(1, now_ms) if self.requests is not None else 0
        if wait_ms and self.requests is not None:
            return _limited("requests_per_minute", f"{self.requests.limit:,} requests a minute", wait_ms)
        return None

    def deny_money(self, high_pico: int, now_ms: int) -> Denial | None:
        """Why what may cost so much may not be spent now; with 0, whether nothing at all is left."""
        if not self.budgets:
            return None
        self.move(now_ms)
        # The month first: where both are spent, its end is what matters.
        for name, account, limit_pico in reversed(self.budgets):
            left_pico = limit_pico - account.spent_pico
            if high_pico > limit_pico:
                return Denial(
                    status=403,
                    code="over_budget",
                    message=f"the request can cost up to {_usd(high_pico)} USD, more than the key's whole budget of "
                    f"{_usd(limit_pico)} USD a {name}: ask for fewer output tokens",
                )
            if left_pico <= 0 or high_pico > left_pico:
                cost = f", and the request can cost up to {_usd(high_pico)} USD" if left_pico > 0 else ""
                return Denial(
                    status=429,
                    code="budget_spent",
                    message=f"of the key's budget of {_usd(limit_pico)} USD a {name}, {_usd(max(0, left_pico))} USD "
                    f"are left{cost}; the next {name} begins in {_span(account.period.end_ms - now_ms)}",
                    retry_after_s=_seconds(account.period.end_ms - now_ms),
                )
            if high_pico > left_pico - account.reserved_pico:
                return Denial(
                    status=429,
                    code="budget_reserved",
                    message=f"what is left of the key's budget of {_usd(limit_pico)} USD a {name} is set aside for "
                    f"requests that are under way, and the request can cost up to {_usd(high_pico)} USD",
                    retry_after_s=_BUSY_S,
                )
        return None


def _resized(bucket: Bucket | None, limit: int | None, now_ms: int) -> Bucket | None:
    if limit is None:
        return None
    if bucket is None:
        return Bucket(limit, now_ms)
    bucket.resize(limit, now_ms)
    return bucket


def _limited(code: str, limit: str, wait_ms: int) -> Denial:
    return Denial(
        status=429,
        code=code,
        message=f"the key's limit of {limit} is reached: ask again in {_span(wait_ms)}",
        retry_after_s=_seconds(wait_ms),
    )


def _seconds(ms: int) -> float:
    return ms / 1000


def _span(ms: int) -> str:
    """How long, for people; never less than it is."""
    if ms < 120_000:
        return f"{math.ceil(ms / 1000)} s"
    return f"{math.ceil(ms / MINUTE_MS)} min" if ms < 7_200_000 else f"{math.ceil(ms / 3_600_000)} h"


def _usd(pico: int) -> str:
    """An amount, rounded to a hundredth of a cent where it is finer."""
    amount: Decimal = pico_to_usd(pico)
    return f"{amount.quantize(Decimal('0.0001')).normalize():f}" if pico >= 10**8 else f"{amount.normalize():f}"
