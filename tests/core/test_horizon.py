"""What lies ahead, worked out by hand; prices are USD per million tokens, so 1 token at price 1 is 1e6 pico-USD."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.price_table import HAIKU_4_5, IMPLICIT, SONNET_4_6
from turnout.core.cache import COLD, CacheEntry, CacheState, Prompt
from turnout.core.horizon import GAPS_S, NO_HORIZON, Horizon, PrefixReturns, Returns, expected_saving_pico
from turnout.core.price import flat_price

NOW = 1_000_000
HALF_IN_5M = Returns((0.0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.8))
SURE = Returns((1.0,) * len(GAPS_S))
PROMPT = Prompt(offsets=(2_000, 6_000), prefix_hashes=("head", "all"))


def warm(*prefixes: str, seconds: int = 300, chance: float = 1.0) -> CacheState:
    return CacheState(
        tuple(
            CacheEntry(prefix_hash=prefix, ttl="5m", expires_ms=NOW + seconds * 1000, chance=chance)
            for prefix in prefixes
        )
    )


def horizon(head: Returns = SURE, whole: Returns = HALF_IN_5M, on: float = 1.0, further: float = 1.0) -> Horizon:
    return Horizon(
        prefixes=(PrefixReturns(0, head), PrefixReturns(1, whole)),
        next_on={SONNET_4_6.id: on},
        further=further,
    )


@pytest.mark.parametrize(
    ("seconds", "chance"), [(-1, 0), (0, 0), (7.5, 0), (22.5, 0.05), (30, 0.1), (210, 0.4), (3600, 0.8), (1e9, 0.8)]
)
def test_chances_are_straight_between_the_known_gaps(seconds: float, chance: float) -> None:
    assert HALF_IN_5M.within(seconds) == pytest.approx(chance)


@pytest.mark.parametrize("chances", [(), (0.1,) * 6, (0.5, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0), (-0.1,) * 7, (1.1,) * 7])
def test_chances_that_make_no_sense_are_refused(chances: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="chances"):
        Returns(chances)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"prefixes": (PrefixReturns(1, SURE), PrefixReturns(0, SURE))}, "shortest to the longest"),
        ({"prefixes": (PrefixReturns(1, SURE), PrefixReturns(1, SURE))}, "shortest to the longest"),
        ({"next_on": {"m": 1.5}}, "next_on"),
        ({"further": 0.5}, "further"),
    ],
)
def test_a_horizon_that_makes_no_sense_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Horizon(**wrong)  # type: ignore[arg-type]  # the cases are wrong on purpose


@pytest.mark.parametrize(
    ("state", "ahead", "tokens_saved"),
    [
        pytest.param(COLD, horizon(), 0, id="nothing warm saves nothing"),
        pytest.param(warm("all"), NO_HORIZON, 0, id="nothing comes back"),
        pytest.param(warm("all"), horizon(), 3_000, id="the whole comes back with a half"),
        pytest.param(warm("head"), horizon(), 2_000, id="the head surely"),
        pytest.param(warm("head", "all"), horizon(), 4_000, id="head surely, the rest with a half"),
        pytest.param(warm("all", chance=0.5), horizon(), 1_500, id="perhaps warm"),
        pytest.param(warm("all", seconds=30), horizon(), 600, id="little time left"),
        pytest.param(warm("all", seconds=0), horizon(), 0, id="expired"),
        pytest.param(warm("all"), horizon(on=0.25, further=2.0), 1_500, id="served here now and then, and again"),
        pytest.param(warm("elsewhere"), horizon(), 0, id="another prompt's prefix"),
    ],
)
def test_savings_worked_out_by_hand(state: CacheState, ahead: Horizon, tokens_saved: int) -> None:
    # Sonnet 4.6: input 3, read 0.30.
    assert expected_saving_pico(SONNET_4_6, PROMPT, state, ahead, NOW) == tokens_saved * 2_700_000


def test_what_is_below_the_floor_is_not_warm() -> None:
    ahead = Horizon(prefixes=(PrefixReturns(1, SURE),), next_on={HAIKU_4_5.id: 1.0})
    assert expected_saving_pico(HAIKU_4_5, PROMPT, warm("head"), ahead, NOW) == 0  # 2,000 of 4,096
    assert expected_saving_pico(HAIKU_4_5, PROMPT, warm("all"), ahead, NOW) == 6_000 * 900_000


@pytest.mark.parametrize(
    ("on", "further", "pico_a_token"),
    [
        # Sonnet 4.6: input 3, read 0.30, write 3.75. Reads save 2.70 a call, and one write saved is 3.45.
        pytest.param(1.0, 1.0, 2_700_000, id="one call that would not write"),
        pytest.param(1.0, 1.25, 3_375_000, id="leaving it cold is still cheaper than to write it"),
        pytest.param(1.0, 1.3, 3_450_000, id="it would be written once"),
        pytest.param(1.0, 5.0, 3_450_000, id="and only once"),
        pytest.param(0.5, 1.0, 1_350_000, id="half of the calls are served here"),
        # Of five calls in the mean, some is served here with a chance of 5 x 0.5 / (1 + 4 x 0.5).
        pytest.param(0.5, 5.0, 2_875_000, id="likely one of many is"),
    ],
)
def test_a_warm_token_saves_its_reads_or_one_write(on: float, further: float, pico_a_token: int) -> None:
    ahead = horizon(whole=SURE, on=on, further=further)
    saved = expected_saving_pico(SONNET_4_6, PROMPT, warm("all"), ahead, NOW)
    assert saved == pytest.approx(6_000 * pico_a_token, abs=1)


def test_where_writes_cost_nothing_extra_one_read_is_all_that_is_saved() -> None:
    ahead = Horizon(prefixes=(PrefixReturns(1, SURE),), next_on={IMPLICIT.id: 1.0}, further=4.0)
    tier = IMPLICIT.price.tiers[0]
    saved = expected_saving_pico(IMPLICIT, PROMPT, warm("all"), ahead, NOW)
    assert saved == 6_000 * (tier.input_pico - tier.cache_read_pico)


@given(
    on=st.floats(0.01, 1.0),
    further=st.floats(1.0, 6.0),
    input=st.integers(0, 10),
    read=st.integers(0, 10),
    write=st.integers(0, 20),
)
def test_warmth_saves_no_more_than_the_best_answer_to_finding_it_cold(
    on: float, further: float, input: int, read: int, write: int
) -> None:
    price = flat_price(str(input), "0", cache_read=str(read), cache_write_5m=str(write))
    model = msgspec.structs.replace(SONNET_4_6, price=price)
    ahead = Horizon(prefixes=(PrefixReturns(1, SURE),), next_on={model.id: on}, further=further)
    saved = expected_saving_pico(model, PROMPT, warm("all"), ahead, NOW) / 6_000 / 1_000_000
    # Counted out: with a chance of (1 - goes_on) goes_on ** (n - 1) there are n calls.
    goes_on = 1 - 1 / further
    never_written = once_written = 0.0
    for calls in range(1, 400):
        chance = (1 - goes_on) * goes_on ** (calls - 1)
        never_written += chance * calls * on * (input - read)
        once_written += chance * (1 - (1 - on) ** calls) * (write - read)
    assert saved == pytest.approx(max(0.0, min(never_written, once_written)), rel=1e-6, abs=1e-6)


@given(
    st.lists(st.floats(0, 1), min_size=7, max_size=7).map(sorted),
    st.floats(0, 4000),
    st.floats(0, 4000),
)
def test_more_time_never_makes_a_return_less_likely(chances: list[float], one: float, other: float) -> None:
    returns = Returns(tuple(chances))
    assert 0.0 <= returns.within(min(one, other)) <= returns.within(max(one, other)) + 1e-12 <= 1.0 + 1e-12


@given(
    seconds=st.integers(-10, 4000),
    more=st.integers(0, 4000),
    chance=st.floats(0.0, 1.0),
    prefixes=st.sets(st.sampled_from(["head", "all"])),
)
def test_more_warmth_never_saves_less(seconds: int, more: int, chance: float, prefixes: set[str]) -> None:
    few = expected_saving_pico(
        SONNET_4_6, PROMPT, warm(*sorted(prefixes), seconds=seconds, chance=chance), horizon(), NOW
    )
    longer = warm(*sorted(prefixes), seconds=seconds + more, chance=chance)
    assert 0 <= few <= expected_saving_pico(SONNET_4_6, PROMPT, longer, horizon(), NOW)
    assert few <= expected_saving_pico(SONNET_4_6, PROMPT, warm("head", "all", seconds=4000), horizon(), NOW)
