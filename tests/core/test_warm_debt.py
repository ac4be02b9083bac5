"""What is owed, and the cache points that repay it, on small cases; the world of the keeper's tests has the others."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec
import pytest

from turnout.core.cache import CachePlan, CacheRules, CacheState, Marker, Prompt
from turnout.core.catalog import Model
from turnout.core.price import Price, PriceTier, flat_price
from turnout.core.warm_debt import (
    Call,
    Held,
    Path,
    Plans,
    can_be_restored,
    debt_pico,
    debt_prices,
    nothing_ahead,
    path_of,
    plans_for,
    recharged,
    state_of,
    step,
)

NOW = 1_000_000
FIVE = 300_000
EXPLICIT = CacheRules(ttls=("5m", "1h"))
IMPLICIT = CacheRules(mode="implicit", floor_tokens=100, step_tokens=128)
# A token that is owed costs 3.45 USD per million where it is written for 5 minutes, 5.7 where for an hour.
PRICE = flat_price("3", "15", cache_read="0.3", cache_write_5m="3.75", cache_write_1h="6")
MODEL = Model(id="lab/r", provider="lab", model_id="r", name="r", price=PRICE, context_window=10**6, cache=EXPLICIT)
# Four blocks of 1,000 tokens.
PROMPT = Prompt((1_000, 2_000, 3_000, 4_000), ("a", "b", "c", "d"))


def plan(*segments: int, origin: Literal["user", "fill"] = "fill") -> CachePlan:
    return CachePlan(tuple(Marker(segment) for segment in segments), origin)


def served(path: Path, wanted: CachePlan, now_ms: int, *, in_fact: bool, rules: CacheRules = EXPLICIT) -> Path:
    """What is held after a call with that plan: on the shadow, and in fact too where it is given to the model."""
    plans = plans_for(wanted, PROMPT, rules, path, now_ms)
    call = Call(PROMPT, plans, rules, now_ms)
    after = step(path, call, PRICE, "shadow").path
    if in_fact:
        after = step(after, call, PRICE, "fact").path
    return recharged(path, after, call)


def owed(path: Path) -> dict[str, int]:
    return {one.prefix_hash: one.owed_tokens for one in path}


class TestPrices:
    def test_a_token_is_owed_at_the_dearest_tier(self) -> None:
        assert debt_prices(MODEL) == {"5m": 3_450_000, "1h": 5_700_000}
        dearer = msgspec.structs.replace(PRICE.tiers[0], cache_write_5m=Decimal(9), above_prompt_tokens=100)
        assert debt_prices(msgspec.structs.replace(MODEL, price=Price((*PRICE.tiers, dearer))))["5m"] == 8_700_000

    def test_the_debt_is_the_sum_over_what_is_owed(self) -> None:
        path = (
            Held(prefix_hash="a", tokens=10, owed_tokens=10),
            Held(prefix_hash="b", tokens=30, ttl="1h", owed_tokens=20),
            Held(prefix_hash="c", tokens=40),
        )
        assert debt_pico(path, debt_prices(MODEL)) == 10 * 3_450_000 + 20 * 5_700_000

    @pytest.mark.parametrize(
        ("changed", "can"),
        [
            ({}, True),
            ({"cache": CacheRules(mode="none", renewed_by_read=False)}, True),
            ({"cache": IMPLICIT}, True),
            ({"cache": CacheRules(renewed_by_read=False)}, False),
            ({"cache": CacheRules(max_markers=3)}, False),
            ({"cache": CacheRules(mode="implicit", ttls=("5m", "1h"))}, False),
            ({"price": Price((PriceTier(input=Decimal(1), output=Decimal(1), cache_write_5m=Decimal("0.5")),))}, False),
        ],
    )
    def test_which_models_the_proof_covers(self, changed: dict[str, object], can: bool) -> None:
        assert can_be_restored(msgspec.structs.replace(MODEL, **changed)) is can


class TestExplicit:
    def test_what_both_served_is_not_owed(self) -> None:
        path = served((), plan(1, 3), NOW, in_fact=True)
        assert owed(path) == {"b": 0, "d": 0}
        assert state_of(path, "shadow") == state_of(path, "fact")

    def test_the_first_prefix_is_a_root_and_longer_ones_hang_on_it(self) -> None:
        path = served((), plan(0, 1, 3), NOW, in_fact=False)
        assert owed(path) == {"a": 1_000, "b": 1_000, "d": 3_000}
        assert [one.root for one in path] == ["", "a", "a"]
        assert state_of(path, "fact") == CacheState(
            tuple(msgspec.structs.replace(entry, expires_ms=0) for entry in state_of(path, "shadow").entries)
        )

    def test_a_prefix_that_fact_holds_as_long_is_not_paid_for_again(self) -> None:
        head = CachePlan((Marker(0, "1h"),), "fill")
        path = served((), head, NOW, in_fact=True)
        path = served(path, plan(0, 3), NOW + 1, in_fact=False)
        # The head's hour began anew in the shadow alone; it holds longer in fact than the end does in the shadow.
        assert owed(path) == {"a": 1_000, "d": 3_000}
        assert [one.base for one in path] == ["", "a"]

    def test_what_fact_holds_for_a_shorter_time_does_not_count(self) -> None:
        path = served((), plan(0), NOW, in_fact=True)
        path = served(path, plan(0, 3), NOW + 1, in_fact=False)
        assert owed(path) == {"a": 1_000, "d": 3_000}
        assert [(one.root, one.base) for one in path] == [("", ""), ("a", "")]

    def test_the_reference_marks_again_what_it_reads_and_its_root(self) -> None:
        path = served((), plan(0, 2), NOW, in_fact=False)
        plans = plans_for(plan(3), PROMPT, EXPLICIT, path, NOW + 1)
        assert [marker.segment for marker in plans.shadow.markers] == [2, 3]
        assert [marker.segment for marker in plans.fact.markers] == [0, 2, 3]
        path = served(path, plan(3), NOW + 1, in_fact=True)
        assert owed(path) == {"a": 0, "c": 0, "d": 0}

    def test_serving_costs_the_shadows_call_and_what_leaves_the_debt(self) -> None:
        path = served((), plan(0, 2), NOW, in_fact=False)
        call = Call(PROMPT, plans_for(plan(3), PROMPT, EXPLICIT, path, NOW + 1), EXPLICIT, NOW + 1)
        shadow = step(path, call, PRICE, "shadow")
        fact = step(shadow.path, call, PRICE, "fact")
        assert (shadow.cost_pico, fact.cost_pico) == (3_000 * 300_000 + 1_000 * 3_750_000, 4_000 * 3_750_000)
        assert fact.cost_pico - shadow.cost_pico == debt_pico(path, debt_prices(MODEL)) == 3_000 * 3_450_000

    def test_the_policys_points_inside_what_the_shadow_reads_are_left_out(self) -> None:
        # There they would write nothing in the shadow, but in fact, which has read less: it would be ahead.
        path = served((), plan(2), NOW, in_fact=False)
        plans = plans_for(plan(0, 1, 3), PROMPT, EXPLICIT, path, NOW + 1)
        assert [marker.segment for marker in plans.shadow.markers] == [2, 3]
        assert [marker.segment for marker in plans.fact.markers] == [2, 3]

    def test_only_so_many_points_stay_behind_it(self) -> None:
        path = served((), plan(0), NOW, in_fact=False)
        plans = plans_for(plan(1, 2, 3), PROMPT, EXPLICIT, path, NOW + 1, most_behind=1)
        assert [marker.segment for marker in plans.shadow.markers] == [0, 3]
        cold = plans_for(plan(3, 1, 2), PROMPT, EXPLICIT, (), NOW, most_behind=2)
        assert [marker.segment for marker in cold.fact.markers] == [2, 3]

    def test_a_root_stays_a_root_when_a_shorter_one_comes(self) -> None:
        path = served((), plan(1, 3), NOW, in_fact=False)
        short = Prompt(PROMPT.offsets[:1], PROMPT.prefix_hashes[:1])
        call = Call(short, plans_for(plan(0), short, EXPLICIT, (), NOW + 1), EXPLICIT, NOW + 1)
        path = (*recharged((), step((), call, PRICE, "shadow").path, call), *path)
        path = served(path, plan(1, 3), NOW + 2, in_fact=False)
        # d hangs on b, and b is charged as a whole: the call that brings d back marks b, and not a.
        assert owed(path) == {"a": 1_000, "b": 2_000, "d": 2_000}
        assert [one.root for one in path] == ["", "", "b"]

    def test_what_is_far_back_in_fact_gets_a_point_of_its_own(self) -> None:
        rules = msgspec.structs.replace(EXPLICIT, lookback_blocks=2)
        held = (
            Held(prefix_hash="a", tokens=1_000, shadow_ms=NOW + FIVE, fact_ms=NOW + FIVE),
            Held(prefix_hash="c", tokens=3_000, shadow_ms=NOW + FIVE, owed_tokens=2_000, base="a"),
        )
        plans = plans_for(plan(3), PROMPT, rules, held, NOW)
        assert [marker.segment for marker in plans.fact.markers] == [0, 2, 3]
        near = msgspec.structs.replace(rules, lookback_blocks=3)
        assert [marker.segment for marker in plans_for(plan(3), PROMPT, near, held, NOW).fact.markers] == [2, 3]

    def test_no_point_asks_for_longer_than_the_one_before_it(self) -> None:
        path = served((), plan(1), NOW, in_fact=False)
        plans = plans_for(CachePlan((Marker(3, "1h"),), "manage"), PROMPT, EXPLICIT, path, NOW + 1)
        assert plans.fact.markers == (Marker(1, "5m"), Marker(3, "5m"))
        assert plans.fact.origin == "manage"

    def test_a_head_that_only_branches_read_is_paid_for_once(self) -> None:
        """Each branch has its point behind the head, and reads the head by looking back."""

        def branches(origin: Literal["user", "fill"]) -> list[int]:
            path, extra = served((), plan(0, origin=origin), NOW, in_fact=False), []
            for number in range(1, 4):
                prompt = Prompt((1_000, 2_000), ("a", f"branch-{number}"))
                plans = plans_for(plan(1, origin=origin), prompt, EXPLICIT, path, NOW + number)
                call = Call(prompt, plans, EXPLICIT, NOW + number)
                shadow = step(path, call, PRICE, "shadow")
                fact = step(shadow.path, call, PRICE, "fact")
                extra.append(fact.cost_pico - shadow.cost_pico)
                path = path_of({one.prefix_hash: one for one in recharged(path, fact.path, call)}, Prompt((1,), ("a",)))
            return extra

        assert branches("fill") == [1_000 * 3_450_000, 0, 0]
        # Points that are not ours stay where they are, so the account counts what that costs apart.
        assert branches("user") == [1_000 * 3_450_000] * 3

    def test_a_shorter_ttl_never_stands_for_a_longer_one(self) -> None:
        held = (
            Held(prefix_hash="a", tokens=1_000, shadow_ms=NOW + FIVE, fact_ms=NOW + FIVE),
            Held(prefix_hash="b", tokens=2_000, ttl="1h", shadow_ms=NOW + 1),
        )
        renewed = (held[0], msgspec.structs.replace(held[1], shadow_ms=NOW + 2))
        call = Call(PROMPT, Plans(plan(1), plan(1)), EXPLICIT, NOW)
        assert owed(recharged(held, renewed, call)) == {"a": 0, "b": 2_000}
        covered = (msgspec.structs.replace(held[0], ttl="1h", fact_ttl="1h"), renewed[1])
        assert owed(recharged(held, covered, call)) == {"a": 0, "b": 1_000}

    def test_a_model_without_room_for_points_keeps_its_plan(self) -> None:
        rules = CacheRules(max_markers=1)
        path = served((), plan(0), NOW, in_fact=True, rules=rules)
        assert plans_for(plan(3), PROMPT, rules, path, NOW + 1) == Plans(plan(3), plan(3))

    def test_points_that_have_no_room_are_left_out_on_both_sides(self) -> None:
        prompt = Prompt(tuple(range(1_000, 7_000, 1_000)), tuple("abcdef"))
        held = (
            Held(prefix_hash="a", tokens=1_000, shadow_ms=NOW + FIVE, owed_tokens=1_000),
            Held(prefix_hash="b", tokens=2_000, shadow_ms=NOW + FIVE, owed_tokens=1_000, root="a"),
        )
        plans = plans_for(plan(2, 3, 4, 5), prompt, EXPLICIT, held, NOW)
        assert [marker.segment for marker in plans.fact.markers] == [0, 1, 4, 5]
        assert [marker.segment for marker in plans.shadow.markers] == [1, 4, 5]

    def test_an_expired_prefix_is_no_longer_owed(self) -> None:
        path = served((), plan(0, 3), NOW, in_fact=False)
        path = served(path, plan(), NOW + FIVE, in_fact=False)
        assert owed(path) == {"a": 0, "d": 0}

    def test_nothing_is_ahead_of_the_shadow_unless_fact_alone_wrote_it(self) -> None:
        assert nothing_ahead(served((), plan(0, 3), NOW, in_fact=True), NOW)
        ahead = Held(prefix_hash="a", tokens=1_000, shadow_ms=NOW + 5, fact_ms=NOW + 6)
        assert not nothing_ahead((ahead,), NOW)
        assert nothing_ahead((ahead,), NOW + 6)
        longer = Held(prefix_hash="a", tokens=1_000, shadow_ms=NOW + 5, fact_ms=NOW + 5, fact_ttl="1h")
        assert not nothing_ahead((longer,), NOW)


class TestEveryBlock:
    """Explicit caches as traces of prefix blocks tell them: every block up to the last point is held."""

    def served(self, path: Path, wanted: CachePlan, now_ms: int, *, in_fact: bool) -> Path:
        plans = plans_for(wanted, PROMPT, EXPLICIT, path, now_ms, every_block=True)
        call = Call(PROMPT, plans, EXPLICIT, now_ms, every_block=True)
        after = step(path, call, PRICE, "shadow").path
        if in_fact:
            after = step(after, call, PRICE, "fact").path
        return recharged(path, after, call)

    def test_a_prefix_is_charged_for_what_it_adds(self) -> None:
        path = self.served((), plan(2), NOW, in_fact=False)
        assert owed(path) == {"a": 1_000, "b": 1_000, "c": 1_000}

    def test_one_call_brings_all_of_it_back(self) -> None:
        path = self.served((), plan(2), NOW, in_fact=False)
        path = self.served(path, plan(3), NOW + 1, in_fact=True)
        assert owed(path) == {"a": 0, "b": 0, "c": 0, "d": 0}

    def test_blocks_come_back_for_the_ttl_that_they_had(self) -> None:
        head = CachePlan((Marker(1, "1h"), Marker(3, "5m")), "fill")
        path = self.served((), head, NOW, in_fact=False)
        assert [one.ttl for one in path] == ["1h", "1h", "5m", "5m"]
        plans = plans_for(plan(), PROMPT, EXPLICIT, path, NOW + 1, every_block=True)
        assert plans.fact.markers == ()
        path = self.served(path, plan(3), NOW + 1, in_fact=True)
        assert [(one.fact_ttl, one.owed_tokens) for one in path] == [("1h", 0), ("1h", 0), ("5m", 0), ("5m", 0)]


class TestImplicit:
    MODEL = msgspec.structs.replace(MODEL, cache=IMPLICIT)

    def test_a_prefix_is_charged_for_what_it_adds(self) -> None:
        path = served((), plan(), NOW, in_fact=False, rules=IMPLICIT)
        # Counted in whole steps of 128 above the floor of 100: 996, 1,892, 2,916 and 3,940.
        assert [one.tokens for one in path] == [996, 1_892, 2_916, 3_940]
        assert [one.owed_tokens for one in path] == [996, 896, 1_024, 1_024]

    def test_one_call_brings_all_of_it_back(self) -> None:
        path = served((), plan(), NOW, in_fact=False, rules=IMPLICIT)
        path = served(path, plan(), NOW + 1, in_fact=True, rules=IMPLICIT)
        assert set(owed(path).values()) == {0}

    def test_there_is_nothing_to_mark(self) -> None:
        assert plans_for(plan(1), PROMPT, IMPLICIT, (), NOW) == Plans(plan(1), plan(1))


class TestOwnPoints:
    """Cache points of the caller's, which are never touched."""

    def test_they_stay_as_they_are(self) -> None:
        mine = plan(0, 3, origin="user")
        assert plans_for(mine, PROMPT, EXPLICIT, (), NOW) == Plans(mine, mine, ours=False)

    def test_a_marked_prefix_is_charged_as_a_whole(self) -> None:
        path = served((), plan(0, 3, origin="user"), NOW, in_fact=False)
        assert owed(path) == {"a": 1_000, "d": 4_000}

    def test_what_is_left_behind_is_written_off(self) -> None:
        path = served((), plan(0, 2, origin="user"), NOW, in_fact=False)
        path = served(path, plan(0, 3, origin="user"), NOW + 1, in_fact=False)
        assert owed(path) == {"a": 1_000, "c": 0, "d": 4_000}


def test_a_path_is_what_is_held_of_a_prompt_from_the_shortest() -> None:
    held = {key: Held(prefix_hash=key, tokens=1) for key in "dxa"}
    assert [one.prefix_hash for one in path_of(held, PROMPT)] == ["a", "d"]
