"""One file of facts: the format of ``catalog.toml`` and of a user's file of overrides.

A file has four kinds of tables, all of them optional:

- ``[sources.NAME]``: ``title``, ``url`` and the ``date`` on which it was read.
- ``[profiles]``: for each Bedrock inference profile, what the global rate is multiplied by.
- ``[shared.NAME]``: facts that several models share.
- ``[models.KEY]``: ``name``, ``aliases``, the groups of ``shared`` facts that hold for it (later ones win), its own
  facts, and for each provider that serves it a table ``at.PROVIDER`` with its ``id`` there, the other spellings in
  which that id is seen (``also``), and facts that hold only there.

A fact is a bare value, or a table: ``is`` the value, ``from`` the name of a source, ``disputed = true`` where sources
disagree, and a ``note``. Facts are named like the attributes of `turnout.core.catalog.Model`; ``price`` takes what
`turnout.config.prices.price_schedule` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from turnout.config.errors import ConfigError
from turnout.config.fact_types import FACT_GROUPS, FACT_TYPES, converted
from turnout.config.genai_package import PACKAGE, package_version
from turnout.config.toml_file import read_toml
from turnout.core.catalog import unknown

_TABLES = ("sources", "profiles", "shared", "models")


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a fact is known from.

    Attributes:
        source: The source's title; for a bare value in a user's file, that file.
        url: Where to read it.
        read: The day on which it was read, or none.
        disputed: Whether sources disagree; the note says how.
        note: What else should be known.
    """

    source: str
    url: str = ""
    read: date | None = None
    disputed: bool = False
    note: str = ""


class Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value, where it stands (file and key), and where it is known from."""

    value: Any
    where: str
    provenance: Provenance


class PlaceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What one file states of one model at one provider."""

    id: str | None = None
    also: tuple[str, ...] | None = None
    facts: dict[str, Fact] = {}


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What one file states of one model; none: nothing."""

    name: str | None = None
    aliases: tuple[str, ...] | None = None
    shared: tuple[str, ...] | None = None
    facts: dict[str, Fact] = {}
    places: dict[str, PlaceEntry] = {}


class FactFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file, as it stands."""

    path: Path
    sources: dict[str, Provenance]
    profiles: dict[str, Fact]
    shared: dict[str, dict[str, Fact]]
    models: dict[str, ModelEntry]


def read_fact_file(path: Path, known_sources: Mapping[str, Provenance] = MappingProxyType({})) -> FactFile:
    """What a file states.

    Args:
        path: The file.
        known_sources: Sources that its facts may name although it does not define them.

    Raises:
        ConfigError: The file cannot be read, or holds an unknown key or a value of the wrong kind.
    """
    document = read_toml(path)
    where = str(path)
    _only(document, _TABLES, where)
    tables = {key: _table(document.get(key, {}), f"{where}: {key}") for key in _TABLES}
    sources = {**known_sources, **{n: _source(v, f"{where}: sources.{n}") for n, v in tables["sources"].items()}}
    reader = _Reader(path, sources)
    return FactFile(
        path=path,
        sources=sources,
        profiles={n: reader.multiplier(v, f"{where}: profiles.{n}") for n, v in tables["profiles"].items()},
        shared={n: reader.facts(v, f"{where}: shared.{n}") for n, v in tables["shared"].items()},
        models={n: reader.model(v, f"{where}: models.{n}") for n, v in tables["models"].items()},
    )


