"""`turnout schema`: the JSON schema of the settings."""

from __future__ import annotations

import typer

from turnout.config.json_schema import json_schema_text

NAME = "schema"


def run() -> None:
    """Print the JSON schema of turnout.toml, for editors."""
    typer.echo(json_schema_text(), nl=False)
