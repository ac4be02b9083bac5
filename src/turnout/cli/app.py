"""The command line as a whole: its commands, and what a user sees when something is wrong.

A mistake of the user ends with one line on standard error that says what to do, and exit code 2.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Annotated

import typer
from typer.exceptions import Abort, TyperException

import turnout
from turnout.cli import chat, classify, compare, demo, doctor, explain, ledger, metrics, models, report
from turnout.cli.errors import UserError
from turnout.config.errors import ConfigError
from turnout.core.catalog import UnknownModelError
from turnout.trace.errors import LedgerError
from turnout.trace.langfuse.errors import LangfuseSettingsError
from turnout.upstream.local.extras import MissingExtraError
from turnout.upstream.local.weights import WeightsError

EXIT_USER_ERROR = 2
EXIT_STOPPED = 130

USER_ERRORS = (
    UserError,
    ConfigError,
    LedgerError,
    LangfuseSettingsError,
    UnknownModelError,
    MissingExtraError,
    WeightsError,
)
"""What a user can mend: told in one line, without a traceback."""

app = typer.Typer(
    name="turnout",
    help="Send each request to the cheapest language model that can carry it, and say why.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (doctor, classify, chat, demo, metrics, compare, explain, report, models):
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
    return _run(app, arguments, "turnout")


def run_function(function: Callable[..., object], name: str, arguments: list[str] | None = None) -> int:
    """Run one function as a command line of its own, with the same manners, and return the exit code."""
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command()(function)
    return _run(alone, sys.argv[1:] if arguments is None else arguments, name)


def _run(commands: typer.Typer, arguments: list[str], name: str) -> int:
    try:
        result = commands(args=arguments, prog_name=name, standalone_mode=False)
    except (Abort, KeyboardInterrupt):
        return _complain("stopped", code=EXIT_STOPPED)
    except TyperException as error:
        return _complain(error.format_message())
    except USER_ERRORS as error:
        return _complain(str(error))
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does.
        sys.stderr.close()
        return 0
    if result == EXIT_STOPPED:
        return _complain("stopped", code=EXIT_STOPPED)
    return result if isinstance(result, int) else 0


def _complain(message: str, *, code: int = EXIT_USER_ERROR) -> int:
    print("turnout: " + " ".join(message.split()), file=sys.stderr)
    return code
