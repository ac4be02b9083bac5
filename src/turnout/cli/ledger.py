"""`turnout ledger`: lists, shows, exports and prunes what was recorded."""

from __future__ import annotations

import json as json_module
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from turnout.cli.common import (
    ConfigOption,
    JsonOption,
    LedgerOption,
    console,
    group,
    load,
    open_for_reading,
    print_json,
    progress_console,
)
from turnout.cli.errors import UserError
from turnout.cli.progress import progress
from turnout.core.catalog import unknown
from turnout.core.cost import pico_to_usd
from turnout.trace.events import CallEvent, DecisionEvent, Event
from turnout.trace.store import selection
from turnout.trace.store.encode import encode_event
from turnout.trace.store.export import require_arrow, whole_file, write_jsonl, write_parquet
from turnout.trace.store.ledger import Ledger, Run
from turnout.trace.store.lookup import events_of, find
from turnout.trace.store.prune import Pruned, prune
from turnout.trace.store.selection import Filter
from turnout.trace.views.exactness import CostRange, certainty, cost_range, exactness_of
from turnout.trace.views.exactness_text import exactness_note
from turnout.trace.views.explain_text import printable
from turnout.trace.views.figures import usd, usd_range
from turnout.trace.views.fitting import FittingTable
from turnout.trace.views.tables import SIMULATED

NAME = "ledger"

app = typer.Typer(help="List, show, export and prune what was recorded.", invoke_without_command=True)

FORMATS = ("jsonl", "parquet")

