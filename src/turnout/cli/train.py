"""`turnout train`: a classifier learned from graded answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from turnout.cli.common import JsonOption, console, models_named, print_json
from turnout.cli.errors import UserError
from turnout.cli.progress import progress

if TYPE_CHECKING:
    from turnout.classify.assess import Figure
    from turnout.evaluate.training.training import Trained

NAME = "train"

SETTINGS: dict[str, Any] = {
    "epilog": """\b
Examples:
turnout train graded.parquet --models haiku,sonnet --to router
turnout train graded.csv --models small,medium,large --features ngrams --to router """
}


def run(
    outcomes: Annotated[list[Path], typer.Argument(help="Graded answers: .parquet, .csv or .jsonl.")],
    models: Annotated[
        str, typer.Option("--models", help="The candidates as the table names them, the least capable first.")
    ],
    to: Annotated[Path, typer.Option("--to", help="The folder that is written.")],
    as_: Annotated[
        str | None,
        typer.Option("--as", help="What verdicts call the candidates: their ids in the catalog. Default: the same."),
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", help="Only rows of this dataset; may be repeated.")
    ] = None,
    features: Annotated[
        Literal["auto", "embedding", "ngrams"],
        typer.Option(help="With MiniLM's vectors, or n-grams and structure only. auto: with, up to 20,000 prompts."),
    ] = "auto",
    category: Annotated[
        bool,
        typer.Option("--category/--no-category", help="Use the table's categories, which requests must carry too."),
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is drawn.")] = 0,
    json: JsonOption = False,
) -> None:
    """Learn from graded answers where the most capable model is worth its price, and write it to a folder."""
    from turnout.config.extras import MissingExtraError
    from turnout.evaluate.outcomes.files import source_of
    from turnout.evaluate.outcomes.table import OutcomesError
    from turnout.evaluate.training.training import train
    from turnout.upstream.local.weights import WeightsError

    try:
        found = train(
            source_of(outcomes, datasets=dataset),
            models_named(models, "--models"),
            to,
            names=None if as_ is None else models_named(as_, "--as"),
            features=features,
            categories=category,
            seed=seed,
            working=progress,
        )
    except (OutcomesError, MissingExtraError, WeightsError) as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"cannot write {to}: {error.strerror or error}") from None
    if json:
        print_json(found.facts)
        return
    _show(found, to)


def _show(found: Trained, folder: Path) -> None:
    facts = found.facts
    table = Table(title="On prompts that it had not seen, with 95 % intervals", title_justify="left")
    for heading in ("cheaper", "most capable", "APGR (blind: 0.5)", "saved at 95 %", "saved at 98 %"):
        table.add_column(heading)
    for one in found.pairs:
        table.add_row(one.cheap, one.capable, _figure(one.apgr), _figure(one.saved_95), _figure(one.saved_98))
    console().print(table)
    smoothed = f", smoothed by {facts['others']} other models" if facts["others"] else ""
    console().print(
        Text(f"learned from {facts['prompts']:,} prompts{smoothed}; features {facts['mode']}, head {facts['head']}")
    )
    console().print(Text(f"written: {folder}"))


def _figure(figure: Figure | None) -> str:
    return "not defined" if figure is None else f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
