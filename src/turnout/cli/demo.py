"""`turnout demo`: the demonstration of the reference agent, from a clone of the project."""

from __future__ import annotations

import typer

from turnout.cli.examples import in_clone

NAME = "demo"


def run(context: typer.Context) -> int:
    """Show the reference prompts with and without routing; options as of `make demo` (see `turnout demo -- --help`)."""
    main = in_clone("examples.customer_support.demo.__main__", "main")
    from turnout.cli.app import run_function

    return run_function(main, "turnout demo", context.args)
