"""`turnout chat`: talk to the reference agent, and see which model answered and why."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from turnout.cli.common import LedgerOption
from turnout.cli.examples import in_clone

NAME = "chat"


def run(
    version: Annotated[int, typer.Option(min=1, max=4, help="The agent's version; 4 routes.")] = 4,
    live: Annotated[bool, typer.Option("--live", help="Answer on Amazon Bedrock; every call is billed.")] = False,
    local: Annotated[bool, typer.Option("--local", help="Answer with packaged SmolLM2: real, small, poor.")] = False,
    base_url: Annotated[str | None, typer.Option(help="Answer on this OpenAI-compatible server.")] = None,
    cheap: Annotated[str | None, typer.Option(help="The server's cheap model.")] = None,
    capable: Annotated[str | None, typer.Option(help="The server's capable model.")] = None,
    region: Annotated[str | None, typer.Option(help="AWS region, for --live. Default: as AWS is configured.")] = None,
    pair: Annotated[str, typer.Option(help="The pair of models, 4.5 or 5.5.")] = "4.5",
    ledger: LedgerOption = None,
) -> None:
    """Talk to the reference agent. Without an option its models are simulated."""
    checked = in_clone("examples.customer_support.options", "checked")
    chat = in_clone("examples.customer_support.chat", "chat")
    options = checked(
        live=live,
        local=local,
        base_url=base_url,
        cheap=cheap,
        capable=capable,
        region=region,
        pairs=[pair],
        ledger=ledger,
    )
    chat(options, version, Console())
