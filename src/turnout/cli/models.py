"""`turnout models`: the catalog as it stands, with sources."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from turnout.cli.common import ConfigOption, JsonOption, console, load, print_json
from turnout.config import provenance
from turnout.core.catalog import Model

NAME = "models"


def run(
    model: Annotated[str | None, typer.Argument(help="Show one model with the source of each fact.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only models of that provider.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List the models that Turnout knows, with prices, cache floors and sources."""
    settings, catalog = load(config)
    if model is not None:
        entry = catalog[settings.resolve(model)]
        facts = provenance(entry.id, overrides=settings.overrides)
        if json:
            print_json({"model": entry, "provenance": facts})
            return
        table = Table(title=f"{entry.id}: where its facts are known from", title_justify="left")
        for heading in ("fact", "source", "read", "note"):
            table.add_column(heading, overflow="fold")
        for name, fact in facts.items():
            note = ("disputed: " if fact.disputed else "") + fact.note
            table.add_row(name, Text(fact.source), str(fact.read or ""), Text(note))
        console().print(_listing([entry]), table)
        return
    chosen = [entry for entry in catalog.models if provider in (None, entry.provider)]
    if json:
        print_json(chosen)
        return
    console().print(_listing(chosen))


def _listing(entries: list[Model]) -> Table:
    """A row for each tier of each model's price."""
    table = Table(title="USD per million tokens", title_justify="left")
    for heading in ("model", "input", "output", "read", "write 5m", "write 1h", "cache floor", "context"):
        table.add_column(heading, justify="left" if heading == "model" else "right", no_wrap=heading == "model")
    for entry in entries:
        floor = "none" if entry.cache.mode == "none" else f"{entry.cache.floor_tokens:,}"
        for tier in entry.price.tiers:
            prices = (tier.input, tier.output, tier.cache_read, tier.cache_write_5m, tier.cache_write_1h)
            shown = ["-" if price is None else f"{price.normalize():f}" for price in prices]
            if tier.above_prompt_tokens == 0:
                table.add_row(entry.id, *shown, floor, f"{entry.context_window:,}")
            else:
                table.add_row(f"  prompts above {tier.above_prompt_tokens:,} tokens", *shown)
    return table
