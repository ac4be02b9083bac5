"""Whether prompts are like those that a model was trained on, as a share with an interval.

Of prompts like those of training one in twenty is called unlike (`turnout.classify.learned.likeness`). Where the lower
end of the share's 95 % interval is above twice that, traffic is other traffic.

Known limitations: it looks at prompts one by one, not at how often each kind of them comes; harder prompts on the same
things are not unlike.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from turnout.classify.assess import Figure, wilson
from turnout.classify.learned.likeness import UNLIKE
from turnout.classify.learned.model import LearnedModel
from turnout.classify.learned.rows import Row

FEWEST = 30
"""Of fewer prompts nothing is said."""

MOST_READ = 10_000
"""So many prompts of a file are looked at, the first ones."""

_MEMBERS = ("prompt", "text", "query")


class PromptsError(ValueError):
    """A file of prompts that cannot be used; the message names file and line."""


class Traffic(NamedTuple):
    """How much traffic is unlike the prompts of training.

    Attributes:
        prompts: How many prompts were looked at.
        unlike: The share of them that is unlike, with its 95 % interval.
    """

    prompts: int
    unlike: Figure

    @property
    def found(self) -> Literal["like", "unlike", "too few"]:
        """What that says of the traffic."""
        if self.prompts < FEWEST:
            return "too few"
        return "unlike" if self.unlike.low > 2.0 * UNLIKE else "like"


def traffic_of(unlike: int, prompts: int) -> Traffic:
    """From counts; without any prompt the share is 0 and its interval is all there is."""
    return Traffic(prompts, wilson(unlike, prompts) if prompts else Figure(0.0, 0.0, 1.0))


def looked_through(model: LearnedModel, prompts: Iterable[str]) -> Traffic:
    """Look at some prompts.

    Raises:
        MissingExtraError: The extra ``embedding`` is not installed.
        WeightsError: The model needs MiniLM, whose weights are not installed.
    """
    likeness = model.predict([Row(prompt) for prompt in prompts], likeness=True).likeness
    return traffic_of(int((likeness < model.likeness.cut).sum()), len(likeness))


def read_prompts(path: Path) -> list[str]:
    """The first prompts of a file, empty ones left out.

    In ``.jsonl`` each line is a string, or an object with ``prompt``, ``text`` or ``query``; ``.csv`` has one of these
    columns; in any other file each line is a prompt.

    Raises:
        PromptsError: The file cannot be read, is none of these, or has no prompt.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = {".jsonl": _of_jsonl, ".csv": _of_csv}.get(path.suffix.lower(), _of_text)(path, file)
            found = []
            for prompt in lines:
                if prompt.strip():
                    found.append(prompt)
                if len(found) == MOST_READ:
                    break
    except OSError as error:
        raise PromptsError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise PromptsError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except csv.Error as error:
        raise PromptsError(f"{path} is no CSV: {error}") from None
    if not found:
        raise PromptsError(f"{path} holds no prompt")
    return found


def _of_text(path: Path, lines: Iterable[str]) -> Iterator[str]:
    del path
    return (line.rstrip("\r\n") for line in lines)


def _of_jsonl(path: Path, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value: Any = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            raise PromptsError(f"{path}, line {number}: no JSON ({error})") from None
        if isinstance(value, dict):
            value = next((value[name] for name in _MEMBERS if isinstance(value.get(name), str)), None)
        if not isinstance(value, str):
            raise PromptsError(f"{path}, line {number}: neither a string nor an object with {', '.join(_MEMBERS)}")
        yield value


def _of_csv(path: Path, lines: Iterable[str]) -> Iterator[str]:
    rows = csv.DictReader(lines)
    names = rows.fieldnames or []
    column = next((name for name in _MEMBERS if name in names), None)
    if column is None:
        raise PromptsError(f"{path} has no column {', '.join(_MEMBERS)}; it has {', '.join(names) or 'none'}")
    return (row[column] or "" for row in rows)
