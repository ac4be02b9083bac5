"""Tables of outcomes in files: read in batches and written, as Parquet, CSV or JSONL, by the ending of the name."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from turnout.core.catalog import unknown
from turnout.evaluate.outcomes import parquet
from turnout.evaluate.outcomes.rows import checked_row, csv_rows, jsonl_rows
from turnout.evaluate.outcomes.table import COLUMNS, NAMES, Batch, OutcomesError

ENDINGS = (".parquet", ".csv", ".jsonl")
"""The formats, by the ending of a file's name."""

ROWS_AT_ONCE = 8_192
"""Rows of a batch: with prompts of a few kilobytes some ten megabytes."""

Advance = Callable[[int], None]
"""Is told how many rows were read or written since the last time."""


class Source(NamedTuple):
    """Files that are read as one table, again and again, a batch at a time.

    Attributes:
        paths: The files, in this order.
        models: Only rows of these models; none: of all.
        datasets: Only rows of these datasets; none: of all. Rows that name no dataset are found by their file's name.
    """

    paths: tuple[Path, ...]
    models: frozenset[str] | None = None
    datasets: frozenset[str] | None = None

    def batches(self, rows: int = ROWS_AT_ONCE) -> Iterator[Batch]:
        """All rows, at most ``rows`` at a time.

        Raises:
            OutcomesError: A file cannot be read, a value is not what its column holds, or there is no row at all.
            MissingExtraError: A Parquet file, and pyarrow is not installed.
        """
        for _, batch in self.by_file(rows):
            yield batch

    def by_file(self, rows: int = ROWS_AT_ONCE) -> Iterator[tuple[Path, Batch]]:
        """All rows, at most ``rows`` at a time, each batch with its file.

        Raises:
            OutcomesError: As `batches`, which also says that there is no row in any file.
        """
        found = False
        for path in self.paths:
            for batch in read_batches(path, rows, self.models):
                found = True
                if self.datasets is None:
                    yield path, batch
                    continue
                kept = [row for row, name in enumerate(batch.dataset) if (name or path.name) in self.datasets]
                if kept:
                    yield path, batch if len(kept) == len(batch) else batch.take(kept)
        if not found and all(next(read_batches(path, 1), None) is None for path in self.paths):
            raise OutcomesError(f"{self.named()}: there are no graded answers in it")

    def named(self) -> str:
        """The files' names, for people."""
        return ", ".join(path.name for path in self.paths)


def source_of(
    paths: Iterable[Path], *, models: Iterable[str] | None = None, datasets: Iterable[str] | None = None
) -> Source:
    """A table of these files.

    Raises:
        OutcomesError: There is no file, one does not exist, or its name does not end as one of `ENDINGS`.
    """
    found = tuple(paths)
    if not found:
        raise OutcomesError("no file of outcomes is given")
    for path in found:
        ending_of(path)
        if not path.is_file():
            near = (
                sorted(one.name for one in path.parent.glob("*") if one.suffix in ENDINGS)
                if path.parent.is_dir()
                else []
            )
            hint = f"; {unknown('file', path.name, near)}" if near else ""
            raise OutcomesError(f"there is no file {path}{hint}")
    return Source(
        found,
        None if models is None else frozenset(models),
        None if datasets is None else frozenset(datasets),
    )


def ending_of(path: Path) -> str:
    """The format of a file.

    Raises:
        OutcomesError: Its name does not end as one of `ENDINGS`.
    """
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise OutcomesError(f"{path}: the name must end in {', '.join(ENDINGS)}; {unknown('ending', ending, ENDINGS)}")
    return ending


def read_batches(path: Path, rows: int = ROWS_AT_ONCE, models: frozenset[str] | None = None) -> Iterator[Batch]:
    """A file's rows, at most ``rows`` at a time; only those of ``models`` if given.

    Raises:
        OutcomesError: The file cannot be read, or a value is not what its column holds.
        MissingExtraError: A Parquet file, and pyarrow is not installed.
    """
    ending = ending_of(path)
    if ending == ".parquet":
        yield from parquet.parquet_batches(path, rows, models)
        return
    batch = Batch()
    for line, cells in csv_rows(path) if ending == ".csv" else jsonl_rows(path):
        if models is not None and cells.get("model") not in models:
            continue
        batch.append(checked_row(cells, f"{path}, line {line}"))
        if len(batch) >= rows:
            yield batch
            batch = Batch()
    if len(batch):
        yield batch


def other_columns(path: Path) -> list[str]:
    """The columns of a file that are not ours; of a JSONL file those of its first line.

    Raises:
        OutcomesError: The file cannot be read.
    """
    ending = ending_of(path)
    if ending == ".parquet":
        names: Iterable[str] = parquet.column_names(path)
    else:
        names = next(((cells) for _, cells in (csv_rows(path) if ending == ".csv" else jsonl_rows(path))), {})
    return [name for name in names if name not in NAMES]


def private(paths: Iterable[Path]) -> bool:
    """Whether one of these files may be read by its owner alone: so may then what is made of it."""
    return any(path.is_file() and not path.stat().st_mode & 0o077 for path in paths)


def write(batches: Iterable[Batch], path: Path, *, private: bool = False) -> int:
    """Write a file in the format that its name ends in; it appears under its name only when it is whole.

    Args:
        batches: The rows.
        path: The file.
        private: Whether nobody but its owner may read it (mode 0600); else as the process creates files.

    Returns:
        How many rows.

    Raises:
        OutcomesError: The name does not end as one of `ENDINGS`.
        OSError: The file cannot be written.
    """
    ending = ending_of(path)
    part = path.with_name(f".{path.name}.part")
    try:
        if private:
            part.unlink(missing_ok=True)
            # Made before anything stands in it; what opens it for writing then keeps its mode.
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        if ending == ".parquet":
            written = parquet.write_parquet(iter(batches), part)
        elif ending == ".csv":
            written = _write_csv(batches, part)
        else:
            written = _write_jsonl(batches, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return written


def _write_csv(batches: Iterable[Batch], path: Path) -> int:
    written = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES)
        for batch in batches:
            writer.writerows(zip(*(values for _, values in batch.columns()), strict=True))
            written += len(batch)
    return written


def _write_jsonl(batches: Iterable[Batch], path: Path) -> int:
    encode = msgspec.json.Encoder().encode
    written = 0
    with path.open("wb") as file:
        for batch in batches:
            columns = [values for _, values in batch.columns()]
            for row in zip(*columns, strict=True):
                file.write(encode(_members(row)) + b"\n")
            written += len(batch)
    return written


def _members(row: tuple[Any, ...]) -> dict[str, Any]:
    """A row's members, without those that are empty; JSON stands as what it is."""
    members: dict[str, Any] = {}
    for column, value in zip(COLUMNS, row, strict=True):
        if value is None or value == "" or (column.name == "propensity" and value == 1.0):
            continue
        members[column.name] = msgspec.Raw(value.encode()) if column.kind == "json" else value
    return members
