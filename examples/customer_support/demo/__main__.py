"""Run the demonstration: ``python -m examples.customer_support.demo``, or ``turnout demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from examples.customer_support.demo.chart import draw
from examples.customer_support.demo.play import play
from examples.customer_support.demo.report import to_document
from examples.customer_support.demo.show import show
from examples.customer_support.options import checked
from turnout.cli.common import console, print_json, progress_console
from turnout.cli.errors import UserError
from turnout.cli.running import run_function

CHART = Path(".turnout") / "demo.png"


def main(
    live: Annotated[bool, typer.Option("--live", help="Answer on Amazon Bedrock; every call is billed.")] = False,
    local: Annotated[bool, typer.Option("--local", help="Answer with packaged SmolLM2: real, small, poor.")] = False,
    base_url: Annotated[str | None, typer.Option(help="Answer on this OpenAI-compatible server.")] = None,
    cheap: Annotated[str | None, typer.Option(help="The server's cheap model.")] = None,
    capable: Annotated[str | None, typer.Option(help="The server's capable model.")] = None,
    region: Annotated[str | None, typer.Option(help="AWS region, for --live. Default: as AWS is configured.")] = None,
    pair: Annotated[list[str] | None, typer.Option(help="A pair, 4.5 or 5.5; may be repeated. Default: both.")] = None,
    all_sets: Annotated[
        bool | None,
        typer.Option(
            "--all-sets/--test-prompts-only",
            help="Whether the held-out and the real queries run too. Default: with simulated models only.",
        ),
    ] = None,
    assess_pairs: Annotated[
        int | None,
        typer.Option(min=1, help="On how many held-out pairs the classifiers are assessed. Default: all, 10 s or so."),
    ] = None,
    chart: Annotated[Path, typer.Option(help="Where the chart goes.")] = CHART,
    ledger: Annotated[Path | None, typer.Option(help="Ledger file. Default: as configured.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for machines instead of tables.")] = False,
) -> None:
    """Show the reference prompts through v3 (not routed) and v4 (routed), priced and compared."""
    options = checked(
        live=live,
        local=local,
        base_url=base_url,
        cheap=cheap,
        capable=capable,
        region=region,
        pairs=pair,
        all_sets=all_sets,
        assess_pairs=assess_pairs,
        ledger=ledger,
    )
    report = play(options, progress_console())
    try:
        draw(report, chart)
    except OSError as error:
        raise UserError(
            f"the chart {chart} cannot be written: {error.strerror}; choose another place with --chart"
        ) from None
    if json:
        print_json(to_document(report, str(chart)))
    else:
        show(report, console(), str(chart))


if __name__ == "__main__":
    raise SystemExit(run_function(main, "python -m examples.customer_support.demo"))
