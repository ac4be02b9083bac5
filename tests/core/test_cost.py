"""Cost: bills worked out by hand from the price table, exact and additive."""

from __future__ import annotations

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.price_table import HAIKU_4_5, HAIKU_5_5, IMPLICIT, OPUS_5_5, PLAIN, SONNET_4_6, SONNET_5_5
from tests.core.strategies import prices, usages
from turnout.core.catalog import Model
from turnout.core.cost import NO_COST, Cost, cost_of, pico_to_usd, usd_text, usd_to_pico
from turnout.core.price import FREE, Price
from turnout.core.usage import Usage

BILLS: list[tuple[str, Model, Usage, str]] = [
    # 4,349 x 1 + 331 x 5 = 4,349 + 1,655 = 6,004 millionths
    ("no cache", HAIKU_4_5, Usage(input_tokens=4_349, output_tokens=331), "0.006004"),
    # 1,207 x 3 + 510 x 15 + 3,486 x 0.30 = 3,621 + 7,650 + 1,045.8 = 12,316.8 millionths
    (
        "read",
        SONNET_4_6,
        Usage(input_tokens=1_207, output_tokens=510, cache_read_tokens=3_486),
        "0.0123168",
    ),
    # 917 x 3 + 418 x 15 + 1,743 x 0.30 + 1,743 x 3.75 = 2,751 + 6,270 + 522.9 + 6,536.25 = 16,080.15 millionths
    (
        "read and write",
        SONNET_4_6,
        Usage(input_tokens=917, output_tokens=418, cache_read_tokens=1_743, cache_write_5m_tokens=1_743),
        "0.01608015",
    ),
    # 2,000 x 6 + 500 x 3.75 + 10 x 3 = 12,000 + 1,875 + 30 = 13,905 millionths
    (
        "both writes",
        SONNET_4_6,
        Usage(input_tokens=10, cache_write_1h_tokens=2_000, cache_write_5m_tokens=500),
        "0.013905",
    ),
    # 6,000 x 0.125 + 300 x 0.50 = 750 + 150 = 900 millionths
    ("5.5 cold", HAIKU_5_5, Usage(cache_write_5m_tokens=6_000, output_tokens=300), "0.0009"),
    # 6,000 x 0.10 + 300 x 10 = 600 + 3,000 = 3,600 millionths
    ("5.5 warm", SONNET_5_5, Usage(cache_read_tokens=6_000, output_tokens=300), "0.0036"),
    # The prompt is 100,000 tokens, the last of the first tier: 100,000 x 0.10 + 1,000 x 0.50 = 10,500 millionths
    ("last of a tier", HAIKU_5_5, Usage(input_tokens=100_000, output_tokens=1_000), "0.0105"),
    # One more, and every token costs five times as much: 100,001 x 0.50 + 1,000 x 2.50 = 52,500.5 millionths
    ("first of a tier", HAIKU_5_5, Usage(input_tokens=100_001, output_tokens=1_000), "0.0525005"),
    # Read and written tokens count for the tier: 1 + 90,000 + 10,000 = 100,001, so
    # 1 x 0.50 + 90,000 x 0.05 + 10,000 x 1.00 = 0.5 + 4,500 + 10,000 = 14,500.5 millionths
    (
        "a tier reached by cached tokens",
        HAIKU_5_5,
        Usage(input_tokens=1, cache_read_tokens=90_000, cache_write_1h_tokens=10_000),
        "0.0145005",
    ),
    # Output does not count for the tier: 100,000 x 0.10 + 50,000 x 0.50 = 10,000 + 25,000 = 35,000 millionths
    ("output reaches no tier", HAIKU_5_5, Usage(input_tokens=100_000, output_tokens=50_000), "0.035"),
    # No write price: written tokens cost what fresh ones do: (100 + 1,024) x 2 + 1,152 x 0.5 + 10 x 8
    # = 2,248 + 576 + 80 = 2,904 millionths
    (
        "no write price",
        IMPLICIT,
        Usage(input_tokens=100, cache_write_5m_tokens=1_024, cache_read_tokens=1_152, output_tokens=10),
        "0.002904",
    ),
    # No cache price at all: (10 + 20 + 30 + 40) x 1 + 5 x 2 = 110 millionths
    (
        "no cache price",
        PLAIN,
        Usage(
            input_tokens=10,
            cache_read_tokens=20,
            cache_write_5m_tokens=30,
            cache_write_1h_tokens=40,
            output_tokens=5,
        ),
        "0.00011",
    ),
    # Thinking is a part of output and not billed twice: 1,000 x 20 = 20,000 millionths
    ("thinking", OPUS_5_5, Usage(output_tokens=1_000, reasoning_tokens=900), "0.02"),
    ("nothing", OPUS_5_5, Usage(), "0"),
]


