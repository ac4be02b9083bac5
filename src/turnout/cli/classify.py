"""`turnout classify`: what every classifier says of a query, side by side; and how good each is on held-out pairs."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from turnout.classify.assess import Assessment, Figure, assess, judge
from turnout.classify.attacks import FlipRate, flip_rates, load_attacks
from turnout.classify.configured import KINDS, configured_classifier
from turnout.classify.examples import LabelledSetError, load_queries, of_split
from turnout.classify.keyword import KeywordRulesError
from turnout.classify.length import LengthClassifier
from turnout.classify.protocol import Classifier
from turnout.cli.common import ConfigOption, JsonOption, console, load, print_json, progress_console
from turnout.cli.errors import UserError
from turnout.core.catalog import Catalog
from turnout.core.cost import Cost, cost_of, pico_to_usd
from turnout.core.verdict import ClassifierCall, Verdict
from turnout.messages.conversation import conversation_of
from turnout.upstream.local.smollm import SMOLLM2_ID

if TYPE_CHECKING:
    from turnout.config import Settings

NAME = "classify"


def run(
    query: Annotated[
        list[str] | None,
        typer.Argument(help="One query or several, each in quotes; - reads them from standard input, one a line."),
    ] = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Print how good each classifier is on the held-out pairs instead.")
    ] = False,
    attacks: Annotated[
        bool,
        typer.Option(
            "--attacks", help="Print how often attacks within the query change the label of held-out queries."
        ),
    ] = False,
    pairs: Annotated[
        int | None, typer.Option(min=1, help="With --attacks: only so many of the held-out pairs.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help=f"Only this classifier, may be repeated: {', '.join(KINDS)}.")
    ] = None,
    llm: Annotated[str, typer.Option(help="The model behind the LLM classifier: a catalog id.")] = SMOLLM2_ID,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Print the verdicts of all classifiers side by side, with time and cost."""
    settings, catalog = load(config)
    labels_only = held_out or attacks
    outcomes_learned = settings.classifier.artefact is not None
    if labels_only and outcomes_learned and only and "learned" in only:
        raise UserError("the packaged pairs have labels, [classifier] artefact knows outcomes: use turnout evaluate")
    queries = [] if labels_only else _queries(query, settings.max_prompt_chars)
    # What learned from outcomes has no labels to be held against; the packaged default learned from labels.
    kinds = only or [kind for kind in KINDS if not (kind == "learned" and labels_only and outcomes_learned)]
    try:
        classifiers = _classifiers(settings, catalog, kinds, settings.resolve(llm))
        if attacks:
            _attack(classifiers, pairs, json=json)
        elif held_out:
            _assess(classifiers, settings, catalog, json=json)
        else:
            _verdicts(classifiers, queries, catalog, json=json)
    except (LabelledSetError, KeywordRulesError) as error:
        raise UserError(str(error)) from None


def _queries(given: Sequence[str] | None, most_chars: int) -> list[str]:
    if not given:
        raise UserError('no query; give one in quotes, such as: turnout classify "Where is my parcel?"')
    if list(given) == ["-"]:
        try:
            given = [line for line in sys.stdin.buffer.read().decode("utf-8").splitlines() if line.strip()]
        except UnicodeDecodeError as error:
            raise UserError(f"standard input is not UTF-8 text (byte {error.start})") from None
        if not given:
            raise UserError("standard input holds no query; give one a line")
    for number, text in enumerate(given, start=1):
        if not text.strip():
            raise UserError(f"query {number} is empty")
        if len(text) > most_chars:
            raise UserError(
                f"query {number} has {len(text):,} characters, at most {most_chars:,} are taken (max_prompt_chars)"
            )
    return list(given)


def _classifiers(settings: Settings, catalog: Catalog, kinds: Sequence[str], llm: str) -> list[Classifier]:
    options = msgspec.structs.replace(settings.classifier, model=catalog[llm].id)
    settings = dataclasses.replace(settings, classifier=options)
    built = [configured_classifier(settings, catalog, kind=kind) for kind in dict.fromkeys(kinds)]
    return [classifier for classifier in built if classifier is not None]


