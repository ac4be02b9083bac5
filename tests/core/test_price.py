"""Prices: exact to 1e-6 USD per million tokens, in tiers by the length of the whole prompt."""

from __future__ import annotations

from decimal import Decimal, localcontext

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.price_table import HAIKU_4_5, HAIKU_5_5
from tests.core.strategies import prices
from turnout.core.price import FREE, Price, PriceError, PriceTier, flat_price


def test_a_price_of_one_usd_per_million_is_a_million_pico_usd_per_token() -> None:
    # 1 USD / 1e6 tokens = 1e-6 USD a token = 1e12 / 1e6 pico-USD a token.
    assert flat_price("1", "5").tiers[0].input_pico == 1_000_000
    assert flat_price("1", "5").tiers[0].output_pico == 5_000_000


def test_each_kind_of_token_has_its_own_price() -> None:
    tier = HAIKU_4_5.price.tiers[0]
    assert tier.cache_read_pico == 100_000
    assert tier.cache_write_5m_pico == 1_250_000
    assert tier.cache_write_1h_pico == 2_000_000


def test_a_missing_cache_price_is_the_input_price() -> None:
    tier = flat_price("3", "15").tiers[0]
    assert (tier.cache_read_pico, tier.cache_write_5m_pico, tier.cache_write_1h_pico) == (3_000_000,) * 3


def test_a_missing_one_hour_price_is_the_five_minute_price() -> None:
    assert flat_price("1", "5", cache_write_5m="1.25").tiers[0].cache_write_1h_pico == 1_250_000
    assert flat_price("1", "5", cache_write_1h="2").tiers[0].cache_write_5m_pico == 1_000_000


def test_a_price_of_zero_is_not_a_missing_price() -> None:
    tier = flat_price("1", "5", cache_read="0", cache_write_5m="0").tiers[0]
    assert (tier.cache_read_pico, tier.cache_write_5m_pico) == (0, 0)


@pytest.mark.parametrize(
    ("prompt_tokens", "input_pico"),
    [(0, 100_000), (99_999, 100_000), (100_000, 100_000), (100_001, 500_000), (1_000_000, 500_000)],
)
def test_a_tier_begins_after_the_length_that_names_it(prompt_tokens: int, input_pico: int) -> None:
    assert HAIKU_5_5.price.tier_for(prompt_tokens).input_pico == input_pico


def test_the_last_tier_that_a_prompt_reaches_counts() -> None:
    tiers = tuple(
        PriceTier(input=Decimal(figure), output=Decimal(1), above_prompt_tokens=above)
        for figure, above in ((1, 0), (2, 10), (3, 20))
    )
    price = Price(tiers)
    assert [price.tier_for(tokens).input for tokens in (10, 11, 20, 21)] == [1, 2, 2, 3]


@pytest.mark.parametrize("starts", [(), (10,), (0, 0), (0, 20, 10), (10, 0)])
def test_tiers_start_at_zero_and_ascend(starts: tuple[int, ...]) -> None:
    tiers = tuple(PriceTier(input=Decimal(1), output=Decimal(1), above_prompt_tokens=start) for start in starts)
    with pytest.raises(PriceError, match="tiers must start at 0 and ascend strictly"):
        Price(tiers)


def test_a_tier_starts_at_no_negative_length() -> None:
    with pytest.raises(PriceError, match="above_prompt_tokens"):
        PriceTier(input=Decimal(1), output=Decimal(1), above_prompt_tokens=-1)


@pytest.mark.parametrize("figure", ["-0.01", "NaN", "Infinity", "-Infinity"])
def test_a_price_is_a_number_of_zero_or_more(figure: str) -> None:
    with pytest.raises(PriceError, match="output must be a price of 0 or more"):
        flat_price("1", figure)


@pytest.mark.parametrize("figure", ["0.0000001", "1.0000005", "0.3333333333333333333333333333333333333333"])
def test_a_price_that_cannot_be_kept_exactly_is_refused(figure: str) -> None:
    with pytest.raises(PriceError, match=r"cache_read is finer than 0\.000001 USD per million tokens"):
        flat_price("1", "5", cache_read=figure)


def test_a_price_with_more_digits_than_any_context_has_is_refused() -> None:
    with pytest.raises(PriceError, match="input cannot be kept exactly"):
        flat_price("1." + "3" * 80, "5")


def test_the_callers_decimal_context_changes_no_price() -> None:
    with localcontext() as context:
        context.prec = 2
        tier = flat_price("1.23456", "5", cache_read="0.00001").tiers[0]
        scaled = tier.scaled(Decimal("1.1"))
        assert (tier.input_pico, tier.cache_read_pico) == (1_234_560, 10)
        assert (scaled.input_pico, scaled.cache_read_pico) == (1_358_016, 11)


def test_a_scaled_price_is_scaled_in_every_part() -> None:
    # A regional profile costs 1.1 times the global rate: 0.10, 0.50, 0.01, 0.125 and 0.20 become 0.11, 0.55, ...
    first, second = HAIKU_5_5.price.scaled(Decimal("1.1")).tiers
    assert (first.input, first.output, first.cache_read, first.cache_write_5m, first.cache_write_1h) == (
        Decimal("0.11"),
        Decimal("0.55"),
        Decimal("0.011"),
        Decimal("0.1375"),
        Decimal("0.22"),
    )
    assert (second.above_prompt_tokens, second.input) == (100_000, Decimal("0.55"))


def test_a_missing_price_stays_missing_when_scaled() -> None:
    tier = flat_price("1", "5").scaled(Decimal("1.2")).tiers[0]
    assert (tier.cache_read, tier.cache_write_5m, tier.cache_write_1h) == (None, None, None)
    assert tier.cache_read_pico == 1_200_000


@pytest.mark.parametrize("factor", ["0.0000001", "1." + "1" * 80])
def test_a_factor_that_gives_an_inexact_price_is_refused(factor: str) -> None:
    with pytest.raises(PriceError, match="input"):
        flat_price("1.1", "5").scaled(Decimal(factor))


def test_a_local_model_is_free() -> None:
    assert FREE.tier_for(10**9).input_pico == FREE.tier_for(0).output_pico == 0


@given(prices())
def test_a_price_survives_storage(price: Price) -> None:
    assert msgspec.json.decode(msgspec.json.encode(price), type=Price) == price


@given(prices(), st.integers(0, 10_000))
def test_a_price_scaled_by_one_costs_the_same(price: Price, tokens: int) -> None:
    before, after = price.tier_for(tokens), price.scaled(Decimal("1.0")).tier_for(tokens)
    for name in ("input_pico", "output_pico", "cache_read_pico", "cache_write_5m_pico", "cache_write_1h_pico"):
        assert getattr(before, name) == getattr(after, name)
