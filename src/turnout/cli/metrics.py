"""`turnout metrics`: what a run cost, read from the ledger or from Langfuse."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer

from turnout.cli.common import ConfigOption, JsonOption, LedgerOption, console, load, open_for_reading, print_json
from turnout.cli.errors import UserError
from turnout.cli.sources import Source, SourceOption, one_source, read_runs
from turnout.core.cost import pico_to_usd
from turnout.trace.store.ledger import Run
from turnout.trace.views.documents import to_json
from turnout.trace.views.fitting import FittingTable
from turnout.trace.views.metrics import RunMetrics, run_metrics
from turnout.trace.views.tables import metrics_table, summary_table

NAME = "metrics"


def run(
    run: Annotated[str | None, typer.Argument(help="Name of the run. Default: the newest.")] = None,
    source: SourceOption = Source.LEDGER,
    list_runs: Annotated[bool, typer.Option("--list", help="List the runs in the ledger instead.")] = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print a run's turns, totals and summary, from the ledger or from Langfuse."""
    one_source(source, ledger)
    settings, catalog = load(config)
    names = {model.id: model.name for model in catalog.models}
    if source is Source.LANGFUSE:
        if list_runs:
            raise UserError("--list lists the runs in the ledger: leave --source langfuse out")
        if run is None:
            raise UserError("name the run that Langfuse is to be asked for: turnout metrics RUN --source langfuse")
        [metrics] = read_runs([run], source, settings.ledger)
        _print(metrics, names, json=json)
        return
    with open_for_reading(ledger or settings.ledger) as opened:
        runs = opened.runs()
        if list_runs:
            _list(runs, json=json)
            return
        if run is None:
            if not runs:
                raise UserError(f"{opened.path}: the ledger holds no run yet; `turnout demo` makes some")
            run = max(runs, key=lambda one: one.created_ms).name
        metrics = run_metrics(opened, run)
    _print(metrics, names, json=json)


def _print(metrics: RunMetrics, names: Mapping[str, str], *, json: bool) -> None:
    if json:
        print_json(to_json(metrics, names=names))
    else:
        console().print(metrics_table(metrics, names=names), summary_table(metrics, names=names))
        if metrics.beside.calls:
            low, high = pico_to_usd(metrics.beside.cost_pico), pico_to_usd(metrics.beside.high_pico)
            cost = f"{low:.6f} USD" if low == high else f"{low:.6f} to {high:.6f} USD"
            console().print(f"Beside the turns: {metrics.beside.calls:,} calls of shadow evaluation, {cost}.")


def _list(runs: list[Run], *, json: bool) -> None:
    if json:
        print_json(runs)
        return
    table = FittingTable(title="runs, the newest last", title_justify="left")
    for heading in ("run", "started", "models", "calls", "decisions", "note"):
        table.add_column(heading, justify="right" if heading in ("calls", "decisions") else "left", overflow="fold")
    for one in sorted(runs, key=lambda one: one.created_ms):
        started = datetime.fromtimestamp(one.created_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        models = "simulated" if one.simulated else "real"
        table.add_row(one.name, started, models, str(one.calls), str(one.decisions), one.note)
    console().print(table)
