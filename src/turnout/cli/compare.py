"""`turnout compare`: two runs side by side, or one beside totals typed in, with signed changes."""

from __future__ import annotations

from typing import Annotated

import typer

from turnout.cli.common import ConfigOption, JsonOption, LedgerOption, console, load, print_json
from turnout.cli.errors import UserError
from turnout.cli.sources import Source, SourceOption, one_source, read_runs
from turnout.trace.views.compare import compare, compare_typed
from turnout.trace.views.documents import to_json
from turnout.trace.views.tables import comparison_table
from turnout.trace.views.typed import typed_totals

NAME = "compare"


def run(
    runs: Annotated[
        list[str],
        typer.Argument(help="Two runs, the one before first, such as v3's and v4's. One with --before-totals."),
    ],
    before_totals: Annotated[
        str | None,
        typer.Option(
            help="Totals typed in, in place of the run before: cost=0.0438,latency=8.10,input=4228,output=1795 "
            "(USD, mean seconds, tokens)."
        ),
    ] = None,
    classifier_as: Annotated[
        str | None,
        typer.Option(help="Add a line with the classifier priced as if this model had done it (a catalog id)."),
    ] = None,
    source: SourceOption = Source.LEDGER,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Compare two runs: cost with classifier and cache writes counted, latency, tokens."""
    wanted = 2 if before_totals is None else 1
    if len(runs) != wanted:
        needs = "two runs" if wanted == 2 else "one run beside --before-totals"
        raise UserError(f"compare takes {needs}, got {len(runs)}: {', '.join(runs)}")
    one_source(source, ledger)
    typed = None if before_totals is None else typed_totals(before_totals)
    settings, catalog = load(config)
    model = None if classifier_as is None else catalog[settings.resolve(classifier_as)]
    read = read_runs(runs, source, ledger or settings.ledger)
    price = None if model is None else model.price
    name = "the given model" if model is None else model.name
    if typed is None:
        comparison = compare(read[0], read[1], classifier_price=price, classifier_name=name)
    else:
        comparison = compare_typed(typed, read[0], classifier_price=price, classifier_name=name)
    if json:
        print_json(to_json(comparison))
    else:
        console().print(comparison_table(comparison))
