"""Bills are worked out by hand: 1,000 tokens a block; input $1 and $3 a million, output 5 times, read a tenth."""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal

import msgspec
import pytest

from tests.evaluate.replay.traces import CAPABLE, arrivals, call, mooncake, real, small, tau_bench, without_floors
from turnout.config import load_catalog
from turnout.config.pairs import PAIR_4
from turnout.core.cache import Ttl
from turnout.core.horizon import Horizon
from turnout.core.verdict import Verdict
from turnout.evaluate.replay.arrivals import Arrival
from turnout.evaluate.replay.compared import policies_for, policy_named
from turnout.evaluate.replay.conditions import conditions
from turnout.evaluate.replay.engine import FITTED_MS, replay
from turnout.evaluate.replay.outcome import Outcome
from turnout.evaluate.replay.policies import Always, Choice, CorePolicy
from turnout.evaluate.replay.provider import Mark
from turnout.evaluate.replay.verdicts import Difficulty, Verdicts, draw

CALLS = arrivals(call("ab", 0), call("abcd", 60), call("xy", 1801, session="other"))
SHARES = (True, False, True)


def verdicts(simple: tuple[bool, ...] = SHARES) -> Verdicts:
    shown = tuple(
        Verdict(classifier="test", label="simple" if one else "complex", p_simple=float(one)) for one in simple
    )
    return Verdicts(shown=shown, simple=simple, name="test")


def played(name: str, simple: tuple[bool, ...] = SHARES) -> Outcome:
    held = small()
    given = verdicts(simple)
    return replay(CALLS, given, policy_named(name, CALLS, given, held), held)


def test_all_capable_with_caching() -> None:
    outcome = played("capable")
    # Writes 2,000, reads 2,000 and writes 2,000, then 2,000 anew: 6,000 · 3.75 + 2,000 · 0.3 + 300 · 15 millionths.
    assert outcome.whole.usd == Decimal("0.0276")
    assert (outcome.fitted.calls, outcome.rest.calls) == (2, 1)
    assert outcome.rest.usd == Decimal("0.009")
    assert outcome.whole.hit_share == 2000 / 8000
    assert outcome.whole.switches == 0


def test_never_caching() -> None:
    # 8,000 · 3 + 300 · 15 millionths.
    assert played("capable-never").whole.usd == Decimal("0.0285")


def test_naive_pays_each_model_its_own_write() -> None:
    outcome = played("naive")
    # Cheap: 2,000 + 2,000 written at 1.25 and 200 out at 5; capable: 4,000 written at 3.75 and 100 out at 15.
    assert outcome.whole.usd == Decimal("0.0225")
    assert (outcome.whole.switches, outcome.whole.cheap_calls, outcome.whole.read_tokens) == (1, 2, 0)
    assert outcome.whole.below_bar == 0


def test_a_wrong_verdict_is_counted_below_the_bar() -> None:
    held = small()
    given = msgspec.structs.replace(verdicts(), simple=(False, False, True))
    outcome = replay(CALLS, given, policy_named("naive", CALLS, given, held), held)
    assert outcome.whole.below_bar == 1


def test_the_first_half_hour_is_told_apart() -> None:
    assert FITTED_MS == 1_800_000
    assert played("capable").fitted.calls == 2


def test_every_policy_serves_every_call_and_none_switches_unsafely() -> None:
    loaded, calls = tau_bench()
    held = conditions(load_catalog(), PAIR_4, "entries")
    given = draw(loaded.requests, Difficulty(share=0.5, seed=2))
    for name in policies_for("entries"):
        outcome = replay(calls, given, policy_named(name, calls, given, held), held)
        assert outcome.whole.calls == len(calls)
        assert outcome.whole.unsafe_switches == 0
        assert outcome.whole.below_bar == 0
        assert outcome.whole.output_tokens == sum(request.output_tokens for request in loaded.requests)


def test_an_unsafe_switch_is_counted() -> None:
    loop = msgspec.structs.replace(call("abc", 1), in_tool_loop=True)
    calls = arrivals(call("ab", 0), loop)
    held = small()

    class Reckless(CorePolicy):
        """Leaves a loop for the cheap model."""

        def choose(self, arrival: Arrival, verdict: Verdict) -> Choice:
            return self.decide(arrival, verdict, (), Horizon(), pin=held.cheap if arrival.index else held.capable)

    given = verdicts((True, True))
    assert replay(calls, given, Reckless("reckless", held, Always(CAPABLE)), held).whole.unsafe_switches == 1


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_cache_hits_of_the_all_capable_run_are_those_that_can_be_counted(ttl: Ttl) -> None:
    """Before floors: a prefix counts as hit if its last block was sent within the TTL; whole blocks, by hand."""

    class AllFor(CorePolicy):
        def decide(
            self, arrival: Arrival, verdict: Verdict, marks: object, horizon: Horizon, *, pin: str | None
        ) -> Choice:
            whole: tuple[Mark, ...] = ((arrival.request.whole, ttl),) if arrival.request.whole >= 0 else ()
            return super().decide(arrival, verdict, whole, horizon, pin=pin)

    loaded, calls = mooncake()
    held = without_floors(real())
    given = draw(loaded.requests, Difficulty(share=0.0))
    outcome = replay(calls, given, AllFor("all", held, Always(held.capable)), held)

    last_ms: OrderedDict[str, int] = OrderedDict()
    hits = tokens = 0
    for request in loaded.requests:
        blocks = [segment.prefix_hash for segment in request.segments[: request.whole + 1]]
        known = 0
        for name in blocks:
            if name not in last_ms or request.at_ms - last_ms[name] >= {"5m": 300_000, "1h": 3_600_000}[ttl]:
                break
            known += 1
        hits += 512 * known
        tokens += request.tokens
        last_ms.update(dict.fromkeys(blocks, request.at_ms))
    assert outcome.whole.read_tokens == hits > 0
    assert outcome.whole.prompt_tokens == tokens
