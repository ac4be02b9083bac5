"""`turnout check`: do the settings work on this machine, and what would they do?"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from turnout.cli.common import JsonOption, console, load, print_json, progress_console
from turnout.deploy.preflight.finding import Finding
from turnout.deploy.preflight.machine import (
    build_classifier,
    gateway_finding,
    ledger_finding,
    limit_findings,
    policy_finding,
)
from turnout.deploy.preflight.online import ask, called
from turnout.deploy.preflight.routes import SAMPLES, Planned, calls_a_model, plan
from turnout.deploy.preflight.ways_out import WayOut, way_findings, ways_out

NAME = "check"

EXIT_STOPS = 1
"""The settings can be read, but requests would fail."""


def run(
    file: Annotated[Path | None, typer.Argument(help="Default: TURNOUT_CONFIG, else turnout.toml here.")] = None,
    online: Annotated[
        bool,
        typer.Option(
            "--online",
            help="Call each provider once: it lists its models or counts the tokens of one word, which is not billed. "
            "A classifier that calls a model is asked too, at that model's price.",
        ),
    ] = False,
    json: JsonOption = False,
) -> int:
    """Say whether the settings work on this machine, and what each route would do; exit code 1 if not.

    Nothing is called and nothing written without --online. Exit code 2: the settings cannot be read.
    """
    settings, catalog = load(file)
    findings = [Finding("settings", "ok", str(settings.file or "no file: the defaults and the environment"))]
    findings.append(policy_finding(settings, catalog))
    ways = ways_out(settings, catalog)
    for way, finding in zip(ways, way_findings(ways), strict=True):
        findings += _called(way, finding) if online else [finding]
    classifier, built = build_classifier(settings, catalog)
    findings += [built, ledger_finding(settings.ledger), gateway_finding(settings, catalog), *limit_findings(settings)]
    asks = online or not calls_a_model(settings, catalog)
    planned = asyncio.run(plan(settings, catalog, classifier, ask=asks))
    if json:
        print_json({"findings": findings, "routes": planned})
    else:
        _print(findings, planned)
    return EXIT_STOPS if any(finding.stops for finding in findings) else 0


def _called(way: WayOut, finding: Finding) -> list[Finding]:
    """What came of a call; credentials that only the call found are not missing."""
    if not way.protocol or (finding.stops and way.auth == "key"):
        return [finding]
    progress_console().print(f"calling {way.name}: {called(way)}", soft_wrap=True, highlight=False)
    answered = ask(way)
    return [answered] if finding.stops and not answered.stops else [finding, answered]


def _print(findings: list[Finding], planned: list[Planned]) -> None:
    table = Table(title="settings and this machine", title_justify="left")
    for heading in ("what", "state", "detail"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        table.add_row(finding.what, finding.state, Text(finding.detail))
    out = console()
    out.print(table)
    for sample, query in SAMPLES.items():
        shown = query if len(query) <= 100 else f"{query[:60]} ... {query[-30:]}"
        table = Table(title=Text(f"{sample}: {' '.join(shown.split())}"), title_justify="left")
        for heading in ("route", "verdict", "serves", "why", "expected $", "capable alone $"):
            table.add_column(heading, justify="right" if "$" in heading else "left", overflow="fold")
        for row in planned:
            if row.sample == sample:
                verdict = row.given if row.given != "verdict" else row.label or "none"
                table.add_row(row.route, verdict, row.model or "refused", row.reason, *_dollars(row))
        out.print(table)


def _dollars(row: Planned) -> list[str]:
    return ["–" if usd is None else f"{usd:.6f}" for usd in (row.expected_usd, row.capable_usd)]
