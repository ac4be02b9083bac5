"""Settings of a file, and settings with upstreams."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from turnout.config import Settings, load_settings

Configured = Callable[[str], Settings]


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    """Gives the settings of a file with this text."""

    def load(text: str) -> Settings:
        file = tmp_path / "settings.toml"
        file.write_text(text, encoding="utf-8")
        return load_settings(file)

    return load


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithUpstreams(Settings):
    """Settings that name providers' APIs."""

    upstreams: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def with_upstreams(settings: Settings, **upstreams: dict[str, str]) -> Settings:
    """The settings with these tables ``[upstreams.<name>]``."""
    keys = ("protocol", "provider", "base_url", "auth", "key_env", "region")
    tables = {name: SimpleNamespace(**{**dict.fromkeys(keys), **one}) for name, one in upstreams.items()}
    fields = {field.name: getattr(settings, field.name) for field in dataclasses.fields(Settings)}
    return WithUpstreams(**{**fields, "upstreams": tables})
