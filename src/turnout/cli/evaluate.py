"""`turnout evaluate`: routers on graded answers, beside what costs nothing and what nobody can beat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from turnout.cli.common import ConfigOption, JsonOption, console, load, pair_named, print_json, progress_console
from turnout.cli.errors import UserError
from turnout.cli.progress import progress

if TYPE_CHECKING:
    from turnout.evaluate.scoreboard.board import Board, Wanted
    from turnout.evaluate.scoreboard.requirement import Held

NAME = "evaluate"

SETTINGS: dict[str, Any] = {
    "epilog": """\b
Examples:
turnout evaluate --outcomes graded.parquet --pair haiku,sonnet --router tfidf
turnout evaluate --outcomes test.csv --train train.csv --pair haiku,sonnet --router my_router:scores
turnout evaluate --outcomes graded.jsonl --pair haiku,sonnet@support --router saved.csv --require "apgr>=0.62" """
}

EXIT_NOT_FULFILLED = 1
"""Exit code where a requirement is not fulfilled."""


def run(
    outcomes: Annotated[
        list[Path], typer.Option("--outcomes", help="Graded answers: .parquet, .csv or .jsonl; may be repeated.")
    ],
    pair: Annotated[
        list[str],
        typer.Option(
            "--pair", help="CHEAP,CAPABLE or CHEAP,CAPABLE@DATASET, as the table names them; may be repeated."
        ),
    ],
    router: Annotated[
        list[str] | None,
        typer.Option(
            "--router",
            help="tfidf, learned, keyword, embedding, llm, ..., module:function, a URL with /v1/route, a folder that "
            "turnout train wrote, or a file of predictions; NAME= before it names it; may be repeated.",
        ),
    ] = None,
    train: Annotated[
        list[Path] | None,
        typer.Option("--train", help="Train and choose thresholds on this file instead of folds; may be repeated."),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Without --train: into how many folds prompts are split.")] = 5,
    inner_folds: Annotated[int, typer.Option(min=2, help="Folds of the training part, to choose thresholds.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the folds.")] = 0,
    resamples: Annotated[
        int | None, typer.Option(min=20, help="Draws for intervals. Default: 2,000; fewer above 10,000 prompts.")
    ] = None,
    call_usd: Annotated[
        str | None, typer.Option("--call-usd", help="CHEAP,CAPABLE: USD of a call whose cost the table lacks.")
    ] = None,
    served_pair: Annotated[
        str | None, typer.Option("--served-pair", help="CHEAP,CAPABLE as a URL or classifier names them, if otherwise.")
    ] = None,
    against: Annotated[
        str,
        typer.Option("--against", help="Whom differences are taken to. Default: tfidf if it is there, else random."),
    ] = "",
    require: Annotated[
        list[str] | None,
        typer.Option("--require", help='Such as "apgr>=0.62" or "tfidf:saved_95.low>0.2"; else exit code 1.'),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every figure.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Write the curves to this file: .png, .svg, .pdf.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the tables to this file, as Markdown.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Measure routers on graded answers, with intervals, beside the baselines and the oracle."""
    from turnout.evaluate.outcomes.files import source_of
    from turnout.evaluate.outcomes.table import OutcomesError
    from turnout.evaluate.scoreboard.board import Plan, judgements, measured
    from turnout.evaluate.scoreboard.requirement import held, requirement_of
    from turnout.evaluate.scoreboard.show import markdown as as_markdown
    from turnout.evaluate.scoreboard.show import tables

    try:
        wanted = [_pair(one) for one in pair]
        requirements = [requirement_of(one) for one in require or ()]
        plan = Plan(
            source=source_of(outcomes),
            pairs=wanted,
            routers=_routers(router or [], wanted, served_pair, config),
            reference=against,
            folds=folds,
            inner_folds=inner_folds,
            seed=seed,
            train=source_of(train) if train else None,
            call_usd=_two_numbers(call_usd),
            resamples=resamples,
        )
        done = judgements(plan, working=progress)
        board = measured(plan, done, working=progress)
        found = held(board, requirements)
    except OutcomesError as error:
        raise UserError(str(error)) from None
    if plot is not None:
        from turnout.evaluate.scoreboard.plot import draw

        _written(plot, lambda: draw(done, plot))
    if markdown is not None:
        _written(markdown, lambda: markdown.write_text(as_markdown(board, every=every), encoding="utf-8"))
    if json:
        print_json({"board": board, "requirements": [one._asdict() for one in found]})
    else:
        for table in tables(board, every=every):
            console().print(table)
        _legend(board)
        for one in found:
            console().print(Text(_sentence(one)))
    if not all(one.fulfilled for one in found):
        raise typer.Exit(EXIT_NOT_FULFILLED)


def _legend(board: Board) -> None:
    text = "* baseline   ** out of any router's reach: it knows the grades"
    if any(pair.cheap_usd is None for pair in board.pairs):
        text += "   saved: in calls to the capable model where costs are not known"
    console().print(Text(text))


def _sentence(one: Held) -> str:
    value = "not defined" if one.found is None else f"{one.found:.4f}"
    return f"{'fulfilled' if one.fulfilled else 'NOT FULFILLED'}: {one.requirement} – {one.router}, {one.pair}: {value}"


def _pair(text: str) -> Wanted:
    from turnout.evaluate.scoreboard.board import Wanted

    cheap, capable, dataset = pair_named(text)
    return Wanted(cheap=cheap, capable=capable, dataset=dataset)


def _two_numbers(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        cheap, capable = (float(part) for part in text.split(","))
    except ValueError:
        raise UserError(f"--call-usd must be two numbers such as 0.001,0.02, got {text!r}") from None
    if not (0.0 <= cheap < float("inf") and 0.0 <= capable < float("inf")):
        raise UserError(f"--call-usd must be 0 or more, got {text!r}")
    return cheap, capable


def _routers(written: list[str], wanted: list[Wanted], served: str | None, config: Path | None) -> list[Any]:
    from turnout.classify.configured import KINDS, configured_classifier
    from turnout.classify.protocol import Classifier
    from turnout.evaluate.scoreboard.naming import router_of

    names = _pair(served) if served else wanted[0]

    def classifier(name: str) -> Classifier | None:
        settings, catalog = load(config)
        return configured_classifier(settings, catalog, kind=name)

    routers = [
        router_of(one, cheap=names.cheap, capable=names.capable, classifier=classifier, classifiers=KINDS)
        for one in written
    ]
    found = [router.name for router in routers]
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise UserError(f"two routers are named {twice[0]!r}; write NAME= before one of them")
    return routers


def _written(path: Path, write: Callable[[], object]) -> None:
    try:
        write()
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {path}: {error}") from None
    progress_console().print(Text(f"written: {path}"))