class _Reader:
    """Reads the tables of one file; ``where`` is always the file and the key at hand."""

    def __init__(self, path: Path, sources: Mapping[str, Provenance]) -> None:
        self._path = path
        self._sources = sources

    def model(self, value: Any, where: str) -> ModelEntry:
        table = dict(_table(value, where))
        places = _table(table.pop("at", {}), f"{where}.at")
        own = {key: table.pop(key) for key in ("name", "aliases", "shared") if key in table}
        return ModelEntry(
            name=_text(own["name"], f"{where}.name") if "name" in own else None,
            aliases=_texts(own["aliases"], f"{where}.aliases") if "aliases" in own else None,
            shared=_texts(own["shared"], f"{where}.shared") if "shared" in own else None,
            facts=self.facts(table, where, also_known=("name", "aliases", "shared", "at")),
            places={provider: self.place(v, f"{where}.at.{provider}") for provider, v in places.items()},
        )

    def place(self, value: Any, where: str) -> PlaceEntry:
        table = dict(_table(value, where))
        own = {key: table.pop(key) for key in ("id", "also") if key in table}
        return PlaceEntry(
            id=_text(own["id"], f"{where}.id") if "id" in own else None,
            also=_texts(own["also"], f"{where}.also") if "also" in own else None,
            facts=self.facts(table, where, also_known=("id", "also")),
        )

    def facts(self, value: Any, where: str, also_known: tuple[str, ...] = ()) -> dict[str, Fact]:
        """The facts of a table, by dotted name."""
        facts: dict[str, Fact] = {}
        for key, entry in _table(value, where).items():
            if key in FACT_GROUPS:
                members = [name.removeprefix(key + ".") for name in FACT_TYPES if name.startswith(key + ".")]
                _only(_table(entry, f"{where}.{key}"), members, f"{where}.{key}")
                for member, inner in entry.items():
                    facts[f"{key}.{member}"] = self._fact(f"{key}.{member}", inner, f"{where}.{key}.{member}")
            elif key in FACT_TYPES:
                facts[key] = self._fact(key, entry, f"{where}.{key}")
            else:
                names = [name for name in FACT_TYPES if "." not in name]
                raise ConfigError(f"{where}: {unknown('key', key, [*names, *FACT_GROUPS, *also_known])}")
        return facts

    def multiplier(self, value: Any, where: str) -> Fact:
        value, provenance = self._provenance(value, where)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            number = Decimal(value)
            if number.is_finite() and number > 0:
                return Fact(number, where, provenance)
        raise ConfigError(f"{where}: must be a number above 0")

    def _fact(self, name: str, value: Any, where: str) -> Fact:
        if name == "price" and isinstance(value, str) and value.startswith(PACKAGE + ":") and PACKAGE in self._sources:
            # Such a price says itself where it comes from.
            entry = value.removeprefix(PACKAGE + ":")
            note = f"entry {entry!r} of version {package_version()}"
            return Fact(value, where, msgspec.structs.replace(self._sources[PACKAGE], note=note))
        value, provenance = self._provenance(value, where)
        return Fact(converted(name, value, where), where, provenance)

    def _provenance(self, value: Any, where: str) -> tuple[Any, Provenance]:
        if not isinstance(value, Mapping) or "is" not in value:
            return value, Provenance(source=str(self._path))
        _only(value, ("is", "from", "disputed", "note"), where)
        provenance = Provenance(source=str(self._path))
        if "from" in value:
            name = _text(value["from"], f"{where}.from")
            if name not in self._sources:
                raise ConfigError(f"{where}.from: {unknown('source', name, self._sources)}")
            provenance = self._sources[name]
        disputed = value.get("disputed", False)
        if not isinstance(disputed, bool):
            raise ConfigError(f"{where}.disputed: must be true or false")
        note = _text(value.get("note", ""), f"{where}.note")
        return value["is"], msgspec.structs.replace(provenance, disputed=disputed, note=note)


def _source(value: Any, where: str) -> Provenance:
    table = _table(value, where)
    _only(table, ("title", "url", "date"), where)
    if "title" not in table:
        raise ConfigError(f"{where}: a source needs a 'title'")
    read = table.get("date")
    # A date with a time is a date to Python, too.
    if read is not None and type(read) is not date:
        raise ConfigError(f"{where}.date: must be a date, such as 2026-11-23")
    title, url = _text(table["title"], f"{where}.title"), _text(table.get("url", ""), f"{where}.url")
    return Provenance(source=title, url=url, read=read)


def _only(table: Mapping[str, Any], known: tuple[str, ...] | list[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(f"{where}: {unknown('key', key, known)}")


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where}: must be a table")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"{where}: must be text")
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ConfigError(f"{where}: must be a list of texts")
    return tuple(value)
