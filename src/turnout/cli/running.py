"""Runs a command line: what a user sees when something is wrong, and the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer
from typer.exceptions import Abort, TyperException

from turnout.cli.errors import UserError

EXIT_USER_ERROR = 2
EXIT_STOPPED = 130


def user_errors() -> tuple[type[Exception], ...]:
    """What a user can mend: told in one line, without a traceback.

    Imported when something went wrong and not before: the rooms that they come from take 0.1 s, and help needs none.
    """
    from turnout.classify.learned.artefact import ArtefactError
    from turnout.config.errors import ConfigError
    from turnout.config.extras import MissingExtraError
    from turnout.core.catalog import UnknownModelError
    from turnout.trace.errors import LedgerError
    from turnout.trace.langfuse.errors import LangfuseSettingsError
    from turnout.upstream.local.weights import WeightsError

    return (
        UserError,
        ArtefactError,
        ConfigError,
        LedgerError,
        LangfuseSettingsError,
        UnknownModelError,
        MissingExtraError,
        WeightsError,
    )


def run_function(function: Callable[..., object], name: str, arguments: list[str] | None = None) -> int:
    """Run one function as a command line of its own, with the same manners, and return the exit code."""
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command()(function)
    return run_commands(alone, sys.argv[1:] if arguments is None else arguments, name)


def run_commands(commands: typer.Typer, arguments: list[str], name: str) -> int:
    """Run commands with these arguments under that name and return the exit code."""
    try:
        result = commands(args=arguments, prog_name=name, standalone_mode=False)
    except (Abort, KeyboardInterrupt):
        return _complain("stopped", code=EXIT_STOPPED)
    except TyperException as error:
        return _complain(error.format_message() + _help_of(error))
    except user_errors() as error:
        return _complain(str(error))
    except BrokenPipeError:
        # The reader of our output went away, as `| head` does.
        sys.stderr.close()
        return 0
    if result == EXIT_STOPPED:
        return _complain("stopped", code=EXIT_STOPPED)
    return result if isinstance(result, int) else 0


def _help_of(error: TyperException) -> str:
    """Where the command says what it takes; nothing if the error does not know its command."""
    context = getattr(error, "ctx", None)
    return "" if context is None else f" See: {context.command_path} --help"


def _complain(message: str, *, code: int = EXIT_USER_ERROR) -> int:
    print("turnout: " + " ".join(message.split()), file=sys.stderr)
    return code
