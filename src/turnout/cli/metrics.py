"""`turnout metrics`: what a run cost, read from the ledger or from Langfuse."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from turnout.cli.common import ConfigOption, JsonOption, LedgerOption, console, load, open_for_reading, print_json
from turnout.cli.errors import UserError
from turnout.trace.store.ledger import Run
from turnout.trace.views.metrics import RunMetrics, run_metrics
from turnout.trace.views.tables import metrics_table, summary_table, to_json

NAME = "metrics"


class Source(StrEnum):
    """Where runs are read from."""

    LEDGER = "ledger"
    LANGFUSE = "langfuse"


def run(
    run: Annotated[str | None, typer.Argument(help="Name of the run. Default: the newest.")] = None,
    source: Annotated[
        Source, typer.Option(help="Where the run is read from; langfuse needs its LANGFUSE_ variables.")
    ] = Source.LEDGER,
    list_runs: Annotated[bool, typer.Option("--list", help="List the runs in the ledger instead.")] = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print a run's turns, totals and summary, from the ledger or from Langfuse."""
    settings, catalog = load(config)
    names = {model.id: model.name for model in catalog.models}
    if source is Source.LANGFUSE:
        _print(_from_langfuse(run), names, json=json)
        return
    with open_for_reading(ledger or settings.ledger) as opened:
        runs = opened.runs()
        if list_runs:
            _list(runs, json=json)
            return
        if run is None and not runs:
            raise UserError(f"{opened.path}: the ledger holds no run yet; `make demo` makes some")
        metrics = run_metrics(opened, run or max(runs, key=lambda one: one.created_ms).name)
    _print(metrics, names, json=json)


def _from_langfuse(run: str | None) -> RunMetrics:
    from turnout.trace.langfuse import LangfuseError, LangfuseReader, langfuse_settings

    if run is None:
        raise UserError("name the run that Langfuse is to be asked for")
    try:
        settings = langfuse_settings(os.environ)
        if settings is None:
            raise UserError("Langfuse is not configured: set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY")
        with LangfuseReader(settings) as reader:
            return reader.run(run)
    except LangfuseError as error:
        raise UserError(str(error)) from None


def _print(metrics: RunMetrics, names: Mapping[str, str], *, json: bool) -> None:
    if json:
        print_json(to_json(metrics, names=names))
    else:
        console().print(metrics_table(metrics, names=names), summary_table(metrics, names=names))


def _list(runs: list[Run], *, json: bool) -> None:
    if json:
        print_json(runs)
        return
    table = Table(title="runs, the newest last", title_justify="left")
    for heading in ("run", "started", "models", "calls", "decisions", "note"):
        table.add_column(heading, justify="right" if heading in ("calls", "decisions") else "left", overflow="fold")
    for one in sorted(runs, key=lambda one: one.created_ms):
        started = datetime.fromtimestamp(one.created_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        models = "simulated" if one.simulated else "real"
        table.add_row(one.name, started, models, str(one.calls), str(one.decisions), one.note)
    console().print(table)
