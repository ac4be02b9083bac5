import subprocess
import sys

import pytest
import typer

from tests.cli.conftest import Run
from turnout.cli.app import Commands
from turnout.cli.lazy import LazyCommands, load_command


@pytest.mark.parametrize("name", list(Commands.summaries))
def test_the_line_of_a_command_is_the_first_line_of_its_own_help(name: str) -> None:
    help_text = load_command(name).help
    assert " ".join(help_text.partition("\n\n")[0].split()) == Commands.summaries[name]


def test_the_help_is_what_it_would_be_with_every_command_loaded(turnout: Run) -> None:
    whole = typer.main.get_command(typer.Typer(cls=Commands, rich_markup_mode=None, callback=lambda: None))
    context = typer.Context(whole)
    formatter = context.make_formatter()
    for name in whole.list_commands(context):  # type: ignore[attr-defined]  # it is a group
        assert whole.get_command(context, name).name == name  # type: ignore[attr-defined]  # it is a group
    super(LazyCommands, whole).format_commands(context, formatter)  # type: ignore[misc]  # typer's own way
    assert turnout("--help")[1].endswith(formatter.getvalue())


def test_help_loads_no_command() -> None:
    code = """
import sys
from turnout.cli.app import call
assert call(["--help"]) == 0
print(*sorted(name for name in sys.modules if name.startswith("turnout.cli.")), "rich" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (
        done.stdout.splitlines()[-1] == "turnout.cli.app turnout.cli.errors turnout.cli.lazy turnout.cli.running False"
    )


def test_a_command_with_commands_of_its_own_offers_no_completion(turnout: Run) -> None:
    code, out, _ = turnout("ledger", "--help")
    assert (code, "export" in out, "--install-completion" in out) == (0, True, False)


def test_an_unknown_command_names_the_nearest(turnout: Run) -> None:
    assert "Did you mean 'metrics'" in turnout("metricks")[2]
