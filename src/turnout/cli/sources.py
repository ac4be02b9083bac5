"""Where commands read runs from: the ledger, or Langfuse."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnout.cli.common import open_for_reading
from turnout.cli.errors import UserError
from turnout.trace.views.metrics import RunMetrics, run_metrics

if TYPE_CHECKING:
    from turnout.trace.langfuse import LangfuseSettings

NOT_CONFIGURED = (
    "Langfuse is not switched on: set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, and LANGFUSE_BASE_URL where it is "
    "not Langfuse Cloud in the EU"
)


class Source(StrEnum):
    """Where runs are read from."""

    LEDGER = "ledger"
    LANGFUSE = "langfuse"


SourceOption = Annotated[
    Source, typer.Option(help="Where the run is read from; langfuse needs its LANGFUSE_ variables.")
]


def one_source(source: Source, ledger: Path | None) -> None:
    """Refuse two sources at once.

    Raises:
        UserError: A ledger is named beside Langfuse.
    """
    if source is Source.LANGFUSE and ledger is not None:
        raise UserError("--ledger and --source langfuse name two places to read from: leave one out")


def read_runs(names: Sequence[str], source: Source, path: Path) -> list[RunMetrics]:
    """The metrics of runs.

    Args:
        names: The runs' names.
        source: Where they are.
        path: The ledger, for that source.

    Raises:
        UserError: Langfuse is not switched on, or cannot be read.
        LedgerError: The ledger cannot be read, or has no such run.
    """
    if source is Source.LANGFUSE:
        return _from_langfuse(names)
    with open_for_reading(path) as opened:
        return [run_metrics(opened, name) for name in names]


def langfuse_switched_on() -> LangfuseSettings:
    """The settings of Langfuse in the environment.

    Raises:
        UserError: There are none, or they cannot be used.
    """
    from turnout.trace.langfuse import LangfuseError, langfuse_settings

    try:
        settings = langfuse_settings(os.environ)
    except LangfuseError as error:
        raise UserError(str(error)) from None
    if settings is None:
        raise UserError(NOT_CONFIGURED)
    return settings


def _from_langfuse(names: Sequence[str]) -> list[RunMetrics]:
    from turnout.trace.langfuse import LangfuseError, LangfuseReader

    try:
        with LangfuseReader(langfuse_switched_on()) as reader:
            return [reader.run(name) for name in names]
    except LangfuseError as error:
        raise UserError(str(error)) from None
