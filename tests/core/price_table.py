"""The models of the hand-worked cases, with prices written out: USD per million tokens at the global rate, 2026-11."""

from __future__ import annotations

from decimal import Decimal

from turnout.core.cache import CacheRules
from turnout.core.catalog import Model
from turnout.core.price import Price, PriceTier, flat_price


def bedrock(name: str, price: Price, floor: int) -> Model:
    return Model(
        id=f"bedrock/global.anthropic.{name}",
        provider="bedrock",
        model_id=f"global.anthropic.{name}",
        name=name,
        price=price,
        context_window=200_000,
        cache=CacheRules(floor_tokens=floor, ttls=("5m", "1h")),
    )


HAIKU_4_5 = bedrock(
    "claude-haiku-4-5",
    flat_price("1", "5", cache_read="0.10", cache_write_5m="1.25", cache_write_1h="2"),
    floor=4_096,
)
SONNET_4_6 = bedrock(
    "claude-sonnet-4-6",
    flat_price("3", "15", cache_read="0.30", cache_write_5m="3.75", cache_write_1h="6"),
    floor=1_024,
)
HAIKU_5_5 = bedrock(
    "claude-haiku-5-5",
    Price(
        (
            PriceTier(
                input=Decimal("0.10"),
                output=Decimal("0.50"),
                cache_read=Decimal("0.01"),
                cache_write_5m=Decimal("0.125"),
                cache_write_1h=Decimal("0.20"),
            ),
            PriceTier(
                above_prompt_tokens=100_000,
                input=Decimal("0.50"),
                output=Decimal("2.50"),
                cache_read=Decimal("0.05"),
                cache_write_5m=Decimal("0.625"),
                cache_write_1h=Decimal("1.00"),
            ),
        )
    ),
    floor=512,
)
SONNET_5_5 = bedrock(
    "claude-sonnet-5-5",
    flat_price("2", "10", cache_read="0.10", cache_write_5m="2.5", cache_write_1h="4"),
    floor=512,
)
OPUS_5_5 = bedrock(
    "claude-opus-5-5",
    flat_price("4", "20", cache_read="0.20", cache_write_5m="5", cache_write_1h="8"),
    floor=512,
)
# A model that caches by itself from 1,024 tokens on, in steps of 128, and charges nothing for the write.
IMPLICIT = Model(
    id="openai/example",
    provider="openai",
    model_id="example",
    name="implicit",
    price=flat_price("2", "8", cache_read="0.5"),
    context_window=200_000,
    cache=CacheRules(mode="implicit", floor_tokens=1_024, step_tokens=128),
)
# A model of which only the prices of input and output are stated.
PLAIN = Model(
    id="local/plain",
    provider="local",
    model_id="plain",
    name="plain",
    price=flat_price("1", "2"),
    context_window=32_000,
)
