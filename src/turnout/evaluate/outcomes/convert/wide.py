"""Rows of tables whose columns are not known beforehand, from CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from turnout.config.extras import require
from turnout.evaluate.outcomes.table import OutcomesError

_PICKLE = (
    "a pickle can run any code when it is read, so it is not read here: where you trust it, "
    "pandas.read_pickle(FILE).to_parquet(OTHER) makes a file that is"
)


def wide_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place (file and line or row) and cells of each row.

    Raises:
        OutcomesError: The file cannot be read, or is a pickle.
        MissingExtraError: A Parquet file, and pyarrow is not installed.
    """
    ending = path.suffix.lower()
    if ending in (".pkl", ".pickle"):
        raise OutcomesError(f"{path}: {_PICKLE}")
    if ending == ".parquet":
        yield from _parquet(path)
    elif ending == ".jsonl":
        yield from json_lines(path)
    elif ending == ".csv":
        yield from _csv(path)
    else:
        raise OutcomesError(f"{path}: the name must end in .csv, .jsonl or .parquet")


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place (file and line) and members of each JSON object of a file with one a line.

    Raises:
        OutcomesError: The file cannot be read, or a line is no JSON object.
    """
    decoder = msgspec.json.Decoder(dict[str, Any])
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                if not text.strip():
                    continue
                try:
                    yield f"{path}, line {number}", decoder.decode(text)
                except msgspec.MsgspecError as error:
                    raise OutcomesError(f"{path}, line {number}: this is no JSON object: {error}") from error
    except OSError as error:
        raise OutcomesError(f"cannot read {path}: {error.strerror}") from error


def _csv(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", strict=True)
            for cells in reader:
                if "" in cells and isinstance(cells[""], list):
                    raise OutcomesError(f"{path}, line {reader.line_num}: more cells than the header names columns")
                yield f"{path}, line {reader.line_num}", dict(cells)
    except (csv.Error, UnicodeDecodeError) as error:
        raise OutcomesError(f"{path}: this is no CSV in UTF-8: {error}") from error
    except OSError as error:
        raise OutcomesError(f"cannot read {path}: {error.strerror}") from error


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    parquet = require("pyarrow.parquet", extra="parquet")
    arrow = require("pyarrow", extra="parquet")
    try:
        file = parquet.ParquetFile(path)
    except (OSError, arrow.ArrowInvalid) as error:
        raise OutcomesError(f"cannot read {path} as Parquet: {error}") from error
    row = 0
    for batch in file.iter_batches(batch_size=1_024):
        for cells in batch.to_pylist():
            row += 1
            yield f"{path}, row {row}", cells
