"""The catalog against the figures that it must have, written out by hand from the price tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.catalog import load_catalog, provenance
from turnout.config.errors import ConfigError
from turnout.config.facts import packaged_facts
from turnout.core.cache import NO_CACHE
from turnout.core.catalog import Catalog, UnknownModelError
from turnout.core.cost import cost_of
from turnout.core.price import FREE, Price
from turnout.core.usage import Usage

DAY = date(2026, 11, 23)
Write = Callable[[str], Path]

HAIKU_4_5 = "anthropic.claude-haiku-4-5-20251001-v1:0"
SONNET_4_5 = "anthropic.claude-sonnet-4-5-20250929-v1:0"
OPUS_4_5 = "anthropic.claude-opus-4-5-20251101-v1:0"

# USD per million tokens at the global rate: input, output, read, write 5m, write 1h; then the cache floor.
TABLE = {
    HAIKU_4_5: ("1", "5", "0.10", "1.25", "2", 4096),
    "anthropic.claude-haiku-5-5": ("0.10", "0.50", "0.01", "0.125", "0.20", 512),
    SONNET_4_5: ("3", "15", "0.30", "3.75", "6", 1024),
    "anthropic.claude-sonnet-4-6": ("3", "15", "0.30", "3.75", "6", 1024),
    "anthropic.claude-sonnet-5": ("2", "10", "0.20", "2.5", "4", 1024),
    "anthropic.claude-sonnet-5-5": ("2", "10", "0.10", "2.5", "4", 512),
    OPUS_4_5: ("5", "25", "0.50", "6.25", "10", 4096),
    "anthropic.claude-opus-4-6-v1": ("5", "25", "0.50", "6.25", "10", 4096),
    "anthropic.claude-opus-4-7": ("5", "25", "0.50", "6.25", "10", 2048),
    "anthropic.claude-opus-4-8": ("5", "25", "0.50", "6.25", "10", 1024),
    "anthropic.claude-opus-5": ("5", "25", "0.50", "6.25", "10", 512),
    "anthropic.claude-opus-5-5": ("4", "20", "0.20", "5", "8", 512),
    "anthropic.claude-fable-5-1": ("10", "50", "0.25", "12.5", "20", 512),
}
PROFILES = ("global", "us", "eu", "jp", "au", "apac", "us-gov")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(on=DAY)


@pytest.mark.parametrize("model_id", TABLE)
def test_prices_and_floors_are_those_of_the_table(catalog: Catalog, model_id: str) -> None:
    *prices, floor = TABLE[model_id]
    model = catalog[f"bedrock/global.{model_id}"]
    tier = model.price.tiers[0]
    stated = [tier.input, tier.output, tier.cache_read, tier.cache_write_5m, tier.cache_write_1h]
    assert stated == [Decimal(str(price)) for price in prices]
    assert model.cache.floor_tokens == floor
    assert len(model.price.tiers) == (2 if model_id.endswith("haiku-5-5") else 1)


def test_haiku_5_5_has_a_second_tier_for_all_tokens_above_100_000(catalog: Catalog) -> None:
    tier = catalog["bedrock/global.anthropic.claude-haiku-5-5"].price.tiers[1]
    stated = [tier.input, tier.output, tier.cache_read, tier.cache_write_5m, tier.cache_write_1h]
    assert stated == [Decimal(price) for price in ("0.50", "2.50", "0.05", "0.625", "1.00")]
    assert tier.above_prompt_tokens == 100_000


def test_every_bedrock_model_of_the_table_is_there_under_every_profile_and_no_other(catalog: Catalog) -> None:
    bedrock = {model.id for model in catalog.models if model.provider == "bedrock"}
    assert bedrock == {f"bedrock/{profile}.{model_id}" for profile in PROFILES for model_id in TABLE}


# What 1,000 fresh tokens, 10,000 read, 2,000 written for 5 minutes, 500 for 1 hour and 300 of output cost.
# Haiku 4.5, by hand: 1,000 x 1 + 10,000 x 0.10 + 2,000 x 1.25 + 500 x 2 + 300 x 5 = 7,000 millionths of a dollar.
USAGE = Usage(
    input_tokens=1_000,
    cache_read_tokens=10_000,
    cache_write_5m_tokens=2_000,
    cache_write_1h_tokens=500,
    output_tokens=300,
)


@pytest.mark.parametrize(
    ("model_id", "at_global", "at_us", "at_us_gov"),
    [
        (HAIKU_4_5, "0.007", "0.0077", "0.0084"),
        ("anthropic.claude-haiku-5-5", "0.0007", "0.00077", "0.00084"),
        (SONNET_4_5, "0.021", "0.0231", "0.0252"),
        ("anthropic.claude-sonnet-4-6", "0.021", "0.0231", "0.0252"),
        ("anthropic.claude-sonnet-5", "0.014", "0.0154", "0.0168"),
        ("anthropic.claude-sonnet-5-5", "0.013", "0.0143", "0.0156"),
        (OPUS_4_5, "0.035", "0.0385", "0.042"),
        ("anthropic.claude-opus-4-6-v1", "0.035", "0.0385", "0.042"),
        ("anthropic.claude-opus-4-7", "0.035", "0.0385", "0.042"),
        ("anthropic.claude-opus-4-8", "0.035", "0.0385", "0.042"),
        ("anthropic.claude-opus-5", "0.035", "0.0385", "0.042"),
        ("anthropic.claude-opus-5-5", "0.026", "0.0286", "0.0312"),
        ("anthropic.claude-fable-5-1", "0.0625", "0.06875", "0.075"),
    ],
)
def test_bills_worked_out_by_hand(catalog: Catalog, model_id: str, at_global: str, at_us: str, at_us_gov: str) -> None:
    def bill(profile: str) -> Decimal:
        return cost_of(USAGE, catalog[f"bedrock/{profile}.{model_id}"].price).usd

    assert bill("global") == Decimal(at_global)
    for profile in ("us", "eu", "jp", "au", "apac"):
        assert bill(profile) == Decimal(at_us)
    assert bill("us-gov") == Decimal(at_us_gov)


@pytest.mark.parametrize(
    ("input_tokens", "profile", "usd"),
    [
        # 60,000 x 0.10 + 30,000 x 0.01 + 6,000 x 0.125 + 4,000 x 0.20 + 1,000 x 0.50 = 8,350: exactly 100,000.
        (60_000, "global", "0.00835"),
        (60_000, "us", "0.009185"),
        (60_000, "us-gov", "0.01002"),
        # One token more: 60,001 x 0.50 + 30,000 x 0.05 + 6,000 x 0.625 + 4,000 x 1 + 1,000 x 2.50 = 41,750.5.
        (60_001, "global", "0.0417505"),
        (60_001, "us", "0.04592555"),
        (60_001, "us-gov", "0.0501006"),
    ],
)
def test_the_long_prompt_tier_begins_above_100_000_tokens_of_the_whole_prompt(
    catalog: Catalog, input_tokens: int, profile: str, usd: str
) -> None:
    usage = Usage(
        input_tokens=input_tokens,
        cache_read_tokens=30_000,
        cache_write_5m_tokens=6_000,
        cache_write_1h_tokens=4_000,
        output_tokens=1_000,
    )
    price = catalog[f"bedrock/{profile}.anthropic.claude-haiku-5-5"].price
    assert cost_of(usage, price).usd == Decimal(usd)


def test_a_warm_capable_model_can_be_cheaper_than_a_cold_cheap_one(catalog: Catalog) -> None:
    cold = Usage(cache_write_5m_tokens=6_000, output_tokens=300)
    warm = Usage(cache_read_tokens=6_000, output_tokens=300)

    def bill(usage: Usage, model_id: str) -> Decimal:
        return cost_of(usage, catalog[f"bedrock/global.{model_id}"].price).usd

    assert bill(cold, HAIKU_4_5) == Decimal("0.0090")
    assert bill(warm, "anthropic.claude-sonnet-4-6") == Decimal("0.0063")
    assert bill(cold, "anthropic.claude-haiku-5-5") == Decimal("0.0009")
    assert bill(warm, "anthropic.claude-sonnet-5-5") == Decimal("0.0036")


@pytest.mark.parametrize(
    ("model_id", "usd"),
    [
        # 1,000 x 2 + 10,000 x 0.5 + 300 x 8 = 9,400 millionths; OpenAI states no price of writes.
        ("openai/gpt-4.1", "0.0094"),
        ("openai/gpt-4.1-mini", "0.00188"),
        ("openai/gpt-4.1-nano", "0.00047"),
        # 1,000 x 1.25 + 10,000 x 0.125 + 300 x 10 = 5,500.
        ("openai/gpt-5", "0.0055"),
        ("openai/gpt-5-mini", "0.0011"),
        ("openai/gpt-5-nano", "0.00022"),
        # 1,000 x 1 + 10,000 x 0.1 + 300 x 5 = 3,500; the vendor's own prices are Bedrock's global ones.
        ("anthropic/claude-haiku-4-5-20251001", "0.0035"),
        ("anthropic/claude-haiku-5-5", "0.00035"),
        ("anthropic/claude-sonnet-4-6", "0.0105"),
        ("anthropic/claude-sonnet-5-5", "0.006"),
        ("local/smollm2-135m-instruct", "0"),
    ],
)
def test_bills_of_other_providers_worked_out_by_hand(catalog: Catalog, model_id: str, usd: str) -> None:
    usage = Usage(input_tokens=1_000, cache_read_tokens=10_000, output_tokens=300)
    assert cost_of(usage, catalog[model_id].price).usd == Decimal(usd)


def test_other_providers_have_no_more_models_than_these(catalog: Catalog) -> None:
    assert {model.id for model in catalog.models if model.provider != "bedrock"} == {
        "anthropic/claude-haiku-4-5-20251001",
        "anthropic/claude-haiku-5-5",
        "anthropic/claude-sonnet-4-6",
        "anthropic/claude-sonnet-5-5",
        "local/smollm2-135m-instruct",
        "openai/gpt-4.1",
        "openai/gpt-4.1-mini",
        "openai/gpt-4.1-nano",
        "openai/gpt-5",
        "openai/gpt-5-mini",
        "openai/gpt-5-nano",
    }


def test_the_catalog_is_that_of_its_day() -> None:
    model_id = "anthropic/claude-sonnet-4-6"
    assert len(load_catalog(on=date(2026, 3, 12))[model_id].price.tiers) == 2
    assert len(load_catalog(on=date(2026, 3, 13))[model_id].price.tiers) == 1
    # Today is not before the last change of a price that is known.
    assert load_catalog()[model_id] == load_catalog(on=DAY)[model_id]


def test_claude_caches_where_marked(catalog: Catalog) -> None:
    for model in catalog.models:
        if "claude" in model.model_id:
            rules = model.cache
            assert (rules.mode, rules.lookback_blocks, rules.max_markers) == ("explicit", 20, 4)
            assert (rules.ttls, rules.renewed_by_read) == (("5m", "1h"), True)


def test_openai_caches_by_itself_in_steps_and_without_a_fee_for_writes(catalog: Catalog) -> None:
    for model in catalog.models:
        if model.provider == "openai":
            assert (model.cache.mode, model.cache.floor_tokens, model.cache.step_tokens) == ("implicit", 1024, 128)
            for tier in model.price.tiers:
                assert (tier.cache_write_5m, tier.cache_write_1h) == (None, None)
                assert tier.cache_write_5m_pico == tier.input_pico


def test_the_packaged_local_model_is_free_and_cannot_use_tools(catalog: Catalog) -> None:
    model = catalog["local/smollm2-135m-instruct"]
    assert (model.price, model.cache, model.context_window) == (FREE, NO_CACHE, 8192)
    assert not model.capabilities.tools
    assert model.capabilities.logprobs


@pytest.mark.parametrize(
    ("model_id", "context", "output", "ratio", "rejects_temperature", "thinks", "forced_tools", "prefill"),
    [
        (HAIKU_4_5, 200_000, 64_000, 1.0, False, False, True, True),
        ("anthropic.claude-haiku-5-5", 1_000_000, 128_000, 1.3, True, True, True, False),
        (SONNET_4_5, 200_000, 64_000, 1.0, False, False, True, True),
        ("anthropic.claude-sonnet-4-6", 1_000_000, 64_000, 1.0, False, False, True, False),
        ("anthropic.claude-sonnet-5", 1_000_000, 128_000, 1.3, True, True, True, False),
        ("anthropic.claude-sonnet-5-5", 1_000_000, 128_000, 1.3, True, True, False, False),
        (OPUS_4_5, 200_000, 64_000, 1.0, False, False, True, True),
        ("anthropic.claude-opus-4-6-v1", 1_000_000, 128_000, 1.0, False, False, True, False),
        ("anthropic.claude-opus-4-7", 1_000_000, 128_000, 1.3, True, False, True, False),
        ("anthropic.claude-opus-4-8", 1_000_000, 128_000, 1.3, True, False, True, False),
        ("anthropic.claude-opus-5", 1_000_000, 128_000, 1.3, True, True, True, False),
        ("anthropic.claude-opus-5-5", 1_000_000, 128_000, 1.3, True, True, False, False),
        ("anthropic.claude-fable-5-1", 1_000_000, 128_000, 1.3, True, True, False, False),
    ],
)
def test_limits_and_capabilities(
    catalog: Catalog,
    model_id: str,
    context: int,
    output: int,
    ratio: float,
    rejects_temperature: bool,
    thinks: bool,
    forced_tools: bool,
    prefill: bool,
) -> None:
    model = catalog[f"bedrock/eu.{model_id}"]
    assert (model.context_window, model.max_output_tokens, model.tokenizer_ratio) == (context, output, ratio)
    assert model.rejected_parameters == (("temperature", "top_p", "top_k") if rejects_temperature else ())
    can = model.capabilities
    assert (can.thinks_first, can.forced_tool_choice, can.prefill) == (thinks, forced_tools, prefill)
    assert can.tools
    assert can.vision
    assert can.documents
    assert not can.logprobs


def test_our_prices_are_those_of_genai_prices_or_the_difference_is_stated(catalog: Catalog) -> None:
    # By the package's own way of finding a model, which is not ours.
    from genai_prices.data_snapshot import get_snapshot

    from turnout.config.genai_package import read_package

    compared, differing = 0, set()
    for model in catalog.models:
        if model.provider == "local":
            continue
        provider = {"bedrock": "aws"}.get(model.provider, model.provider)
        try:
            found_provider, found = get_snapshot().find_provider_model(model.model_id, None, provider, None)
        except LookupError:
            continue
        theirs: Price = read_package(f"{found_provider.id}/{found.id}").on(DAY)
        compared += 1
        if theirs != model.price:
            sources = provenance(model.id)
            assert any(sources[fact].disputed and "genai-prices" in sources[fact].note for fact in ("price", "profile"))
            differing.add(model.model_id.partition(".")[0])
    # What it does not find are profiles that it knows no id for, such as us-gov of some models.
    assert compared >= 80
    assert differing == {"us-gov"}


def test_every_fact_of_ours_has_a_source_with_address_and_date() -> None:
    for placed in packaged_facts().placed_models():
        for name, fact in placed.facts.items():
            source = fact.provenance
            assert source.source, (placed.key, name)
            assert source.url.startswith("https://"), (placed.key, name)
            assert source.read is not None, (placed.key, name)
            assert not source.disputed or source.note, (placed.key, name)


def test_every_source_is_used() -> None:
    (file,) = packaged_facts().files
    used = [fact.provenance for fact in file.profiles.values()]
    used += [fact.provenance for group in file.shared.values() for fact in group.values()]
    for entry in file.models.values():
        used += [fact.provenance for fact in entry.facts.values()]
        used += [fact.provenance for place in entry.places.values() for fact in place.facts.values()]
    assert {source.source for source in file.sources.values()} == {source.source for source in used}


def test_where_a_fact_is_known_from_can_be_asked() -> None:
    found = provenance("bedrock/us-gov.anthropic.claude-sonnet-4-6")
    floor = found["cache.floor_tokens"]
    assert floor.disputed
    assert "2,048" in floor.note
    assert floor.url == "https://platform.claude.com/docs/en/build-with-claude/prompt-caching"
    assert floor.read == DAY
    assert found["profile"].disputed
    assert found["price"].url == "https://github.com/pydantic/genai-prices"
    assert "global.anthropic.claude-sonnet-4-6-v1:0" in found["price"].note
    assert not provenance("bedrock/us.anthropic.claude-sonnet-4-6")["profile"].disputed
    assert "profile" not in provenance("anthropic/claude-sonnet-4-6")


def test_where_a_fact_is_known_from_of_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(UnknownModelError, match=r"nearest known one is 'openai/gpt-4\.1-mini'"):
        provenance("openai/gpt-4.1-minni")


def test_a_user_can_correct_a_fact_and_a_price(write: Write) -> None:
    path = write(
        """
        [models.claude-sonnet-4-6]
        cache.floor_tokens = 2048
        price = { input = 2.5, output = 12.5, cache_read = 0.25 }
        """
    )
    catalog = load_catalog(path, on=DAY)
    model = catalog["bedrock/us.anthropic.claude-sonnet-4-6"]
    assert model.cache.floor_tokens == 2048
    assert model.price.tiers[0].input == Decimal("2.75")
    assert model.price.tiers[0].cache_write_5m is None
    source = provenance(model.id, overrides=path)
    assert source["cache.floor_tokens"].source == str(path)
    assert source["price"].source == str(path)
    assert not source["cache.floor_tokens"].disputed
    untouched = "bedrock/us.anthropic.claude-haiku-5-5"
    assert catalog[untouched] == load_catalog(on=DAY)[untouched]


def test_a_user_can_add_models(write: Write) -> None:
    path = write(
        """
        [models.mine]
        name = "Mine"
        context_window = 4096
        at.local = { id = "mine-7b", price = "free" }
        at.bedrock = { id = "acme.mine-v1:0", price = { input = 1, output = 2 } }
        [models.gpt-4o-mini]
        name = "GPT-4o mini"
        shared = ["openai"]
        context_window = 128_000
        at.openai = { id = "gpt-4o-mini", price = "genai-prices:openai/gpt-4o-mini" }
        """
    )
    catalog = load_catalog(path, on=DAY)
    assert catalog["local/mine-7b"].price == FREE
    assert catalog["local/mine-7b"].cache == NO_CACHE
    assert catalog["bedrock/us-gov.acme.mine-v1:0"].price.tiers[0].output == Decimal("2.4")
    assert catalog["openai/gpt-4o-mini"].price.tiers[0].cache_read == Decimal("0.075")
    assert catalog["openai/gpt-4o-mini"].cache.floor_tokens == 1024


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[models.new]\nname = 'N'\ncontext_window = 1\nat.local = { id = 'n' }",
            "the model 'new' at 'local' needs 'price'",
        ),
        (
            "[models.new]\nname = 'N'\nat.local = { id = 'n', price = 'free' }",
            "the model 'new' at 'local' needs 'context_window'",
        ),
        (
            "[models.new]\nname = 'N'\ncontext_window = 1\nat.openai = { id = 'gpt-5', price = 'free' }",
            "{path}: the model 'openai/gpt-5' is in the catalog twice",
        ),
        (
            "[models.gpt-5]\nprice = { input = 1 }",
            "{path}: models.gpt-5.price: the price needs 'output'",
        ),
        (
            "[models.gpt-5.at.openai]\nprice = 'fre'",
            "{path}: models.gpt-5.at.openai.price: wanted is a table of prices, 'free', "
            "or 'genai-prices:PROVIDER/MODEL'",
        ),
        (
            "[models.claude-opus-5]\nprice = { input = 0.000001, output = 1 }",
            "{path}: models.claude-opus-5.price: times 1.1 ({packaged}: profiles.us): input is finer than 0.000001 "
            "USD per million tokens and cannot be kept exactly: 0.0000011",
        ),
    ],
)
def test_models_that_cannot_be_used_say_why(write: Write, text: str, message: str) -> None:
    path = write(text)
    with pytest.raises(ConfigError) as caught:
        load_catalog(path, on=DAY)
    packaged = packaged_facts().files[0].path
    expected = message.replace("{path}", str(path)).replace("{packaged}", str(packaged))
    assert str(caught.value) == expected


@given(
    counts=st.lists(st.integers(0, 10**6), min_size=5, max_size=5),
    model_id=st.sampled_from(sorted(TABLE)),
)
def test_profiles_multiply_every_bill_exactly(catalog: Catalog, counts: list[int], model_id: str) -> None:
    names = ("input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens")
    usage = Usage(**dict(zip(names, counts, strict=True)))
    at_global = cost_of(usage, catalog[f"bedrock/global.{model_id}"].price).total_pico
    assert cost_of(usage, catalog[f"bedrock/au.{model_id}"].price).total_pico * 10 == at_global * 11
    assert cost_of(usage, catalog[f"bedrock/us-gov.{model_id}"].price).total_pico * 10 == at_global * 12
