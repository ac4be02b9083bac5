"""`turnout explain`: one decision in words, and what would have changed it."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.text import Text

from turnout.cli.common import ConfigOption, JsonOption, LedgerOption, console, load, open_for_reading, print_json
from turnout.trace.store.lookup import LAST, deciding
from turnout.trace.views.explain import explain
from turnout.trace.views.explain_text import Section, after_costs, before_costs, cost_table, printable

NAME = "explain"


def run(
    id: Annotated[
        str, typer.Argument(help="Id of a decision, a call or a turn, or the beginning of one; last: the newest turn.")
    ] = LAST,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Explain a decision: what it saw, what each model would have cost, why this one, what would have changed it."""
    settings, _ = load(config)
    with open_for_reading(ledger or settings.ledger) as opened:
        event, others, calls = deciding(opened, id)
    explanation = explain(event)
    above, below = before_costs(explanation), after_costs(explanation, calls, others)
    if json:
        words = {section.heading: section.lines for section in (*above, *below)}
        print_json({**msgspec.to_builtins(explanation), "calls": calls, "words": words})
        return
    out = console()
    for section in above:
        out.print(_shown(section))
    out.print(cost_table(explanation))
    for section in below:
        out.print(_shown(section))


def _shown(section: Section) -> Text:
    lines = [Text(section.heading, style="bold"), *(Text("  ").append(printable(line)) for line in section.lines)]
    return Text("\n").join([*lines, Text()])