RunOption = Annotated[str | None, typer.Option("--run", help="Only events of this run.")]
ModelOption = Annotated[str | None, typer.Option("--model", help="Only calls to this model, and decisions for it.")]
StatusOption = Annotated[
    str | None, typer.Option("--status", help=f"Only events that ended so: {', '.join(selection.STATUSES)}.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="Only what started since: an age such as 36h or 7d, or a date or time.")
]


app.callback()(group)


@app.command(name="list")
def list_(
    events: Annotated[bool, typer.Option("--events", help="List events; --run, --model, --status do so too.")] = False,
    run: RunOption = None,
    model: ModelOption = None,
    status: StatusOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List runs, or with --events or one of its filters events; the newest last."""
    opened, chosen, names = _open(ledger, config, run, model, status, since)
    with opened:
        if events or run or model or status:
            lines = selection.newest(opened, chosen, limit)
            if json:
                print_json(lines)
            else:
                console().print(_events_table(lines, names))
            return
        runs = [one for one in opened.runs() if chosen.since_ms is None or one.created_ms >= chosen.since_ms]
    if json:
        print_json(runs[-limit:])
    else:
        console().print(runs_table(runs[-limit:]))


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="Id of an event or a turn, or the beginning of one; last: the newest.")],
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show all that was recorded of an event, or of the events of a turn."""
    settings, _ = load(config)
    with open_for_reading(ledger or settings.ledger) as opened:
        shown = events_of(opened, find(opened, id))
    if json:
        print_json([json_module.loads(encode_event(event)) for event in shown])
        return
    for event in shown:
        console().print(_event_table(event))


@app.command()
def export(
    out: Annotated[Path | None, typer.Argument(help="The file. Default: standard output, for jsonl.")] = None,
    format: Annotated[str, typer.Option(help="jsonl: whole events; parquet: one row a call.")] = "jsonl",
    run: RunOption = None,
    model: ModelOption = None,
    status: StatusOption = None,
    since: SinceOption = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Write events to a file: JSON lines, whole events; or Parquet, one row a call, money as exact integers."""
    if format not in FORMATS:
        raise UserError(f"{unknown('format', format, FORMATS)}; one of {', '.join(FORMATS)}")
    if format == "parquet":
        require_arrow()
        if out is None:
            raise UserError("Parquet goes to a file, not to standard output: name one, such as calls.parquet")
    opened, chosen, _ = _open(ledger, config, run, model, status, since)
    with opened:
        total = selection.count(opened, chosen, "calls")
        if format == "jsonl":
            total += selection.count(opened, chosen, "decisions")
        with progress("exported", total) as advance:
            if out is None:
                write_jsonl(opened, chosen, sys.stdout.buffer, advance)
                sys.stdout.buffer.flush()
                return
            with whole_file(out, overwrite=force) as partial:
                if format == "parquet":
                    written = write_parquet(opened, chosen, partial, advance)
                else:
                    with partial.open("xb") as file:
                        written = write_jsonl(opened, chosen, file, advance)
    what = "calls" if format == "parquet" else "events"
    progress_console().print(f"{written:,} {what} written to {out}", highlight=False, markup=False)


@app.command(name="prune")
def prune_(
    older_than: Annotated[str, typer.Option(help="Delete turns whose newest event is older than that: 30d, 12w.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    vacuum: Annotated[bool, typer.Option("--vacuum", help="Make the file smaller too; needs its size free.")] = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Delete old turns for good, with the policies, catalogs and runs that nothing else uses."""
    settings, _ = load(config)
    path = ledger or settings.ledger
    before_ms = _now_ms() - selection.age_ms(older_than)
    planned = prune(path, before_ms, dry_run=True)
    if dry_run or not planned.events:
        _tell(planned, path, json=json)
        return
    if not yes:
        if not sys.stdin.isatty():
            raise UserError(f"{planned.events:,} events would be deleted and nobody can be asked: say --yes")
        if not typer.confirm(f"{_sentence(planned)}. Delete them for good?", err=True):
            raise typer.Abort
    with progress("deleted", planned.events) as advance:
        done = prune(path, before_ms, vacuum=vacuum, advance=advance)
    _tell(done, path, json=json)


def runs_table(runs: list[Run]) -> Table:
    """Runs, one a row."""
    table = FittingTable(title="runs, the newest last", title_justify="left")
    for heading in ("run", "started", "models", "calls", "decisions", "note"):
        table.add_column(heading, justify="right" if heading in ("calls", "decisions") else "left", overflow="fold")
    for one in runs:
        models = "simulated" if one.simulated else "real"
        cells = (one.name, _moment(one.created_ms), models, f"{one.calls:,}", f"{one.decisions:,}", one.note)
        table.add_row(*map(printable, cells))
    return table


def _open(
    ledger: Path | None, config: Path | None, run: str | None, model: str | None, status: str | None, since: str | None
) -> tuple[Ledger, Filter, dict[str, str]]:
    settings, catalog = load(config)
    since_ms = None if since is None else selection.since(since, _now_ms())
    resolved = None if model is None else settings.resolve(model)
    chosen = Filter(run=run, model=resolved, status=status, since_ms=since_ms)
    opened = open_for_reading(ledger or settings.ledger)
    if run is not None:
        try:
            opened.run(run)
        except BaseException:
            opened.close()
            raise
    return opened, chosen, {model.id: model.name for model in catalog.models}


def _events_table(lines: list[selection.EventLine], names: Mapping[str, str]) -> Table:
    simulated = f" ({SIMULATED})" if any(line.simulated for line in lines) else ""
    table = FittingTable(title=f"events, the newest last{simulated}", title_justify="left")
    for heading in ("started (UTC)", "event", "kind"):
        table.add_column(heading, no_wrap=True)
    for heading in ("query", "model", "ended"):
        table.add_column(heading, overflow="fold")
    for heading in ("cost $", "prompt", "output"):
        table.add_column(heading, justify="right")
    for line in lines:
        model = "–" if line.model is None else names.get(line.model) or line.model.partition("/")[2] or line.model
        table.add_row(
            _moment(line.started_ms).removesuffix(" UTC"),
            printable(line.event_id),
            line.kind,
            printable(line.query_id or line.turn_id),
            printable(model),
            printable(line.status if not line.detail else f"{line.status}: {line.detail}"),
            _cost(line),
            *("" if figure is None else f"{figure:,}" for figure in (line.prompt_tokens, line.output_tokens)),
        )
    return table


def _cost(line: selection.EventLine) -> str:
    """A call's cost as far as it is known; nothing for a decision."""
    if line.cost_pico is None or line.cost_high_pico is None or line.usage_source is None:
        return ""
    known = certainty(line.usage_source, line.status, line.error, line.cost_pico, line.cost_high_pico)
    high = None if known == "open" else max(line.cost_pico, line.cost_high_pico)
    return usd_range(CostRange(exact_pico=0, low_pico=line.cost_pico, high_pico=high))


def _event_table(event: Event) -> Table:
    """The fields of an event; a decision's inner values are left to `turnout explain`."""
    kind = "call" if isinstance(event, CallEvent) else "decision"
    label = f"{SIMULATED} · " if event.simulated else ""
    table = Table(title=printable(f"{label}{kind} {event.event_id}"), title_justify="left", show_header=False)
    table.add_column("field")
    table.add_column("value", overflow="fold")
    for name in event.__struct_fields__:
        value = getattr(event, name)
        if name in ("given", "decision"):
            continue
        if name == "started_ms":
            value = f"{value} ({_moment(value)})"
        if name in ("usage", "cost"):
            for part in value.__struct_fields__:
                table.add_row(f"{name}.{part}", printable(f"{getattr(value, part):,}"))
            continue
        table.add_row(name, printable("–" if value in (None, "") else str(value)))
    if isinstance(event, CallEvent):
        exactness = exactness_of((event,))
        amount = usd_range(cost_range(event.cost.total_pico, exactness), 12)
        known = exactness_note(exactness) if exactness.settled else f"usage {event.usage_source}"
        table.add_row("cost in all", f"{amount} $ ({known})")
    if isinstance(event, DecisionEvent):
        table.add_row("model", printable(event.decision.model or "refused"))
        table.add_row("reason", event.decision.reason)
        table.add_row("in words", printable(f"turnout explain {event.event_id}"))
    return table


def _tell(pruned: Pruned, path: Path, *, json: bool) -> None:
    if json:
        print_json(pruned)
        return
    if not pruned.events:
        typer.echo(f"nothing in {path} is older than {_moment(pruned.before_ms)}")
        return
    done = "would be deleted" if pruned.dry_run else "deleted"
    typer.echo(f"{_sentence(pruned)}: {done}")
    if not pruned.dry_run:
        typer.echo(f"the file had {pruned.bytes_before / 1e6:,.1f} MB and has {pruned.bytes_after / 1e6:,.1f} MB")


def _sentence(pruned: Pruned) -> str:
    runs = ""
    if pruned.runs:
        named = ", ".join(str(printable(name)) for name in pruned.runs[:5])
        runs = f", runs left empty: {len(pruned.runs)} ({named}{', ...' if len(pruned.runs) > 5 else ''})"
    return (
        f"turns before {_moment(pruned.before_ms)}: {pruned.calls:,} calls ({usd(pico_to_usd(pruned.cost_pico))} $), "
        f"{pruned.decisions:,} decisions, {pruned.snapshots:,} policies and catalogs that nothing else uses{runs}"
    )


def _moment(milliseconds: int) -> str:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return f"{milliseconds} ms"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
