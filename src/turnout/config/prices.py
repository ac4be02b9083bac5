"""The prices that a catalog file states, and where they come from.

The figures are those of the ``genai-prices`` package. Importing it takes a third of a second, so the few entries that
our catalog names are kept beside this module in ``genai_prices.json``, with the version they were read from; whenever
another version is installed, or an entry is asked for that is not there, the package itself is read
(`turnout.config.genai_package`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from turnout.config.dated_price import DatedPrice, PriceSchedule
from turnout.config.errors import ConfigError
from turnout.config.genai_package import PACKAGE, package_version, read_package
from turnout.core.catalog import unknown
from turnout.core.price import FREE, Price, PriceError, PriceTier

SNAPSHOT = Path(__file__).with_name("genai_prices.json")
"""The entries that were copied out of ``genai-prices``; `turnout.config.price_snapshot` writes it."""

_TIER_PRICES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


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
    return read_package(reference)


@cache
def packaged_snapshot() -> PriceSnapshot:
    """The entries of ``genai-prices`` that come with Turnout."""
    return msgspec.json.decode(SNAPSHOT.read_bytes(), type=PriceSnapshot)


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
