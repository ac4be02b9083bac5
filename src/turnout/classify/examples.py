"""Labelled queries: what classifiers learn from, are calibrated on and are measured on.

A file holds one JSON object a line. The user's own needs ``text`` and ``label``; ours (`load_queries`) also has pairs
of look-alikes (same topic and length, one simple and one complex) and splits, so that no pair is in two splits.
"""

from __future__ import annotations

import importlib.resources
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeVar

import msgspec

from turnout.core.verdict import Complexity

Split = Literal["examples", "calibration", "held_out"]
"""What a query is for: learned from, calibrated on, or only ever measured on."""

PACKAGED = "support_queries.jsonl"
"""The name of the packaged set of customer-support queries, in `turnout.classify.data`."""


class LabelledSetError(ValueError):
    """A labelled set that cannot be used; the message names file and line."""


class LabelledExample(msgspec.Struct, frozen=True):
    """A query and its label."""

    text: str
    label: Complexity


class LabelledQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query of a set with pairs and splits.

    Attributes:
        pair: Shared by two queries of one topic and about one length, one simple and one complex.
        id: Unique in the set.
        topic: What the pair is about.
        text: The query.
        label: ``simple`` or ``complex``.
        split: What the query is for.
        why: Why it has that label, for people.
    """

    pair: str | int
    id: str | int
    topic: str = ""
    text: str
    label: Complexity
    split: Split
    why: str = ""

    @property
    def example(self) -> LabelledExample:
        """Text and label alone."""
        return LabelledExample(self.text, self.label)


_T = TypeVar("_T", LabelledExample, LabelledQuery)


def load_examples(path: str | os.PathLike[str]) -> tuple[LabelledExample, ...]:
    """The user's labelled queries: a JSON object a line, with ``text`` and ``label``; other keys are left alone.

    Raises:
        LabelledSetError: The file cannot be read, a line is no such object, a text is empty or there twice (but for
            case and blanks), or one of the labels is missing altogether.
    """
    name = os.fspath(path)
    examples = list(_lines(_read(path), name, LabelledExample))
    _check_texts(examples, name)
    check_both_labels((example for _, example in examples), name)
    return tuple(example for _, example in examples)


def load_queries(path: str | os.PathLike[str] | None = None) -> tuple[LabelledQuery, ...]:
    """A set with pairs and splits; without a path the packaged customer-support queries.

    Raises:
        LabelledSetError: As in `load_examples`; also where an id is there twice, a pair stands in two splits, or a pair
            is not one simple and one complex query.
    """
    if path is None:
        name = PACKAGED
        data = importlib.resources.files("turnout.classify").joinpath("data", PACKAGED).read_bytes()
    else:
        name, data = os.fspath(path), _read(path)
    queries = list(_lines(data, name, LabelledQuery))
    _check_texts(queries, name)
    _check_ids(queries, name)
    _check_pairs(queries, name)
    check_both_labels((query for _, query in queries), name)
    return tuple(query for _, query in queries)


def of_split(queries: Iterable[LabelledQuery], split: Split) -> tuple[LabelledQuery, ...]:
    """The queries of one split, in their order."""
    return tuple(query for query in queries if query.split == split)


def check_both_labels(examples: Iterable[LabelledExample | LabelledQuery], where: str) -> None:
    """Raise unless both labels occur.

    Raises:
        LabelledSetError: A label is missing.
    """
    labels = [example.label for example in examples]
    for label in ("simple", "complex"):
        if label not in labels:
            raise LabelledSetError(f"{where}: no query is labelled {label!r}; both labels are needed")


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise LabelledSetError(f"cannot read the labelled queries {os.fspath(path)!r}: {error.strerror}") from error


def _lines(data: bytes, name: str, kind: type[_T]) -> Iterator[tuple[int, _T]]:
    decoder = msgspec.json.Decoder(kind)
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            query = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LabelledSetError(f"{name}, line {number}: {error}") from error
        if not query.text.strip():
            raise LabelledSetError(f"{name}, line {number}: the text is empty")
        yield number, query


def _check_texts(
    queries: Sequence[tuple[int, LabelledExample]] | Sequence[tuple[int, LabelledQuery]], name: str
) -> None:
    seen: dict[str, int] = {}
    for number, query in queries:
        before = seen.setdefault(" ".join(query.text.casefold().split()), number)
        if before != number:
            raise LabelledSetError(f"{name}, line {number}: the text of line {before} again")


def _check_ids(queries: Sequence[tuple[int, LabelledQuery]], name: str) -> None:
    seen: dict[str | int, int] = {}
    for number, query in queries:
        before = seen.setdefault(query.id, number)
        if before != number:
            raise LabelledSetError(f"{name}, line {number}: the id {query.id!r} is already on line {before}")


def _check_pairs(queries: Sequence[tuple[int, LabelledQuery]], name: str) -> None:
    pairs: dict[str | int, list[tuple[int, LabelledQuery]]] = defaultdict(list)
    for number, query in queries:
        pairs[query.pair].append((number, query))
    for pair, members in pairs.items():
        first_number, first = members[0]
        for number, query in members[1:]:
            if query.split != first.split:
                raise LabelledSetError(
                    f"{name}, line {number}: pair {pair!r} is in split {query.split!r} here "
                    f"but in {first.split!r} on line {first_number}"
                )
        if sorted(query.label for _, query in members) != ["complex", "simple"]:
            raise LabelledSetError(
                f"{name}, line {members[-1][0]}: pair {pair!r} must be one simple and one complex query, "
                f"got {len(members)} queries: {', '.join(query.label for _, query in members)}"
            )
