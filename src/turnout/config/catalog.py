"""From facts and prices to the core's catalog.

Known limitations: that a Bedrock model is in the catalog under an inference profile says what it would cost there, not
that AWS offers it there; the differences in price between AWS regions of one profile are not represented.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from turnout.config.errors import ConfigError
from turnout.config.fact_file import Fact, Provenance
from turnout.config.fact_types import FACT_GROUPS
from turnout.config.facts import Facts, PlacedModel, load_facts
from turnout.config.prices import price_schedule
from turnout.core.cache import NO_CACHE, CacheRules
from turnout.core.catalog import Capabilities, Catalog, Model, UnknownModelError, unknown
from turnout.core.price import Price, PriceError


def load_catalog(overrides: Path | None = None, *, on: date | None = None) -> Catalog:
    """The known models with their prices.

    Args:
        overrides: A user's file of facts, in the format of ``catalog.toml``; what it states wins over ours.
        on: The day (UTC) whose prices hold; today if none is given. A catalog keeps the prices that it was loaded with.

    Raises:
        ConfigError: The file cannot be used, or a model of it lacks what a model needs.
    """
    day = on or datetime.now(UTC).date()
    facts = load_facts(overrides)
    try:
        return Catalog.of(model for placed in facts.placed_models() for model in _models_of(placed, facts, day))
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{overrides}: {error}") from None


def provenance(model_id: str, *, overrides: Path | None = None) -> dict[str, Provenance]:
    """Where each fact of a model is known from.

    Args:
        model_id: The catalog id.
        overrides: The user's file that the catalog was loaded with.

    Returns:
        A provenance for each stated fact by its dotted name in `Model`, such as ``cache.floor_tokens`` or ``price``;
        for Bedrock models also ``profile``, for what the inference profile adds to the price. Facts that are not in it
        have the core's defaults.

    Raises:
        UnknownModelError: The catalog has no such model; the message names the nearest one.
    """
    facts = load_facts(overrides)
    known: list[str] = []
    for placed in facts.placed_models():
        for catalog_id, profile in _ids_of(placed, facts):
            if catalog_id == model_id:
                found = {name: fact.provenance for name, fact in sorted(placed.facts.items())}
                return found if profile is None else found | {"profile": profile.provenance}
            known.append(catalog_id)
    raise UnknownModelError(unknown("model", model_id, known))


def _ids_of(placed: PlacedModel, facts: Facts) -> list[tuple[str, Fact | None]]:
    """The catalog ids of a model, on Bedrock with the profile's multiplier."""
    if placed.provider != "bedrock":
        return [(f"{placed.provider}/{placed.model_id}", None)]
    return [(f"bedrock/{name}.{placed.model_id}", fact) for name, fact in facts.profiles.items()]


def _models_of(placed: PlacedModel, facts: Facts, day: date) -> list[Model]:
    values = {name: fact.value for name, fact in placed.facts.items()}
    for needed in ("price", "context_window"):
        if needed not in values:
            raise ConfigError(f"the model {placed.key!r} at {placed.provider!r} needs {needed!r}")
    groups = {group: _group(values, group) for group in FACT_GROUPS}
    own = {name: value for name, value in values.items() if "." not in name and name != "price"}
    base_price = _price(placed.facts["price"], day)
    models = []
    for catalog_id, profile in _ids_of(placed, facts):
        provider, _, model_id = catalog_id.partition("/")
        models.append(
            Model(
                id=catalog_id,
                provider=provider,
                model_id=model_id,
                name=placed.name,
                price=base_price if profile is None else _scaled(base_price, profile, placed.facts["price"]),
                cache=CacheRules(**groups["cache"]) if groups["cache"] else NO_CACHE,
                capabilities=Capabilities(**groups["capabilities"]),
                **own,
            )
        )
    return models


def _group(values: dict[str, Any], group: str) -> dict[str, Any]:
    prefix = group + "."
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def _price(fact: Fact, day: date) -> Price:
    try:
        return price_schedule(fact.value).on(day)
    except ConfigError as error:
        raise ConfigError(f"{fact.where}: {error}") from None


def _scaled(price: Price, profile: Fact, fact: Fact) -> Price:
    try:
        return price.scaled(profile.value)
    except PriceError as error:
        raise ConfigError(f"{fact.where}: times {profile.value} ({profile.where}): {error}") from None
