"""Tables of outcomes made of other formats: each a function from files to batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from turnout.evaluate.outcomes.convert import answers, mtbench, routellm, routerbench
from turnout.evaluate.outcomes.files import source_of
from turnout.evaluate.outcomes.table import Batch


class Format(NamedTuple):
    """A format that can be converted.

    Attributes:
        read: From files to batches.
        meaning: In words.
    """

    read: Callable[[Sequence[Path]], Iterator[Batch]]
    meaning: str


FORMATS: dict[str, Format] = {
    "outcomes": Format(
        lambda paths: source_of(paths).batches(),
        "this very table, in another file format; columns that are not ours are left out",
    ),
    "answers": Format(answers.batches, "JSONL with a prompt a line and its models' answers in a list"),
    "routellm": Format(routellm.batches, "RouteLLM's evaluation CSV: prompt, and a column of grades a model"),
    "mtbench": Format(mtbench.batches, "MT-Bench as RouteLLM has it: a file of questions, and one of judgements"),
    "routerbench": Format(routerbench.batches, "RouterBench's wide table: sample_id, prompt, eval_name, and by model"),
}
"""The formats by name."""
