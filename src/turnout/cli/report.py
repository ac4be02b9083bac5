"""`turnout report`: runs as a page that stands for itself, and as pictures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from turnout.cli.common import ConfigOption, LedgerOption, load, open_for_reading, progress_console
from turnout.cli.errors import UserError
from turnout.cli.progress import progress
from turnout.trace.store.export import whole_file

NAME = "report"


def run(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Names of one to six runs. Default: the newest. Two are compared.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page.")] = Path("report.html"),
    png: Annotated[Path | None, typer.Option(help="Write each chart as a PNG into this folder too.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the page.")] = False,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Write a page with charts and tables of runs: no network, readable on a phone and on paper."""
    from turnout.evaluate.report.charts import charts_of
    from turnout.evaluate.report.data import read_report
    from turnout.evaluate.report.page import page
    from turnout.evaluate.report.png import draw

    settings, catalog = load(config)
    names = {model.id: model.name for model in catalog.models}
    with whole_file(out, overwrite=force) as partial:
        with open_for_reading(ledger or settings.ledger) as opened:
            known = {one.name: one for one in opened.runs()}
            if not known:
                raise UserError(f"{opened.path}: the ledger holds no run yet; `turnout demo` makes some")
            wanted = runs or [max(known.values(), key=lambda one: one.created_ms).name]
            total = sum(known[name].decisions for name in wanted if name in known)
            with progress("read", total) as advance:
                made_ms = time.time_ns() // 1_000_000
                report = read_report(opened, wanted, names=names, made_ms=made_ms, advance=advance)
        partial.write_text(page(report), encoding="utf-8")
    written = [out]
    if png is not None:
        try:
            written += draw(charts_of(report), png)
        except OSError as error:
            raise UserError(f"{png} cannot be written ({error.strerror or error}): name another folder") from error
    for path in written:
        progress_console().print(f"wrote {path}", highlight=False, markup=False)
