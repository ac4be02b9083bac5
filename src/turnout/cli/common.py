"""What several commands share: options, settings, consoles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console

from turnout.config import load_catalog
from turnout.core.catalog import Catalog
from turnout.trace.errors import OutdatedLedgerError
from turnout.trace.store.ledger import Ledger

if TYPE_CHECKING:
    from turnout.config import Settings

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Settings file. Default: TURNOUT_CONFIG, else turnout.toml here.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")]
LedgerOption = Annotated[Path | None, typer.Option("--ledger", help="Ledger file. Default: as configured.")]


def console() -> Console:
    """Where results go: standard output; wide enough for our tables where that is no terminal."""
    found = Console()
    return found if found.is_terminal else Console(width=140, no_color=True)


def progress_console() -> Console:
    """Where progress goes: standard error, so that results can be piped."""
    return Console(stderr=True)


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2).decode())


def load(config: Path | None, *, calibrated: bool = True) -> tuple[Settings, Catalog]:
    """Settings, and the catalog with the user's overrides.

    Args:
        config: The file of settings.
        calibrated: As of `turnout.config.settings.load_settings`.

    Raises:
        ConfigError: Either cannot be loaded.
    """
    from turnout.config import load_settings

    settings = load_settings(config, calibrated=calibrated)
    return settings, load_catalog(settings.overrides)


def open_for_reading(path: Path) -> Ledger:
    """An existing ledger, opened without writing; one of an older version is first brought up to date.

    Raises:
        LedgerError: There is none, it cannot be read, or it is of an older version and cannot be written.
    """
    try:
        return Ledger(path, create=False, read_only=True)
    except OutdatedLedgerError:
        Ledger(path, create=False).close()
        return Ledger(path, create=False, read_only=True)
