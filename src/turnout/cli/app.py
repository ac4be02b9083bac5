"""The command line as a whole: its commands and the options that they share.

The commands' modules are loaded when they are asked for: see `turnout.cli.lazy`.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated, ClassVar

import typer

import turnout
from turnout.cli.lazy import LazyCommands
from turnout.cli.running import EXIT_USER_ERROR, run_commands


class Commands(LazyCommands):
    """The commands in the order of the help, each with the first line of its own help."""

    summaries: ClassVar[dict[str, str]] = {
        "doctor": "Say what works here and how to get what does not; exit code 2 if something is wrong.",
        "init": "Write a turnout.toml with every key, what it means and its default, commented out.",
        "check": "Say whether the settings work on this machine, and what each route would do; exit code 1 if not.",
        "schema": "Print the JSON schema of turnout.toml, for editors.",
        "templates": "Print what runs the gateway as a service: a systemd unit, a Dockerfile.",
        "classify": "Print the verdicts of all classifiers side by side, with time and cost.",
        "chat": "Talk to the reference agent. Without an option its models are simulated.",
        "demo": "Show the reference prompts with and without routing; `turnout demo --help` lists the options.",
        "metrics": "Print a run's turns, totals and summary, from the ledger or from Langfuse.",
        "compare": "Compare two runs: cost with classifier and cache writes counted, latency, tokens.",
        "explain": "Explain a decision: what it saw, what each model would have cost, why this one, "
        "what would have changed it.",
        "report": "Write a page with charts and tables of runs: no network, readable on a phone and on paper.",
        "replay": "Replay a trace through the decision core, policy beside policy, with a simulated provider cache.",
        "outcomes": "Inspect, convert and part tables of graded answers.",
        "collect": "Answer a share of cheaply served requests again by the capable model, judge both, write outcomes.",
        "train": "Learn from graded answers where the most capable model is worth its price, and write it to a folder.",
        "calibrate": "Find the bar that keeps a share of the capable model's quality, with a guarantee, or a budget.",
        "evaluate": "Measure routers on graded answers, with intervals, beside the baselines and the oracle.",
        "plan": "Say what a change of prices, models or thresholds would do to spend and quality.",
        "models": "List the models that Turnout knows, with prices, cache floors and sources.",
        "agentcore": "Serve an agent as an AgentCore Runtime service, here or deployed.",
        "score": "Score a call, a decision or a turn in Langfuse: feedback beside its trace.",
        "serve": "Serve OpenAI, Anthropic and Bedrock clients, each request by the cheapest model that can carry it.",
        "ledger": "List, show, export and prune what was recorded.",
        "keys": "Make, list, show and revoke the keys of the gateway.",
    }


app = typer.Typer(
    name="turnout",
    cls=Commands,
    help="Send each request to the cheapest language model that can carry it, and say why.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"turnout {turnout.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Print logs of level info to standard error.")] = False,
) -> None:
    logging.basicConfig(
        level=logging.INFO if verbose else logging.WARNING, stream=sys.stderr, format="%(levelname)s %(message)s"
    )
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(EXIT_USER_ERROR)


def main() -> None:
    """Run the command line and exit: 0, or 2 after one line that says what was wrong, or 130 after Ctrl-C."""
    sys.exit(call(sys.argv[1:]))


def call(arguments: list[str]) -> int:
    """Run the command line with these arguments and return the exit code."""
    return run_commands(app, arguments, "turnout")
