"""Cache points that a decision may place, and what it makes of them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.price_table import HAIKU_4_5, IMPLICIT, SONNET_4_6
from turnout.core.cache import COLD, CacheEntry, CachePlan, CacheRules, CacheState, Marker, Prompt, Ttl, WarmPrompt
from turnout.core.catalog import Catalog
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput, Estimate
from turnout.core.horizon import GAPS_S, NO_HORIZON, Horizon, PrefixReturns, Returns
from turnout.core.managed import managed_plans
from turnout.core.policy import Candidate, Policy
from turnout.core.request import Request, Segment
from turnout.core.statistics import ModelStatistics, Statistics
from turnout.core.verdict import Verdict

NOW = 1_000_000
PROMPT = Prompt(offsets=(2_000, 5_000, 6_000), prefix_hashes=("head", "before", "all"))
RULES = CacheRules(floor_tokens=1_024, ttls=("5m", "1h"))


def returns(within_5m: float, within_1h: float | None = None) -> Returns:
    rising = [within_5m * gap / 300 for gap in GAPS_S if gap <= 300]
    return Returns((*rising, *[max(within_5m, within_1h or 0.0)] * (len(GAPS_S) - len(rising))))


def ahead(*chances: float, on: str = SONNET_4_6.id, further: float = 1.0) -> Horizon:
    prefixes = tuple(PrefixReturns(index, returns(chance)) for index, chance in enumerate(chances))
    return Horizon(prefixes=prefixes, next_on={on: 1.0}, further=further)


def warm(*hashes: str, ttl: Ttl = "5m") -> CacheState:
    return CacheState(tuple(CacheEntry(prefix_hash=one, ttl=ttl, expires_ms=NOW + 300_000) for one in hashes))


def marks(plans: tuple[CachePlan, ...]) -> list[tuple[tuple[int, Ttl], ...]]:
    assert all(plan.origin == "manage" for plan in plans)
    return [tuple((marker.segment, marker.ttl) for marker in plan.markers) for plan in plans]


def test_a_cold_prompt_may_be_written_up_to_each_prefix_for_each_time() -> None:
    assert marks(managed_plans(WarmPrompt(PROMPT, RULES, COLD, NOW), ahead(0.9, 0.5, 0.3))) == [
        (),
        ((0, "5m"),),
        ((0, "1h"),),
        ((0, "5m"), (1, "5m")),
        ((0, "1h"), (1, "5m")),
        ((0, "1h"), (1, "1h")),
        ((0, "5m"), (1, "5m"), (2, "5m")),
        ((0, "1h"), (1, "1h"), (2, "5m")),
        ((0, "1h"), (1, "1h"), (2, "1h")),
    ]


def test_to_read_without_writing_the_last_point_stands_where_the_warm_prefix_ends() -> None:
    plans = marks(managed_plans(WarmPrompt(PROMPT, RULES, warm("before"), NOW), ahead(0.9, 0.5, 0.3)))
    assert plans == [((1, "5m"),), ((2, "5m"),), ((2, "1h"),)]


def test_a_warm_prefix_out_of_reach_gets_a_point_of_its_own() -> None:
    short_sighted = msgspec.structs.replace(RULES, lookback_blocks=1)
    plans = marks(managed_plans(WarmPrompt(PROMPT, short_sighted, warm("head", ttl="1h"), NOW), ahead(0.0, 0.0, 0.9)))
    assert plans[0] == ((0, "1h"),)
    assert all(plan[0][0] == 0 for plan in plans)


def test_what_is_below_the_floor_or_not_explicit_gets_no_point() -> None:
    high = msgspec.structs.replace(RULES, floor_tokens=5_500)
    assert marks(managed_plans(WarmPrompt(PROMPT, high, COLD, NOW), ahead(0.9, 0.9, 0.9))) == [
        (),
        ((2, "5m"),),
        ((2, "1h"),),
    ]
    assert managed_plans(WarmPrompt(PROMPT, IMPLICIT.cache, COLD, NOW), ahead(0.9)) == (CachePlan(),)
    assert marks(managed_plans(WarmPrompt(PROMPT, RULES, COLD, NOW), NO_HORIZON)) == [()]


@given(
    floor=st.integers(0, 7_000),
    most=st.integers(1, 4),
    lookback=st.integers(1, 20),
    lengths=st.lists(st.integers(1, 3_000), min_size=1, max_size=8),
    data=st.data(),
)
def test_every_plan_keeps_the_rules(
    floor: int, most: int, lookback: int, lengths: list[int], data: st.DataObject
) -> None:
    ends = [sum(lengths[: index + 1]) for index in range(len(lengths))]
    prompt = Prompt(offsets=tuple(ends), prefix_hashes=tuple(map(str, range(len(ends)))))
    rules = CacheRules(floor_tokens=floor, max_markers=most, lookback_blocks=lookback, ttls=("5m", "1h"))
    state = warm(
        *data.draw(st.sets(st.sampled_from(prompt.prefix_hashes))), ttl=data.draw(st.sampled_from(("5m", "1h")))
    )
    chosen = sorted(data.draw(st.sets(st.sampled_from(range(len(ends))))))
    horizon = Horizon(prefixes=tuple(PrefixReturns(index, returns(0.5)) for index in chosen))
    for plan in managed_plans(WarmPrompt(prompt, rules, state, NOW), horizon):
        segments = [marker.segment for marker in plan.markers]
        assert segments == sorted(set(segments))
        assert len(segments) <= most
        assert all(prompt.offsets[segment] >= floor for segment in segments)
        hours = [marker.ttl == "1h" for marker in plan.markers]
        assert hours == sorted(hours, reverse=True), "TTLs must not rise"


def decided(horizon: Horizon, *, p_simple: float = 1.0, caches: dict[str, CacheState] | None = None) -> list[Estimate]:
    segments = (
        Segment(kind="system", tokens=6_000, prefix_hash="head"),
        Segment(kind="message", tokens=100, prefix_hash="all"),
    )
    given = DecisionInput(
        request=Request(session_id="s", segments=segments),
        policy=Policy(
            candidates=(Candidate(SONNET_4_6.id, 2), Candidate(HAIKU_4_5.id, 1)), markers="manage", horizon="session"
        ),
        catalog=Catalog.of([SONNET_4_6, HAIKU_4_5]),
        now_ms=NOW,
        caches=caches or {},
        statistics=Statistics({one: ModelStatistics(output_tokens=0) for one in (SONNET_4_6.id, HAIKU_4_5.id)}),
        horizon=horizon,
        verdict=Verdict(classifier="c", label="simple", p_simple=p_simple),
    )
    decision = decide(given)
    assert decision.cache_plan == decision.estimate(decision.model or "").cache_plan
    assert decide(given) == decision
    return sorted(decision.estimates, key=lambda estimate: estimate.model != decision.model)


@pytest.mark.parametrize(
    ("chance", "written", "ahead_usd_millionths"),
    [
        # Haiku 4.5: a write costs 0.25 more a token than input, a read 0.90 less: it pays from 0.2778 on.
        (0.27, 0, 0.0),
        (0.29, 6_000, 0.29 * 6_000 * 0.90),
    ],
)
def test_a_prefix_is_written_where_it_is_expected_to_pay(
    chance: float, written: int, ahead_usd_millionths: float
) -> None:
    chosen = decided(ahead(chance, on=HAIKU_4_5.id))[0]
    assert chosen.model == HAIKU_4_5.id
    assert chosen.expected is not None
    assert chosen.expected.write_tokens == written
    assert chosen.ahead_pico == pytest.approx(ahead_usd_millionths * 1_000_000)
    assert chosen.priced_pico == chosen.expected.cost_pico - chosen.ahead_pico


def test_a_warm_model_is_kept_where_its_warmth_is_worth_more_than_the_difference() -> None:
    # Cold Haiku 4.5 costs 6,100 x 1 = 6,100; warm Sonnet 4.6 costs 6,000 x 0.3 + 100 x 3 = 2,100.
    assert decided(NO_HORIZON, caches={SONNET_4_6.id: warm("head")})[0].model == SONNET_4_6.id
    nearly_gone = CacheState((CacheEntry(prefix_hash="head", ttl="5m", expires_ms=NOW + 1_000),))
    kept = decided(ahead(0.5), caches={SONNET_4_6.id: nearly_gone})[0]
    assert kept.model == SONNET_4_6.id
    assert kept.ahead_pico > 0, "a read renews what would have gone"


def test_managed_markers_need_the_horizon_of_the_session() -> None:
    with pytest.raises(ValueError, match="needs horizon 'session'"):
        Policy(candidates=(Candidate("m", 1),), markers="manage")


def test_an_ineligible_candidate_has_no_price() -> None:
    with pytest.raises(ValueError, match="not eligible"):
        _ = Estimate(model="m", rank=1, ineligible=("lacks:tools",)).priced_pico
    assert Marker(0) in CachePlan((Marker(0),), "manage").markers
