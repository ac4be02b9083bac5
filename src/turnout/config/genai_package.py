"""Reading prices out of the ``genai-prices`` package.

Importing it takes a third of a second, so it is imported by what reads it and not with this module. Its updater, which
fetches prices from the network, is never used.

Known limitations: only tokens of text are priced; prices by time of day, of batches and of web searches are left out.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

from turnout.config.dated_price import DatedPrice, PriceSchedule
from turnout.config.errors import ConfigError
from turnout.core.catalog import unknown
from turnout.core.price import Price, PriceTier

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

PACKAGE = "genai-prices"
"""The distribution that prices come from, and the prefix of references to its entries."""

_KEYS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}
"""Our names of prices and those of ``genai-prices`` (USD per million tokens in both)."""


@cache
def package_version() -> str:
    """The installed version of ``genai-prices``."""
    return metadata.version(PACKAGE)


def read_package(reference: str) -> PriceSchedule:
    """The prices of one entry, ``provider/model``, out of the data that the installed package brings.

    Raises:
        ConfigError: There is no such entry (the nearest one is named), or its prices cannot be represented.
    """
    # Imported here since it takes a third of a second. The data module is read rather than the current snapshot, so
    # that another part of the process that runs the package's updater does not change our prices under way.
    from genai_prices.data import providers

    provider_id, _, model_id = reference.partition("/")
    models = {provider.id: provider.models for provider in providers}
    if provider_id not in models:
        raise ConfigError(f"{PACKAGE} has no such entry: {unknown('provider', provider_id, models)}")
    by_id = {model.id: model for model in models[provider_id]}
    if model_id not in by_id:
        raise ConfigError(f"{PACKAGE} has no such entry: {unknown('model', model_id, by_id)}")
    return _schedule_of(reference, by_id[model_id])


def _schedule_of(reference: str, model: ModelInfo) -> PriceSchedule:
    from genai_prices.types import ModelPrice, StartDateConstraint

    if isinstance(model.prices, ModelPrice):
        return PriceSchedule((DatedPrice(_price_of(reference, model.prices)),))
    dated = []
    for conditional in model.prices:
        start = conditional.constraint
        if start is not None and not isinstance(start, StartDateConstraint):
            raise ConfigError(f"{PACKAGE} prices {reference!r} by time of day, which is not supported")
        dated.append(DatedPrice(_price_of(reference, conditional.prices), None if start is None else start.start_date))
    if not dated:
        raise ConfigError(f"{PACKAGE} has no price of {reference!r}")
    return PriceSchedule(tuple(dated))


def _price_of(reference: str, price: ModelPrice) -> Price:
    from genai_prices.types import TieredPrices

    # The package keeps the prices of a model as attributes named by unit; units that were added later just appear.
    stated = {key: value for key, unit in _KEYS.items() if (value := vars(price).get(unit)) is not None}
    if "input" not in stated or "output" not in stated:
        raise ConfigError(f"{PACKAGE} has no price of tokens for {reference!r}")
    tiers = [tier for value in stated.values() if isinstance(value, TieredPrices) for tier in value.tiers]
    return Price(
        tuple(
            PriceTier(**{key: _at(value, start) for key, value in stated.items()}, above_prompt_tokens=start)
            for start in sorted({0, *(tier.start for tier in tiers)})
        )
    )


def _at(value: Decimal | TieredPrices, start: int) -> Decimal:
    """The figure that holds for prompts of more than ``start`` tokens."""
    if isinstance(value, Decimal):
        return value
    figure = value.base
    for tier in value.tiers:
        if tier.start <= start:
            figure = tier.price
    return figure
