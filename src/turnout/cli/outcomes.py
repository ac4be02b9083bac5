"""`turnout outcomes`: tables of graded answers, inspected, converted and parted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from turnout.cli.common import (
    ConfigOption,
    JsonOption,
    LedgerOption,
    console,
    group,
    load,
    open_for_reading,
    pair_named,
    print_json,
)
from turnout.cli.errors import UserError
from turnout.cli.progress import progress

if TYPE_CHECKING:
    from turnout.evaluate.collect.card import Card
    from turnout.evaluate.outcomes.convert.ledger import Joined
    from turnout.evaluate.outcomes.inspecting import Inspection
    from turnout.evaluate.outcomes.table import Batch

NAME = "outcomes"

app = typer.Typer(help="Inspect, convert and part tables of graded answers.", invoke_without_command=True)


app.callback()(group)


@app.command()
def inspect(
    files: Annotated[list[Path], typer.Argument(help="Graded answers: .parquet, .csv or .jsonl.")],
    pair: Annotated[
        list[str] | None,
        typer.Option(
            "--pair",
            help="CHEAP,CAPABLE or CHEAP,CAPABLE@DATASET: is there enough for them? May be repeated. Default: the pair "
            "that turnout collect was run for.",
        ),
    ] = None,
    all_models: Annotated[bool, typer.Option("--all", help="List every model.")] = False,
    json: JsonOption = False,
) -> None:
    """Say what is in a table: counts, what is missing, duplicates, leakage between splits, and whether it is enough."""
    import msgspec

    from turnout.evaluate.collect.card import read_card
    from turnout.evaluate.collect.errors import CollectError
    from turnout.evaluate.outcomes.files import source_of
    from turnout.evaluate.outcomes.inspecting import inspect as look
    from turnout.evaluate.outcomes.table import OutcomesError

    try:
        source = source_of(files)
        cards = {path: card for path in files if (card := read_card(path)) is not None}
        asked = [pair_named(one) for one in pair or ()] or sorted(
            {(one.cheap, one.capable, "") for one in cards.values()}
        )
        with progress("reading rows") as advance:
            found = look(source, asked, progress=advance)
    except (CollectError, OutcomesError) as error:
        raise UserError(str(error)) from None
    if json:
        print_json({**msgspec.to_builtins(found), "cards": {str(path): card for path, card in cards.items()}})
        return
    _show(found, cards, all_models=all_models)


@app.command()
def convert(
    files: Annotated[
        list[Path],
        typer.Argument(help="What is converted, and at last the file that is written: .parquet, .csv, .jsonl."),
    ],
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            help="outcomes (this table), answers, routellm, mtbench, routerbench, or ledger (FILE then has ids and "
            "grades).",
        ),
    ] = "outcomes",
    ledger: LedgerOption = None,
    run: Annotated[str | None, typer.Option(help="With --from ledger: only calls of this run.")] = None,
    texts: Annotated[
        Path | None,
        typer.Option(help="With --from ledger: prompts by id, for grades without. Default: as the settings have it."),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write a table of graded answers from another format."""
    from turnout.core.catalog import unknown
    from turnout.evaluate.outcomes.convert import FORMATS
    from turnout.evaluate.outcomes.files import private, write
    from turnout.evaluate.outcomes.table import OutcomesError

    *given, out = files
    if not given:
        raise UserError("two files at the least are needed: what is converted, and at last what is written")
    if out in given:
        raise UserError(f"{out} is both read and written")
    try:
        if from_ == "ledger":
            _from_ledger(given, out, ledger, run, texts, config)
            return
        if from_ not in FORMATS:
            raise UserError(unknown("format", from_, [*FORMATS, "ledger"]))
        with progress("converting rows") as advance:
            written = write(_told(FORMATS[from_].read(given), advance, given), out, private=private(given))
    except OutcomesError as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror}") from None
    typer.echo(f"{written:,} rows written to {out}")