@pytest.mark.parametrize(("model", "usage", "usd"), [bill[1:] for bill in BILLS], ids=[bill[0] for bill in BILLS])
def test_a_bill_is_the_one_worked_out_by_hand(model: Model, usage: Usage, usd: str) -> None:
    assert cost_of(usage, model.price).usd == Decimal(usd)


def test_a_cost_tells_apart_what_was_paid_for_what() -> None:
    usage = Usage(
        input_tokens=1, cache_read_tokens=10, cache_write_5m_tokens=100, cache_write_1h_tokens=1_000, output_tokens=7
    )
    cost = cost_of(usage, SONNET_4_6.price)
    assert cost == Cost(
        input_pico=3_000_000,
        cache_read_pico=3_000_000,  # 10 x 0.30
        cache_write_5m_pico=375_000_000,  # 100 x 3.75
        cache_write_1h_pico=6_000_000_000,  # 1,000 x 6
        output_pico=105_000_000,  # 7 x 15
    )
    assert cost.cache_write_pico == 6_375_000_000
    assert cost.total_pico == 6_486_000_000


@given(usages())
def test_a_free_model_costs_nothing(usage: Usage) -> None:
    assert cost_of(usage, FREE) == NO_COST


@given(usages(most=1_000), usages(most=1_000))
def test_costs_of_calls_add_up_to_the_cost_of_their_usage_within_a_tier(first: Usage, second: Usage) -> None:
    price = SONNET_4_6.price
    assert cost_of(first, price) + cost_of(second, price) == cost_of(first + second, price)


@given(usages(), usages(), prices())
def test_costs_are_exact_integers_and_add_up(first: Usage, second: Usage, price: Price) -> None:
    one, other = cost_of(first, price), cost_of(second, price)
    assert (one + other).total_pico == one.total_pico + other.total_pico
    assert one + other == other + one
    assert one + NO_COST == one
    for name in Cost.__struct_fields__:
        assert type(getattr(one, name)) is int
    # In exact decimal arithmetic, by the definition: tokens times USD per million, at the tier of the prompt.
    tier = price.tier_for(first.prompt_tokens)
    write_5m = tier.input if tier.cache_write_5m is None else tier.cache_write_5m
    with localcontext() as context:
        context.prec = 60
        assert one.usd * 1_000_000 == (
            first.input_tokens * tier.input
            + first.cache_read_tokens * (tier.input if tier.cache_read is None else tier.cache_read)
            + first.cache_write_5m_tokens * write_5m
            + first.cache_write_1h_tokens * (write_5m if tier.cache_write_1h is None else tier.cache_write_1h)
            + first.output_tokens * tier.output
        )


@given(st.integers(-(10**40), 10**40))
def test_pico_usd_and_usd_are_one_amount(pico: int) -> None:
    with localcontext() as context:
        context.prec = 3  # Neither direction may depend on the caller's decimal context.
        assert usd_to_pico(pico_to_usd(pico)) == pico


def test_an_amount_in_usd_keeps_its_picos() -> None:
    assert pico_to_usd(1) == Decimal("0.000000000001")
    assert usd_to_pico(Decimal("0.0369")) == 36_900_000_000
    assert usd_to_pico(Decimal("1234567890123456789.000000000001")) == 1234567890123456789_000000000001


@pytest.mark.parametrize("usd", ["0.0000000000001", "0.1234567890123", "1234567890123456789.0000000000001"])
def test_an_amount_finer_than_a_pico_usd_is_refused(usd: str) -> None:
    with pytest.raises(ValueError, match="finer than 1e-12 USD"):
        usd_to_pico(Decimal(usd))


@pytest.mark.parametrize("usd", ["NaN", "Infinity", "-Infinity"])
def test_an_amount_is_finite(usd: str) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        usd_to_pico(Decimal(usd))


@pytest.mark.parametrize(
    ("pico", "text"),
    [(0, "0.000000000000"), (1, "0.000000000001"), (36_250_000, "0.000036250000"), (10**13, "10.000000000000")],
)
def test_usd_as_text_has_no_exponent(pico: int, text: str) -> None:
    assert usd_text(pico) == text
    assert usd_to_pico(Decimal(text)) == pico


@given(st.integers(-(10**40), 10**40))
def test_usd_as_text_is_that_amount_to_twelve_places(pico: int) -> None:
    assert usd_text(pico) == f"{pico_to_usd(pico):f}"
