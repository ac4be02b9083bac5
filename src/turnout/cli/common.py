"""What several commands share: options, settings, consoles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console

from turnout.cli.errors import UserError
from turnout.cli.running import EXIT_USER_ERROR
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


def group(context: typer.Context) -> None:
    """What a group of commands does where none of them is named: it shows its help, and that is an error."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(EXIT_USER_ERROR)


def models_named(text: str, option: str) -> list[str]:
    """The models that a user names, the least capable first.

    Raises:
        UserError: There are fewer than two, or one has no name.
    """
    names = [name.strip() for name in text.split(",")]
    if len(names) < 2 or not all(names):
        raise UserError(f"{option} must be two or more names, the least capable first, got {text!r}")
    return names


def pair_named(text: str) -> tuple[str, str, str]:
    """The cheap model, the capable one and the dataset (empty: all) of ``CHEAP,CAPABLE`` or ``CHEAP,CAPABLE@DATASET``.

    Raises:
        UserError: It is of another form.
    """
    models, _, dataset = text.partition("@")
    cheap, comma, capable = models.partition(",")
    if not comma or not cheap.strip() or not capable.strip() or "," in capable:
        raise UserError(f"--pair must be CHEAP,CAPABLE or CHEAP,CAPABLE@DATASET, got {text!r}")
    return cheap.strip(), capable.strip(), dataset.strip()


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
