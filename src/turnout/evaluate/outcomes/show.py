"""What is in a table of outcomes, for people: tables, and what is lacking in words."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from turnout.evaluate.outcomes.inspecting import Inspection, PairRow

MOST_MODELS = 30
"""So many rows of models are shown unless all are asked for."""


def facts_table(found: Inspection) -> Table:
    """The counts."""
    table = Table(title=Text(found.files), title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("figure", overflow="fold")
    for what, figure in facts(found):
        table.add_row(what, Text(figure))
    return table


def answers_table(found: Inspection, *, all_models: bool = False) -> Table:
    """Each model's answers in each dataset."""
    table = Table(title="answers", title_justify="left")
    for heading in ("dataset", "model", "answers", "mean score", "without cost", "without tokens"):
        table.add_column(heading, justify="left" if heading in ("dataset", "model") else "right", overflow="fold")
    for one in found.per_model if all_models else found.per_model[:MOST_MODELS]:
        table.add_row(
            Text(one.dataset or "–"),
            Text(one.model),
            f"{one.answers:,}",
            f"{one.score:.3f}",
            f"{one.costs_missing:,}",
            f"{one.tokens_missing:,}",
        )
    return table


def sentences(found: Inspection, *, all_models: bool = False) -> Iterator[str]:
    """Whether it is enough for each pair that was asked for, and what is in two splits."""
    if not all_models and len(found.per_model) > MOST_MODELS:
        yield f"{len(found.per_model) - MOST_MODELS:,} more; --all lists them"
    yield from map(enough, found.pairs)
    if not found.pairs and found.models > 1:
        yield "whether they are enough for two models: --pair CHEAP,CAPABLE"
    for leak in found.leaks:
        yield (
            f"LEAKAGE: {leak.exact:,} texts are in both split {leak.first or 'without name'!r} and {leak.second!r}, "
            f"{leak.normalised:,} with case, punctuation and blanks passed over, such as {leak.example!r}"
        )


def facts(found: Inspection) -> list[tuple[str, str]]:
    """The counts, each with what it counts; what is not there is left out."""
    datasets = ", ".join(f"{name or '(no name)'} {count:,}" for name, count in sorted(found.datasets.items()))
    splits = ", ".join(f"{name or '(no name)'} {count:,}" for name, count in sorted(found.splits.items()))
    said = [
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
        said.append(
            ("one id, several texts", f"{found.names_with_several_texts:,}: answers to them are not put together")
        )
    if found.texts_with_several_names:
        said.append(("one text, several ids", f"{found.texts_with_several_names:,}: they are never split"))
    if found.sampled:
        said.append(("sampled", f"{found.sampled:,} rows have a propensity below 1 and are weighted"))
    if found.categories:
        said.append(("categories", f"{found.categories:,}; {found.categories_missing:,} rows have none"))
    if found.texts_in_several_files:
        said.append(
            (
                "one text, several files",
                f"{found.texts_in_several_files:,}: LEAKAGE where one file is to train on and another to test",
            )
        )
    if found.other_columns:
        said.append(("columns read over", ", ".join(found.other_columns)))
    return said


def enough(pair: PairRow) -> str:
    """Whether two models' answers are enough for a guarantee."""
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
