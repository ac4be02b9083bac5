from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config import prices
from turnout.config.dated_price import DatedPrice, PriceSchedule
from turnout.config.errors import ConfigError
from turnout.config.prices import genai_entry, price_schedule
from turnout.core.price import FREE, Price, PriceTier, flat_price

DAY = date(2026, 11, 23)


def test_a_table_of_prices_is_exact_whether_written_as_number_or_text() -> None:
    table = {
        "input": Decimal("0.10"),
        "output": "0.50",
        "cache_read": Decimal("0.01"),
        "cache_write_5m": "0.125",
        "cache_write_1h": Decimal("0.2"),
        "above": [
            {
                "prompt_tokens": 100_000,
                "input": Decimal("0.5"),
                "output": Decimal("2.5"),
                "cache_read": Decimal("0.05"),
                "cache_write_5m": Decimal("0.625"),
                "cache_write_1h": 1,
            }
        ],
    }
    low, high = price_schedule(table).on(DAY).tiers
    assert low == PriceTier(
        input=Decimal("0.1"),
        output=Decimal("0.5"),
        cache_read=Decimal("0.01"),
        cache_write_5m=Decimal("0.125"),
        cache_write_1h=Decimal("0.2"),
    )
    assert (high.above_prompt_tokens, high.output, high.cache_write_1h) == (100_000, Decimal("2.5"), Decimal(1))


def test_free_is_free() -> None:
    assert price_schedule("free").on(DAY) == FREE


def test_sonnet_4_6_at_anthropic_lost_its_long_prompt_tier_on_2026_03_13() -> None:
    schedule = genai_entry("anthropic/claude-sonnet-4-6")
    long_before = schedule.on(date(2026, 3, 12)).tier_for(200_001)
    long_after = schedule.on(date(2026, 3, 13)).tier_for(200_001)
    assert (long_before.input, long_before.output) == (Decimal(6), Decimal("22.5"))
    assert (long_after.input, long_after.output) == (Decimal(3), Decimal(15))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "wanted is a table of prices, 'free', or 'genai-prices:PROVIDER/MODEL'"),
        ("cheap", "wanted is a table of prices, 'free', or 'genai-prices:PROVIDER/MODEL'"),
        ({"output": 1}, "the price needs 'input'"),
        ({"input": 1}, "the price needs 'output'"),
        ({"input": 1, "outptu": 1}, "unknown key 'outptu'; the nearest known one is 'output'"),
        ({"input": True, "output": 1}, "'input' must be a number of USD per million tokens"),
        ({"input": "three", "output": 1}, "'input' must be a number of USD per million tokens"),
        ({"input": 1, "output": -1}, "output must be a price of 0 or more USD per million tokens, got -1"),
        ({"input": Decimal("NaN"), "output": 1}, "input must be a price of 0 or more USD per million tokens, got NaN"),
        (
            {"input": Decimal("0.0000001"), "output": 1},
            "input is finer than 0.000001 USD per million tokens and cannot be kept exactly: 1E-7",
        ),
        ({"input": 1, "output": 1, "above": 3}, "'above' must be a list of tables"),
        ({"input": 1, "output": 1, "above": [{"input": 1, "output": 1}]}, "the price needs 'prompt_tokens'"),
        (
            {"input": 1, "output": 1, "above": [{"prompt_tokens": "a", "input": 1, "output": 1}]},
            "'prompt_tokens' must be a whole number",
        ),
        (
            {"input": 1, "output": 1, "above": [{"prompt_tokens": 0, "input": 1, "output": 1}]},
            "tiers must start at 0 and ascend strictly, got [0, 0]",
        ),
        (
            {"input": 1, "output": 1, "above": [{"promt_tokens": 9, "input": 1, "output": 1}]},
            "unknown key 'promt_tokens'; the nearest known one is 'prompt_tokens'",
        ),
        (
            "genai-prices:awz/x",
            "genai-prices has no such entry: unknown provider 'awz'; the nearest known one is 'aws'",
        ),
        (
            "genai-prices:openai/gpt-4.1-minni",
            "genai-prices has no such entry: unknown model 'gpt-4.1-minni'; the nearest known one is 'gpt-4.1-mini'",
        ),
    ],
)
def test_what_is_no_price_says_what_is_wanted(value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        price_schedule(value)
    assert str(caught.value) == message


def test_an_entry_that_is_not_kept_is_read_from_the_package() -> None:
    assert "openai/gpt-4o-mini" not in prices.packaged_snapshot().entries
    assert genai_entry("openai/gpt-4o-mini").on(DAY) == flat_price("0.15", "0.6", cache_read="0.075")


def test_another_version_of_the_package_wins_over_what_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = "aws/global.anthropic.claude-sonnet-5-5"
    wrong = PriceSchedule((DatedPrice(flat_price("999", "999")),))
    kept = prices.PriceSnapshot(version="0.0.1", entries={reference: wrong})
    monkeypatch.setattr(prices, "packaged_snapshot", lambda: kept)
    assert genai_entry(reference).on(DAY).tiers[0].input == Decimal(2)


@given(
    figures=st.lists(st.integers(0, 10**12), min_size=5, max_size=5),
    start=st.integers(1, 10**7),
)
def test_every_price_that_can_be_kept_survives_being_written_down(figures: list[int], start: int) -> None:
    names = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
    prices_of: dict[str, Any] = {name: Decimal(figure).scaleb(-6) for name, figure in zip(names, figures, strict=True)}
    written = {name: str(price) for name, price in prices_of.items()}
    table = {**written, "above": [{**written, "prompt_tokens": start}]}
    assert price_schedule(table).on(DAY) == Price(
        (PriceTier(**prices_of), PriceTier(**prices_of, above_prompt_tokens=start))
    )
