"""`turnout init`: a commented file of settings to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from turnout.cli.common import progress_console
from turnout.cli.errors import UserError
from turnout.config.settings import FILE_NAME
from turnout.config.settings_file import settings_file

NAME = "init"


def run(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path(FILE_NAME),
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write a turnout.toml with every key, what it means and its default, commented out."""
    try:
        with file.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(settings_file())
    except FileExistsError:
        raise UserError(f"{file} is there already; --force writes over it") from None
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}") from None
    progress_console().print(f"wrote {file}; edit it, then run: turnout check {file}", soft_wrap=True, highlight=False)
