"""The command line as a whole: its commands and the options that they share."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

import turnout
from turnout.cli import chat, classify, compare, demo, doctor, explain, ledger, metrics, models, replay, report
from turnout.cli.running import EXIT_USER_ERROR, run_commands

app = typer.Typer(
    name="turnout",
    help="Send each request to the cheapest language model that can carry it, and say why.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (doctor, classify, chat, demo, metrics, compare, explain, report, replay, models):
    app.command(name=command.NAME, **getattr(command, "SETTINGS", {}))(command.run)
app.add_typer(ledger.app, name=ledger.NAME)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"turnout {turnout.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Print logs of level info to standard error.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, stream=sys.stderr, format="%(levelname)s %(message)s"
    )
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(EXIT_USER_ERROR)


def main() -> None:
    """Run the command line and exit: 0, or 2 after one line that says what was wrong, or 130 after Ctrl-C."""
    sys.exit(call(sys.argv[1:]))


def call(arguments: list[str]) -> int:
    """Run the command line with these arguments and return the exit code."""
    return run_commands(app, arguments, "turnout")
