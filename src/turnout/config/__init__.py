"""Loads the catalog, prices, ``turnout.toml`` and the environment into values of the core.

The settings are loaded on first use: they need pydantic, which the catalog does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnout.config.catalog import load_catalog, provenance
from turnout.config.errors import ConfigError
from turnout.config.fact_file import Provenance
from turnout.config.model_names import resolve_bedrock_id
from turnout.config.pairs import DEFAULT_PAIR, PAIR_4, PAIR_5_5, Pair

if TYPE_CHECKING:
    from turnout.config.settings import Settings, load_settings

__all__ = [
    "DEFAULT_PAIR",
    "PAIR_4",
    "PAIR_5_5",
    "ConfigError",
    "Pair",
    "Provenance",
    "Settings",
    "load_catalog",
    "load_settings",
    "provenance",
    "resolve_bedrock_id",
]


def __getattr__(name: str) -> Any:
    if name in ("Settings", "load_settings"):
        from turnout.config import settings

        return getattr(settings, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
