"""All facts of models: our own with the user's laid over them.

The user's file has the format of ours (see `turnout.config.fact_file`) and wins fact by fact: whatever it states of a
model holds wherever ours states it, be it a shared group, the model or one of its providers.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec

from turnout.config.errors import ConfigError
from turnout.config.fact_file import Fact, FactFile, ModelEntry, PlaceEntry, read_fact_file
from turnout.config.genai_package import PACKAGE
from turnout.core.catalog import unknown

T = TypeVar("T")

PACKAGED = Path(__file__).with_name("catalog.toml")
"""Our own facts."""


class PlacedModel(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known of one model at one provider, all files taken together.

    ``model_id`` carries no inference profile; ``spellings`` are the other names by which it is found at that provider.
    """

    key: str
    name: str
    provider: str
    model_id: str
    spellings: tuple[str, ...]
    facts: dict[str, Fact]


class Facts(msgspec.Struct, frozen=True):
    """Our facts with the user's laid over them."""

    files: tuple[FactFile, ...]

    @property
    def profiles(self) -> dict[str, Fact]:
        """Bedrock's inference profiles and what the global rate is multiplied by."""
        return {name: fact for file in self.files for name, fact in file.profiles.items()}

    def placed_models(self) -> tuple[PlacedModel, ...]:
        """Every model at every provider that serves it.

        Raises:
            ConfigError: A model has no name, no provider, or no id there.
        """
        keys = dict.fromkeys(key for file in self.files for key in file.models)
        return tuple(placed for key in keys for placed in self._places_of(key))

    def price_references(self) -> set[str]:
        """The entries of ``genai-prices`` that are named, as ``provider/model``."""
        prices = [placed.facts["price"].value for placed in self.placed_models() if "price" in placed.facts]
        prefix = PACKAGE + ":"
        return {price.removeprefix(prefix) for price in prices if isinstance(price, str) and price.startswith(prefix)}

    def _places_of(self, key: str) -> list[PlacedModel]:
        entries = [(file, file.models.get(key, ModelEntry())) for file in self.files]
        latest = next(file for file in reversed(self.files) if key in file.models)
        where = f"{latest.path}: models.{key}"
        ours = [name for file in self.files[:1] for name in file.models]
        if key not in self.files[0].models and all(entry.name is None for _, entry in entries):
            raise ConfigError(f"{where}: {unknown('model', key, ours)}; a new model needs a 'name'")
        name = _last(entry.name for _, entry in entries) or key
        aliases = _last(entry.aliases for _, entry in entries) or ()
        shared = _last(entry.shared for _, entry in entries) or ()
        groups = [group for file in self.files for group in file.shared]
        for group in shared:
            if group not in groups:
                raise ConfigError(f"{where}.shared: {unknown('group', group, groups)}")
        providers = dict.fromkeys(provider for _, entry in entries for provider in entry.places)
        if not providers:
            raise ConfigError(f"{where}: the model needs a table 'at.PROVIDER' with its 'id' there")
        placed = []
        for provider in providers:
            places = [entry.places.get(provider, PlaceEntry()) for _, entry in entries]
            model_id = _last(place.id for place in places)
            if model_id is None:
                raise ConfigError(f"{where}.at.{provider}: the model needs an 'id' there")
            facts: dict[str, Fact] = {}
            for (file, entry), place in zip(entries, places, strict=True):
                for group in shared:
                    facts |= file.shared.get(group, {})
                facts |= entry.facts | place.facts
            spellings = (*(_last(place.also for place in places) or ()), *aliases)
            placed.append(
                PlacedModel(key=key, name=name, provider=provider, model_id=model_id, spellings=spellings, facts=facts)
            )
        return placed


def load_facts(overrides: Path | None = None) -> Facts:
    """Our facts, and those of a user's file laid over them.

    Raises:
        ConfigError: The file cannot be read, or holds an unknown key or a value of the wrong kind.
    """
    ours = packaged_facts()
    if overrides is None:
        return ours
    return Facts((*ours.files, read_fact_file(overrides, ours.files[0].sources)))


@cache
def packaged_facts() -> Facts:
    """Our own facts."""
    return Facts((read_fact_file(PACKAGED),))


def _last(values: Iterable[T | None]) -> T | None:
    """The last of several statements that is one, or none."""
    return next((value for value in reversed(list(values)) if value is not None), None)