def _verdicts(classifiers: Sequence[Classifier], queries: Sequence[str], catalog: Catalog, *, json: bool) -> None:
    async def ask() -> list[list[Verdict]]:
        return [[await one.classify(conversation_of(query)) for one in classifiers] for query in queries]

    rows = asyncio.run(ask())
    if json:
        print_json([{"query": query, "verdicts": row} for query, row in zip(queries, rows, strict=True)])
        return
    out = console()
    for query, row in zip(queries, rows, strict=True):
        table = Table(title=Text(query), title_justify="left")
        for heading in ("classifier", "label", "P(simple)", "time ms", "cost $"):
            table.add_column(heading, justify="left" if heading in ("classifier", "label") else "right")
        for verdict in row:
            p = "–" if verdict.p_simple is None else f"{verdict.p_simple:.3f}"
            table.add_row(
                verdict.classifier, Text(_label(verdict)), p, f"{verdict.latency_ms:.1f}", _usd(_cost(verdict, catalog))
            )
        out.print(table)


def _assess(classifiers: Sequence[Classifier], settings: Settings, catalog: Catalog, *, json: bool) -> None:
    queries = of_split(load_queries(), "held_out")
    lines: list[Assessment] = []

    def price(call: ClassifierCall) -> Cost | None:
        return cost_of(call.usage, catalog[call.model].price) if call.model in catalog else None

    with Progress(console=progress_console(), transient=True) as progress:
        everyone = [*classifiers, LengthClassifier()]
        task = progress.add_task("held-out queries", total=len(everyone) * len(queries))
        for classifier in everyone:
            progress.update(task, description=classifier.name)
            judged = asyncio.run(judge(classifier, queries, on_verdict=lambda _: progress.advance(task)))
            share = settings.rules.simple_share
            lines.append(assess(classifier.name, judged, simple_share=share, cost_of_call=price))
    if json:
        print_json(lines)
    else:
        console().print(held_out_table(lines))


def _attack(classifiers: Sequence[Classifier], pairs: int | None, *, json: bool) -> None:
    queries = of_split(load_queries(), "held_out")
    kept = list(dict.fromkeys(query.pair for query in queries))[:pairs]
    queries = tuple(query for query in queries if query.pair in kept)
    known = load_attacks()
    lines: list[FlipRate] = []
    with Progress(console=progress_console(), transient=True) as progress:
        task = progress.add_task("attacks", total=len(classifiers) * len(queries) * (1 + len(known)))
        for classifier in classifiers:
            progress.update(task, description=classifier.name)
            lines += asyncio.run(flip_rates(classifier, queries, known, on_verdict=lambda: progress.advance(task)))
    if json:
        print_json(lines)
    else:
        console().print(attacks_table(lines, len(queries)))


def attacks_table(lines: Sequence[FlipRate], queries: int) -> Table:
    """The table of flip rates."""
    table = Table(
        title=f"attacks on {queries} held-out support queries; 95 % intervals in brackets", title_justify="left"
    )
    for heading in ("classifier", "towards", "attacks", "of", "at risk", "flipped by one", "flipped by any"):
        left = heading in ("classifier", "towards", "attacks")
        table.add_column(heading, justify="left" if left else "right", no_wrap=True)
    for line in lines:
        figures = ["–" if one is None else figure_text(one) for one in (line.flipped, line.any_flipped)]
        table.add_row(line.classifier, line.target, line.family, str(line.attacks), str(line.at_risk), *figures)
    return table


def held_out_table(lines: Sequence[Assessment]) -> Table:
    """The table of the held-out pairs."""
    queries = lines[0].queries
    table = Table(
        title=f"{queries} held-out support queries in {queries // 2} look-alike pairs; 95 % intervals in brackets",
        title_justify="left",
    )
    headings = ("classifier", "accuracy", "AUC", "pairs ranked right", "no label", "median ms", "first ms", "cost $")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "classifier" else "right", no_wrap=True)
    for line in lines:
        table.add_row(
            line.classifier,
            *(figure_text(figure) for figure in (line.accuracy, line.auc, line.pairs_right)),
            str(line.failures),
            f"{line.median_ms:.2f}",
            f"{line.first_ms:.0f}",
            _usd(line.cost_usd),
        )
    return table


def figure_text(figure: Figure) -> str:
    """A share with its interval."""
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"


def _label(verdict: Verdict) -> str:
    if verdict.failure is None:
        return str(verdict.label)
    return f"none ({verdict.failure.kind}: {verdict.failure.detail})"


def _cost(verdict: Verdict, catalog: Catalog) -> Decimal | None:
    if any(call.model not in catalog for call in verdict.calls):
        return None
    return pico_to_usd(sum(cost_of(call.usage, catalog[call.model].price).total_pico for call in verdict.calls))


def _usd(cost: Decimal | None) -> str:
    return "–" if cost is None else f"{cost:.6f}"
