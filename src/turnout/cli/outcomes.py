"""`turnout outcomes`: tables of graded answers, inspected, converted and parted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from turnout.cli.common import (
    ConfigOption,
    JsonOption,
    LedgerOption,
    console,
    load,
    open_for_reading,
    print_json,
)
from turnout.cli.errors import UserError
from turnout.cli.progress import progress

if TYPE_CHECKING:
    from turnout.evaluate.collect.card import Card
    from turnout.evaluate.outcomes.inspecting import Inspection, PairRow
    from turnout.evaluate.outcomes.table import Batch

NAME = "outcomes"

app = typer.Typer(help="Inspect, convert and part tables of graded answers.", invoke_without_command=True)

_MOST_MODELS = 30


@app.callback()
def _group(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


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
        asked = [_pair(one) for one in pair or ()] or sorted({(one.cheap, one.capable, "") for one in cards.values()})
        with progress("reading rows") as advance:
            found = look(source, asked, progress=advance)
    except (CollectError, OutcomesError) as error:
        raise UserError(str(error)) from None
    if json:
        print_json({**msgspec.to_builtins(found), "cards": {str(path): card for path, card in cards.items()}})
        return
    _show(found, all_models=all_models)
    for path, card in cards.items():
        _show_card(path, card, found, alone=len(files) == 1)


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
            help="outcomes (this table), answers, routellm, routerbench, or ledger (FILE then has ids and grades).",
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
    from turnout.evaluate.outcomes.files import write
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
            written = write(_told(FORMATS[from_].read(given), advance, given), out)
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
    from turnout.evaluate.outcomes.files import source_of
    from turnout.evaluate.outcomes.parting import parted
    from turnout.evaluate.outcomes.table import OutcomesError

    try:
        parts = [_share(one) for one in to]
        with progress("parting rows") as advance:
            written = parted(source_of(files), parts, seed=seed, progress=advance)
    except OutcomesError as error:
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
    from turnout.evaluate.outcomes.files import write

    settings, _ = load(config)
    told = Joined()
    kept = texts or (settings.texts if settings.texts is not None and settings.texts.is_file() else None)

    def batches() -> Iterator[Batch]:
        for path in given:
            yield from joined(opened, path, run=run, told=told, texts=kept)

    with open_for_reading(ledger or settings.ledger) as opened:
        written = write(batches(), out)
    typer.echo(f"{written:,} rows written to {out}")
    if told.unknown:
        typer.echo(f"left out: {told.unknown:,} ids that the ledger has no answer for")
    if told.several_models:
        typer.echo(f"left out: {told.several_models:,} turns that several models answered")
    if told.several_turns:
        typer.echo(f"left out: {told.several_turns:,} query ids that several turns share: give the turn's id, or --run")
    if told.without_text:
        typer.echo(
            f"left out: {told.without_text:,} grades without 'prompt' or 'conversation', which the ledger lacks: "
            "add them, or --texts FILE"
        )


def _pair(text: str) -> tuple[str, str, str]:
    models, _, dataset = text.partition("@")
    cheap, comma, capable = models.partition(",")
    if not comma or not cheap.strip() or not capable.strip() or "," in capable:
        raise UserError(f"--pair must be CHEAP,CAPABLE or CHEAP,CAPABLE@DATASET, got {text!r}")
    return cheap.strip(), capable.strip(), dataset.strip()


def _show(found: Inspection, *, all_models: bool) -> None:
    out = console()
    facts = Table(title=Text(found.files), title_justify="left", show_header=False)
    facts.add_column("what")
    facts.add_column("figure", overflow="fold")
    for what, figure in _facts(found):
        facts.add_row(what, Text(figure))
    out.print(facts)
    models = Table(title="answers", title_justify="left")
    for heading in ("dataset", "model", "answers", "mean score", "without cost", "without tokens"):
        models.add_column(heading, justify="left" if heading in ("dataset", "model") else "right", overflow="fold")
    shown = found.per_model if all_models else found.per_model[:_MOST_MODELS]
    for one in shown:
        models.add_row(
            Text(one.dataset or "–"),
            Text(one.model),
            f"{one.answers:,}",
            f"{one.score:.3f}",
            f"{one.costs_missing:,}",
            f"{one.tokens_missing:,}",
        )
    out.print(models)
    if len(shown) < len(found.per_model):
        out.print(Text(f"{len(found.per_model) - len(shown):,} more; --all lists them"))
    for pair in found.pairs:
        out.print(Text(_enough(pair)))
    if not found.pairs and found.models > 1:
        out.print(Text("whether they are enough for two models: --pair CHEAP,CAPABLE"))
    for leak in found.leaks:
        out.print(
            Text(
                f"LEAKAGE: {leak.exact:,} texts are in both split {leak.first or 'without name'!r} and "
                f"{leak.second!r}, {leak.normalised:,} with case, punctuation and blanks passed over, such as "
                f"{leak.example!r}"
            )
        )


def _show_card(path: Path, card: Card, found: Inspection, *, alone: bool) -> None:
    """How a collection's outcomes came about, and what of it is to be known before they are relied on."""
    from turnout.evaluate.collect.show import agreement_sentences, card_table

    out = console()
    shares = ", ".join(f"up to P {upto:g}: {share:g}" for upto, share in card.strata)
    out.print(
        Text(f"{path.name}: collected for {card.cheap} -> {card.capable}, judged by {card.judge}"), soft_wrap=True
    )
    out.print(Text(f"share of requests that was sampled: {card.share:g}{f' ({shares})' if shares else ''}"))
    out.print(card_table(card))
    for sentence in agreement_sentences(card.agreement) if card.agreement is not None else ():
        out.print(Text(sentence), soft_wrap=True)
    if card.pending:
        out.print(Text(f"NOT DONE: {card.pending:,} requests of the sample are not graded; turnout collect goes on"))
    if alone and found.rows != 2 * card.graded:
        out.print(
            Text(
                f"CHANGED: the card is of {card.graded:,} graded requests, two rows each; the table has "
                f"{found.rows:,} rows"
            )
        )


