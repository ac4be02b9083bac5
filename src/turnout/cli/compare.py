"""`turnout compare`: two runs in the ledger side by side, with signed changes."""

from __future__ import annotations

from typing import Annotated

import typer

from turnout.cli.common import ConfigOption, JsonOption, LedgerOption, console, load, print_json
from turnout.trace.compare import compare
from turnout.trace.ledger import Ledger
from turnout.trace.metrics import run_metrics
from turnout.trace.tables import comparison_table, to_json

NAME = "compare"


def run(
    before: Annotated[str, typer.Argument(help="The run that is compared against, such as v3's.")],
    after: Annotated[str, typer.Argument(help="The run that is compared, such as v4's.")],
    classifier_as: Annotated[
        str | None,
        typer.Option(help="Add a line with the classifier priced as if this model had done it (a catalog id)."),
    ] = None,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Compare two runs: cost with classifier and cache writes counted, latency, tokens."""
    settings, catalog = load(config)
    model = None if classifier_as is None else catalog[settings.resolve(classifier_as)]
    with Ledger(ledger or settings.ledger, create=False, read_only=True) as opened:
        runs = run_metrics(opened, before), run_metrics(opened, after)
    comparison = compare(
        *runs,
        classifier_price=None if model is None else model.price,
        classifier_name="the given model" if model is None else model.name,
    )
    if json:
        print_json(to_json(comparison))
    else:
        console().print(comparison_table(comparison))
