"""A group of commands whose modules are loaded when a command is asked for, and not before.

Most of the time that `turnout --help` took went into importing what the commands work with. The group's help needs one
line a command and nothing else, so these lines stand beside the names.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup


class LazyCommands(TyperGroup):
    """Commands by name, each in a module of that name in ``turnout.cli``.

    A module has a function ``run`` (and may have ``SETTINGS`` for it), or a Typer ``app`` with commands of its own.

    Attributes:
        summaries: For each command the line that the group's help shows.
    """

    summaries: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        # Names to list and to suggest from; what runs is loaded by `get_command`.
        self.commands = {name: TyperCommand(name, help=line) for name, line in self.summaries.items()}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, its module loaded; none if there is no such command."""
        return load_command(cmd_name) if cmd_name in self.summaries else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands from their summaries, as the group that is not lazy would from their help."""
        room = formatter.width - 6 - max(len(name) for name in self.commands)
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(room)) for name, one in self.commands.items()])


def load_command(name: str) -> Any:
    """Load a command from its module."""
    module = importlib.import_module(f"turnout.cli.{name}")
    parent = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    if hasattr(module, "app"):
        parent.add_typer(module.app, name=name)
        return typer.main.get_group(parent).commands[name]
    parent.command(name=name, **getattr(module, "SETTINGS", {}))(module.run)
    return typer.main.get_command(parent)
