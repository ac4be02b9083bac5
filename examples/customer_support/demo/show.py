"""The report for people: tables, answers, and a last word on what the figures are."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from examples.customer_support.demo.report import Arms, Report, expected_usd, right_labels
from turnout.cli.classify import held_out_table
from turnout.core.verdict import Verdict
from turnout.trace.views.figures import usd
from turnout.trace.views.tables import comparison_table, metrics_table

_ANSWER_CHARACTERS = 320


def show(report: Report, out: Console, chart: str | None) -> None:
    """Print the whole report."""
    out.print(Panel(Text(report.label), title="simulated" if report.simulated else "real models", expand=False))
    out.print(held_out_table(report.assessments))
    for arms in report.arms:
        out.print(*_arms(arms, report), sep="\n")
    out.print(f"Runs are in {report.ledger}; read them again with, for instance:", highlight=False)
    for arguments in _again(report):
        out.print(f"  {_command()} {arguments}", highlight=False, soft_wrap=True)
    if chart is not None:
        out.print(f"Chart: {chart}", highlight=False)


def _command() -> str:
    """How the reader's shell finds Turnout: the set-up's environment need not be active there."""
    beside = Path(sys.executable).with_name("turnout")
    if not beside.is_file():
        return "turnout"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)


def _again(report: Report) -> list[str]:
    """The arguments that show the first pair of runs once more, and why the last decision went as it did."""
    pair = [f"compare {arms.v3.run} {arms.v4.run}" for arms in report.arms[:1]]
    return ["metrics --list", *pair, "explain last"]


def _arms(arms: Arms, report: Report) -> list[RenderableType]:
    shown: list[RenderableType] = [Text()]
    if arms.verdicts:
        tables = [metrics_table(run, simulated=report.simulated, names=report.names) for run in (arms.v3, arms.v4)]
        shown += [_verdict_table(arms, report), _decision_table(arms, report), _answers(arms, report), *tables]
    shown.append(_comparison(arms, report))
    return shown


def _label(report: Report) -> str:
    return " (simulated models)" if report.simulated else ""


def _verdict_table(arms: Arms, report: Report) -> Table:
    """Expected label and every classifier's, with the one that routes first and a wrong one shown as wrong."""
    table = Table(title=f"{arms.pair}: verdicts on {arms.title}; the first classifier routes", title_justify="left")
    table.add_column("query")
    table.add_column("expected")
    accuracy = {line.classifier: line.accuracy for line in report.assessments}
    for name in arms.verdicts[0]:
        figure = accuracy[name]
        heading = f"{name}\nheld-out {figure.value:.2f}\n[{figure.low:.2f}, {figure.high:.2f}]"
        table.add_column(Text(heading), no_wrap=True)
    for query, verdicts in zip(arms.queries, arms.verdicts, strict=True):
        cells = [_verdict(verdict, query.label) for verdict in verdicts.values()]
        table.add_row(query.title, query.label or "–", *cells)
    return table


def _verdict(verdict: Verdict, expected: str | None) -> Text:
    if verdict.failure is not None:
        return Text(f"none ({verdict.failure.kind})", style="red")
    text = f"{verdict.label} ({verdict.p_simple:.2f}) {verdict.latency_ms:.0f} ms"
    wrong = expected is not None and verdict.label != expected
    return Text(f"WRONG {text}" if wrong else text, style="red" if wrong else "")


def _decision_table(arms: Arms, report: Report) -> Table:
    models = [estimate.model for estimate in reversed(arms.answers[0].decision.decision.estimates)]
    title = f"{arms.pair}: decisions on {arms.title}{_label(report)}; expected cost of the turn in USD"
    table = Table(title=title, title_justify="left")
    table.add_column("query")
    for model in models:
        table.add_column(report.names.get(model, model), justify="right")
    for heading in ("chosen", "reason"):
        table.add_column(heading)
    for heading in ("classified in ms", "decided in ms"):
        table.add_column(heading, justify="right")
    for one in arms.answers:
        decision, costs = one.decision.decision, expected_usd(one.decision.decision)
        table.add_row(
            one.query.title,
            *(usd(costs[model]) if model in costs else "–" for model in models),
            report.names.get(decision.model or "", decision.model or "refused"),
            str(decision.reason),
            f"{one.decision.classifier_ms:.1f}",
            f"{one.decision.latency_ms:.2f}",
        )
    return table


def _answers(arms: Arms, report: Report) -> Panel:
    lines = Text()
    for one in arms.answers:
        text = " ".join(one.text.split())
        cut = text if len(text) <= _ANSWER_CHARACTERS else text[: _ANSWER_CHARACTERS - 1] + "…"
        lines.append(f"{one.query.title}: ", style="bold")
        lines.append(cut + "\n")
    lines.rstrip()
    return Panel(lines, title=f"{arms.pair}: answers of v4{_label(report)}")


def _comparison(arms: Arms, report: Report) -> RenderableType:
    table = comparison_table(arms.comparison, simulated=report.simulated)
    right, asked = right_labels(arms)
    parts = [f"{arms.pair}: v3 (not routed) -> v4 (routed) on {arms.title}, {len(arms.queries)} queries"]
    if asked:
        parts.append(f"the routing classifier labelled {right} of {asked} as expected")
    elif not any(query.label for query in arms.queries):
        parts.append("nobody labelled these, so nothing is said of accuracy")
    return Group(Text("; ".join(parts), style="bold"), table)