def _facts(found: Inspection) -> list[tuple[str, str]]:
    datasets = ", ".join(f"{name or '(no name)'} {count:,}" for name, count in sorted(found.datasets.items()))
    splits = ", ".join(f"{name or '(no name)'} {count:,}" for name, count in sorted(found.splits.items()))
    facts = [
        ("rows", f"{found.rows:,}"),
        ("prompts", f"{found.prompts:,}: {datasets}"),
        (
            "different texts",
            f"{found.texts:,}; {found.normalised_texts:,} with case, punctuation and blanks passed over; "
            f"{found.groups:,} groups",
        ),
        ("models", f"{found.models:,}"),
        ("rows of splits", splits),
        ("repeated answers", f"{found.duplicates:,}, {found.disagreeing:,} of them with another score"),
    ]
    if found.names_with_several_texts:
        facts.append(
            ("one id, several texts", f"{found.names_with_several_texts:,}: answers to them are not put together")
        )
    if found.texts_with_several_names:
        facts.append(("one text, several ids", f"{found.texts_with_several_names:,}: they are never split"))
    if found.sampled:
        facts.append(("sampled", f"{found.sampled:,} rows have a propensity below 1 and are weighted"))
    if found.categories:
        facts.append(("categories", f"{found.categories:,}; {found.categories_missing:,} rows have none"))
    if found.texts_in_several_files:
        facts.append(
            (
                "one text, several files",
                f"{found.texts_in_several_files:,}: LEAKAGE where one file is to train on and another to test",
            )
        )
    if found.other_columns:
        facts.append(("columns read over", ", ".join(found.other_columns)))
    return facts


def _enough(pair: PairRow) -> str:
    where = f" on {pair.dataset}" if pair.dataset else ""
    text = (
        f"{pair.cheap} -> {pair.capable}{where}: {pair.prompts:,} prompts, {pair.groups:,} different, score "
        f"{pair.cheap_score:.3f} -> {pair.capable_score:.3f}; missing answers: {pair.only_capable:,} of the "
        f"cheap model, {pair.only_cheap:,} of the capable one. "
    )
    if pair.least is None or pair.usual is None:
        return text + "No number of prompts is enough to guarantee 98 % of the capable model's quality: it has none."
    if pair.groups < pair.least:
        verdict = "NOT ENOUGH"
    elif pair.groups < pair.usual:
        verdict = "enough for a router that errs little, NOT SURE for others"
    else:
        verdict = "enough"
    return (
        text + "To guarantee 98 % of the capable model's quality with probability 95 %, calibration needs at least "
        f"{pair.least:,} different prompts beside those to train on, and about {pair.usual:,} for a router that sends "
        f"half to the cheap model and loses as much as it gains: {verdict}."
    )


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
