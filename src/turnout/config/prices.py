"""Prices that change on known dates, and where they come from.

The figures are those of the ``genai-prices`` package. Importing it takes a third of a second, so the few entries that
our catalog names are kept beside it in ``genai_prices.json``, together with the version they were read from; whenever
another version is installed, or an entry is asked for that is not there, the package itself is read. Its updater, which
fetches prices from the network, is never used.

Known limitations: only tokens of text are priced; prices by time of day, of batches and of web searches are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from turnout.config.errors import ConfigError
from turnout.core.catalog import unknown
from turnout.core.price import FREE, Price, PriceError, PriceTier

SNAPSHOT = Path(__file__).with_name("genai_prices.json")
"""The entries that were copied out of ``genai-prices``; `turnout.config.price_snapshot` writes it."""

PACKAGE = "genai-prices"
"""The distribution that prices come from, and the prefix of references to its entries."""

_TIER_PRICES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


class DatedPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A price and the day (UTC) from which it holds; none: always."""

    price: Price
    start: date | None = None


class PriceSchedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prices of one model in the order of their dates; the last one that has begun holds."""

    prices: tuple[DatedPrice, ...]

    def on(self, day: date) -> Price:
        """The price on that day; before the first date, the first price."""
        for dated in reversed(self.prices):
            if dated.start is None or dated.start <= day:
                return dated.price
        return self.prices[0].price


class PriceSnapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Entries of one version of ``genai-prices``, by ``provider/model``."""

    version: str
    entries: dict[str, PriceSchedule]


def price_schedule(value: Any) -> PriceSchedule:
    """The price that a catalog file states.

    Args:
        value: ``"free"``; ``"genai-prices:PROVIDER/MODEL"``; or a table of prices in USD per million tokens: ``input``,
            ``output`` and, where the provider has them, ``cache_read``, ``cache_write_5m``, ``cache_write_1h``, and
            ``above``: a list of such tables, each with the ``prompt_tokens`` above which its prices hold for all
            tokens of a call.

    Raises:
        ConfigError: The value is none of these; the message does not say where it stands.
    """
    if value == "free":
        return PriceSchedule((DatedPrice(FREE),))
    if isinstance(value, str) and value.startswith(PACKAGE + ":"):
        return genai_entry(value.removeprefix(PACKAGE + ":"))
    if isinstance(value, Mapping):
        return PriceSchedule((DatedPrice(_price_of(value)),))
    raise ConfigError(f"wanted is a table of prices, 'free', or '{PACKAGE}:PROVIDER/MODEL'")


def genai_entry(reference: str) -> PriceSchedule:
    """The prices of one entry of ``genai-prices``, as ``provider/model``.

    Raises:
        ConfigError: There is no such entry; the message names the nearest one.
    """
    snapshot = packaged_snapshot()
    if reference in snapshot.entries and snapshot.version == package_version():
        return snapshot.entries[reference]
    from turnout.config.price_snapshot import read_package

    return read_package(reference)


@cache
def packaged_snapshot() -> PriceSnapshot:
    """The entries of ``genai-prices`` that come with Turnout."""
    return msgspec.json.decode(SNAPSHOT.read_bytes(), type=PriceSnapshot)


@cache
def package_version() -> str:
    """The installed version of ``genai-prices``."""
    return metadata.version(PACKAGE)


def _price_of(table: Mapping[str, Any]) -> Price:
    above = table.get("above", [])
    if not isinstance(above, list) or not all(isinstance(tier, Mapping) for tier in above):
        raise ConfigError("'above' must be a list of tables")
    base = {key: value for key, value in table.items() if key != "above"}
    try:
        return Price((_tier_of(base), *(_tier_of(tier, above=True) for tier in above)))
    except PriceError as error:
        raise ConfigError(str(error)) from None


def _tier_of(table: Mapping[str, Any], *, above: bool = False) -> PriceTier:
    known = {*_TIER_PRICES, "prompt_tokens"} if above else {*_TIER_PRICES, "above"}
    for key in table:
        if key not in known:
            raise ConfigError(unknown("key", key, known))
    for key in ("input", "output", *(["prompt_tokens"] if above else [])):
        if key not in table:
            raise ConfigError(f"the price needs {key!r}")
    start = table.get("prompt_tokens", 0)
    if isinstance(start, bool) or not isinstance(start, int):
        raise ConfigError("'prompt_tokens' must be a whole number")
    prices = {key: _usd(key, table[key]) for key in _TIER_PRICES if key in table}
    return PriceTier(**prices, above_prompt_tokens=start)


def _usd(key: str, value: Any) -> Decimal:
    if isinstance(value, Decimal | int | str) and not isinstance(value, bool):
        try:
            return Decimal(value)
        except ArithmeticError:
            pass
    raise ConfigError(f"{key!r} must be a number of USD per million tokens")
