"""`turnout demo`: the demonstration of the reference agent, from a clone of the project."""

from __future__ import annotations

from typing import Any

import typer

from turnout.cli.examples import in_clone
from turnout.cli.running import run_function

NAME = "demo"

# The options are the demonstration's own, which stands in the clone: they are passed on as they are.
SETTINGS: dict[str, Any] = {
    "context_settings": {"allow_extra_args": True, "ignore_unknown_options": True},
    "add_help_option": False,
}


def run(context: typer.Context) -> int:
    """Show the reference prompts with and without routing; `turnout demo --help` lists the options."""
    main = in_clone("examples.customer_support.demo.__main__", "main")
    return run_function(main, "turnout demo", context.args)
