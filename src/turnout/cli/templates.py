"""`turnout templates`: what runs the gateway as a service."""

from __future__ import annotations

from typing import Annotated

import typer

from turnout.cli.errors import UserError
from turnout.deploy.templates.docker import PORT, PYTHON, gateway_dockerfile
from turnout.deploy.templates.systemd import COMMAND, CONFIG, systemd_unit

NAME = "templates"

app = typer.Typer(
    help="Print what runs the gateway as a service: a systemd unit, a Dockerfile.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def systemd(
    command: Annotated[str, typer.Option(help="The absolute path of turnout.")] = COMMAND,
    config: Annotated[str, typer.Option(help="The absolute path of the settings.")] = CONFIG,
) -> None:
    """Print a hardened systemd unit."""
    try:
        typer.echo(systemd_unit(command, config), nl=False)
    except ValueError as error:
        raise UserError(str(error)) from None


@app.command()
def docker(
    python: Annotated[str, typer.Option(help="The version of Python in the image.")] = PYTHON,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Where the gateway listens in the container.")] = PORT,
) -> None:
    """Print a Dockerfile."""
    typer.echo(gateway_dockerfile(python=python, port=port), nl=False)
