"""The account of the spend bound, kept while a router works: every cost is in it once, and the claim holds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.router.test_routing import CATALOG, CHEAP, COMPLEX, HASHER, POLICY, SIMPLE, Events, Rule, route, router
from turnout.core.calls import BreakerRules, CallRules
from turnout.core.policy import Reason
from turnout.core.spend_bound import BoundAccount, SpendBound
from turnout.core.usage import Usage
from turnout.core.verdict import ClassifierCall, Verdict
from turnout.messages.conversation import Conversation
from turnout.messages.request import request_of
from turnout.router import RefusedError, Router

USD = 10**12
WIDE = SpendBound(epsilon=0.0, kappa_pico=USD)
NARROW = SpendBound(epsilon=0.0, kappa_pico=0)


class Priced(Rule):
    """A classifier that calls a model, and says what that costs at most."""

    most = Usage(input_tokens=1_000, output_tokens=10)

    def __init__(self, says: Verdict | Exception, used: Usage, *, delay_s: float = 0.0) -> None:
        super().__init__(says, delay_s=delay_s)
        self.used = used

    def most_usage(self, conversation: Conversation) -> Iterable[tuple[str, Usage]]:
        return [(CHEAP.id, self.most)]

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        verdict = await super().classify(conversation)
        call = ClassifierCall(
            model=CHEAP.id, usage=self.used, usage_source="reported", started_ms=1, latency_ms=1.0, error=None
        )
        return Verdict(classifier="rule", label=verdict.label, p_simple=verdict.p_simple, calls=(call,))


def account(made: Router) -> BoundAccount:
    assert made.spend is not None
    return made.spend.account


def billed(events: Events) -> int:
    return sum(call.cost.total_pico for call in events.calls)


async def test_without_room_the_reference_serves_and_nobody_who_costs_is_asked() -> None:
    made, _ = router(bound=NARROW)
    made.classifier = priced = Priced(SIMPLE, Usage(input_tokens=10))
    routed = await route(made)
    assert (routed.model.id, routed.decision.reason) == ("p/capable", Reason.SPEND_BOUND)
    assert priced.asked == 0
    assert routed.decision.estimate("p/cheap").expected is not None


async def test_with_room_it_is_routed_and_what_was_set_aside_is_free_again() -> None:
    made, events = router(bound=WIDE)
    made.classifier = Priced(SIMPLE, Usage(input_tokens=400, output_tokens=1))
    routed = await route(made)
    assert routed.model.id == "p/cheap"
    assert account(made).reserved_pico > 0
    call = made.begin_call(routed)
    call.usage(Usage(input_tokens=210, output_tokens=20))
    call.finish_reason("end_turn")
    call.end()
    assert account(made).reserved_pico == 0
    assert account(made).spent_pico == billed(events)
    assert account(made).apart_pico == 0
    assert account(made).reference_pico > account(made).spent_pico


async def test_a_classifier_that_is_cancelled_leaves_nothing_set_aside() -> None:
    made, _ = router(bound=WIDE)
    made.classifier = Priced(SIMPLE, Usage(), delay_s=30)
    task = asyncio.create_task(route(made))
    await asyncio.sleep(0.01)
    assert account(made).reserved_pico > 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert account(made).reserved_pico == 0


async def test_a_call_that_is_left_ends_its_turn() -> None:
    made, events = router(bound=WIDE)
    for content in (True, False):
        call = made.begin_call(await route(made))
        if content:
            call.content(10)
        call.end("cancelled")
        assert account(made).reserved_pico == 0
        assert account(made).total_pico >= billed(events)


async def test_a_retry_needs_room_too() -> None:
    made, _ = router(bound=WIDE)
    routed = await route(made)
    made.begin_call(routed).end("error", error="InternalServerException")
    assert made.retry(routed) is not None
    made, _ = router(bound=SpendBound(epsilon=0.0, kappa_pico=60_000_000_000, output_limit_tokens=8_000))
    first, second = await route(made), await route(made, "hello again")
    assert (first.model.id, second.model.id) == ("p/cheap", "p/capable")
    made.begin_call(first).end("error", error="InternalServerException")
    third = await route(made, "and once more")
    assert third.model.id == "p/cheap"
    assert made.retry(first) is None


@pytest.mark.parametrize("how", ["fails", "breaker"])
async def test_what_follows_a_failure_of_the_reference_is_counted_apart(how: str) -> None:
    breaker = BreakerRules(consecutive_failures=1, open_s=60)
    made, events = router(COMPLEX, bound=NARROW, calls=CallRules(breaker=breaker))
    routed = await route(made)
    made.begin_call(routed).failed(ConnectionError())
    following = made.failover(routed, "ConnectionError") if how == "fails" else await route(made, "next")
    assert following.model.id == "p/cheap"
    call = made.begin_call(following)
    call.usage(Usage(input_tokens=200, output_tokens=20))
    call.end()
    assert account(made).failed_pico >= events.calls[-1].cost.total_pico > 0
    assert account(made).slack_pico(NARROW) >= 0


@given(seed=st.integers(0, 2**32), kappa=st.sampled_from([0, USD // 100, USD // 10, USD]))
def test_every_cost_is_in_the_account_once_and_the_claim_holds(seed: int, kappa: int) -> None:
    asyncio.run(_work(random.Random(seed), SpendBound(epsilon=0.05, kappa_pico=kappa)))


async def _work(chance: random.Random, bound: SpendBound) -> None:
    """Turns of several calls, side by side, that answer, fail, are retried, fail over, break off or are left."""
    clock = [1_760_000_000.0]
    events = Events()
    classifier = Priced(SIMPLE, Usage(input_tokens=500, output_tokens=1))
    made = Router(POLICY, CATALOG, classifier=classifier, records=events, bound=bound, clock=lambda: clock[0])

    async def turn(number: int) -> None:
        session = f"s{number % 4}"
        opened = made.begin_turn(session)
        messages: list[Any] = [{"role": "user", "content": [{"text": f"{chance.random()} hello " * 20}]}]
        for _ in range(chance.randint(1, 3)):
            conversation = Conversation(messages=list(messages), system=[{"text": "be kind " * 100}])
            clock[0] += chance.choice([0.0, 1.0, 200.0, 400.0])
            try:
                routed = await made.route(conversation, request_of(conversation, HASHER, session_id=session), opened)
            except RefusedError:
                return
            for _ in range(3):
                call = made.begin_call(routed)
                await asyncio.sleep(0)
                how = chance.random()
                if how < 0.1:
                    call.end("cancelled")
                    return
                if how < 0.3:
                    call.end("error", error="InternalServerException")
                    again = made.retry(routed) if chance.random() < 0.5 else None
                    try:
                        routed = again or made.failover(routed, "InternalServerException")
                    except RefusedError:
                        return
                    continue
                call.content(20)
                if chance.random() < 0.9:
                    tokens = routed.given.request.prompt_for(1.0).tokens
                    call.usage(Usage(input_tokens=tokens, output_tokens=chance.randint(1, 200)))
                call.finish_reason(chance.choice(["end_turn", "tool_use"]))
                call.end()
                break
            messages += [{"role": "assistant", "content": [{"text": "yes " * 10}]}]
            messages += [{"role": "user", "content": [{"text": "more " * 10}]}]
            assert account(made).slack_pico(bound) >= 0

    for number in range(chance.randint(1, 6)):
        await asyncio.gather(*(turn(number + offset) for offset in range(chance.randint(1, 3))))
    kept = account(made)
    assert kept.slack_pico(bound) >= 0
    assert kept.total_pico >= billed(events)
    assert kept.total_pico <= sum(max(call.cost.total_pico, call.cost_high_pico or 0) for call in events.calls)


async def test_a_decision_that_is_taken_back_leaves_nothing() -> None:
    made, events = router(bound=WIDE)
    assert made.spend is not None
    first, second = await route(made), await route(made)
    made.withdraw(first)
    made.begin_call(second).end("cancelled")
    after = account(made)
    made.withdraw(await route(made))
    assert account(made) == after
    assert len(events.calls) == 1
    alone, _ = router(bound=WIDE)
    alone.begin_call(await route(alone)).end("cancelled")
    assert after == account(alone)