@app.command()
def split(
    files: Annotated[list[Path], typer.Argument(help="Graded answers: .parquet, .csv or .jsonl.")],
    to: Annotated[list[str], typer.Option("--to", help="FILE=SHARE, such as train.csv=0.6; two or more, together 1.")],
    seed: Annotated[int, typer.Option(help="Another one gives other parts.")] = 0,
) -> None:
    """Part a table at random, so that no group of prompts is in two parts: to train, to calibrate and to test on."""
    from turnout.evaluate.collect.card import read_card, write_card
    from turnout.evaluate.collect.errors import CollectError
    from turnout.evaluate.outcomes.files import source_of
    from turnout.evaluate.outcomes.parting import parted
    from turnout.evaluate.outcomes.table import OutcomesError

    try:
        parts = [_share(one) for one in to]
        card = read_card(files[0]) if len(files) == 1 else None
        with progress("parting rows") as advance:
            written = parted(source_of(files), parts, seed=seed, progress=advance)
        if card is not None:  # so that a part still says who graded, and how it was sampled
            for path, _ in parts:
                write_card(path, card.of_part(files[0].name))
    except (CollectError, OutcomesError) as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"cannot write {error.filename}: {error.strerror}") from None
    for (path, _), rows in zip(parts, written, strict=True):
        typer.echo(f"{rows:,} rows written to {path}")


def _share(text: str) -> tuple[Path, float]:
    name, equals, share = text.rpartition("=")
    try:
        if not name or not equals:
            raise ValueError
        return Path(name), float(share)
    except ValueError:
        raise UserError(f"--to must be FILE=SHARE such as train.csv=0.6, got {text!r}") from None


def _from_ledger(
    given: list[Path], out: Path, ledger: Path | None, run: str | None, texts: Path | None, config: Path | None
) -> None:
    from turnout.evaluate.outcomes.convert.ledger import Joined, joined
    from turnout.evaluate.outcomes.files import private, write
    from turnout.evaluate.outcomes.table import OutcomesError

    settings, _ = load(config)
    told = Joined()
    kept = texts or (settings.texts if settings.texts is not None and settings.texts.is_file() else None)

    def batches() -> Iterator[Batch]:
        for path in given:
            yield from joined(opened, path, run=run, told=told, texts=kept)
        if not told.outcomes:
            names = ", ".join(path.name for path in given)
            raise OutcomesError(f"{names}: no grade can be used: {'; '.join(_left_out(told))}")

    with open_for_reading(ledger or settings.ledger) as opened:
        written = write(batches(), out, private=private([*given, *([] if kept is None else [kept])]))
    typer.echo(f"{written:,} rows written to {out}")
    for why in _left_out(told):
        typer.echo(f"left out: {why}")


def _left_out(told: Joined) -> list[str]:
    """What became of grades that are in no outcome."""
    counts = (
        (told.unknown, "ids that the ledger has no answer for"),
        (told.several_models, "turns that several models answered"),
        (told.several_turns, "ids that several turns share: give the turn's id, or --run"),
        (
            told.without_text,
            "grades without 'prompt' or 'conversation', which the ledger lacks: add them, or --texts FILE",
        ),
    )
    return [f"{count:,} {why}" for count, why in counts if count]


def _show(found: Inspection, cards: Mapping[Path, Card], *, all_models: bool) -> None:
    from turnout.evaluate.collect.show import card_table, inspected
    from turnout.evaluate.outcomes.show import answers_table, facts_table, sentences

    out = console()
    out.print(facts_table(found), answers_table(found, all_models=all_models))
    for sentence in sentences(found, all_models=all_models):
        out.print(Text(sentence))
    for path, card in cards.items():
        # Of several tables it is not known which rows are of this one.
        said = inspected(path.name, card, found.rows if found.files == path.name else None)
        out.print(Text(said[0]), soft_wrap=True)
        out.print(card_table(card))
        for sentence in said[1:]:
            out.print(Text(sentence), soft_wrap=True)


def _told(batches: Iterator[Batch], advance: Callable[[int], None], given: list[Path]) -> Iterator[Batch]:
    """The batches; that there is none is told before a file is written."""
    from turnout.evaluate.outcomes.table import OutcomesError

    found = False
    for batch in batches:
        found = True
        advance(len(batch))
        yield batch
    if not found:
        raise OutcomesError(f"{', '.join(path.name for path in given)}: there are no graded answers in it")
