"""Outcomes in Parquet files, by pyarrow (extra ``parquet``), a record batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from turnout.config.extras import require
from turnout.evaluate.outcomes.rows import whole_row
from turnout.evaluate.outcomes.table import (
    COLUMNS,
    NAMES,
    Batch,
    Column,
    OutcomesError,
    checked_header,
    column_named,
    number_problem,
)

_EXTRA = "parquet"


def column_names(path: Path) -> list[str]:
    """The names of a file's columns.

    Raises:
        OutcomesError: The file cannot be read.
        MissingExtraError: pyarrow is not installed.
    """
    return list(_open(path).schema_arrow.names)


def parquet_batches(path: Path, rows: int, models: frozenset[str] | None) -> Iterator[Batch]:
    """The file's rows, ``rows`` at a time; only those of ``models`` if given.

    Raises:
        OutcomesError: The file cannot be read, or a value is not what its column holds.
        MissingExtraError: pyarrow is not installed.
    """
    file = _open(path)
    names = list(file.schema_arrow.names)
    checked_header(names, f"{path}")
    wanted = [name for name in names if name in NAMES]
    for name in wanted:
        _check_type(column_named(name), file.schema_arrow.field(name).type, path)
    first = 1
    for arrow_batch in file.iter_batches(batch_size=rows, columns=wanted):
        yield from batch_of(arrow_batch, f"{path}", first, models)
        first += arrow_batch.num_rows


def batch_of(arrow_batch: Any, where: str, first: int, models: frozenset[str] | None = None) -> list[Batch]:
    """An Arrow record batch as a `Batch`; nothing where none of its rows is of ``models``.

    Args:
        arrow_batch: A record batch, or a table; columns that are not ours are left out.
        where: The file, for errors.
        first: The number of its first row, for errors.
        models: Only rows of these models.

    Raises:
        OutcomesError: A value is not what its column holds.
    """
    numbers: list[int] | None = None
    if models is not None:
        compute = require("pyarrow.compute", extra=_EXTRA)
        arrow = require("pyarrow", extra=_EXTRA)
        model = arrow_batch.column(arrow_batch.schema.get_field_index("model"))
        if hasattr(model, "dictionary_decode"):
            model = model.dictionary_decode()
        kept = compute.is_in(model.cast(arrow.string()), value_set=arrow.array(sorted(models), arrow.string()))
        numbers = compute.indices_nonzero(kept).to_pylist()
        if not numbers:
            return []
        if len(numbers) < arrow_batch.num_rows:
            arrow_batch = arrow_batch.take(arrow.array(numbers))
        else:
            numbers = None
    count = arrow_batch.num_rows
    present = set(arrow_batch.schema.names)
    lists: dict[str, list[Any]] = {}
    for column in COLUMNS:
        if column.name in present:
            values = arrow_batch.column(arrow_batch.schema.get_field_index(column.name)).to_pylist()
        else:
            values = [None] * count
        lists[column.name] = _filled(column, values)
    for column in COLUMNS:
        _check_values(column, lists[column.name], where, first, numbers)
    lists["propensity"] = [1.0 if value is None else value for value in lists["propensity"]]
    whole_rows: dict[tuple[str | None, str | None], tuple[str | None, str | None]] = {}
    for row in range(count):
        key = (lists["conversation"][row], lists["tools"][row])
        # JSON repeats from model to model: what was found right once is not read again.
        if key in whole_rows and lists["prompt"][row] and lists["model"][row]:
            lists["conversation"][row], lists["tools"][row] = whole_rows[key]
            continue
        place = f"{where}, row {first + (row if numbers is None else numbers[row])}"
        whole = whole_row({name: values[row] for name, values in lists.items()}, place)
        for name in ("prompt", "conversation", "tools"):
            lists[name][row] = whole[name]
        whole_rows[key] = (whole["conversation"], whole["tools"])
    return [Batch(**lists)]


def write_parquet(batches: Iterator[Batch], path: Path) -> int:
    """Write a file, compressed by Zstandard; what is there is overwritten.

    Returns:
        How many rows.

    Raises:
        MissingExtraError: pyarrow is not installed.
        OSError: The file cannot be written.
    """
    arrow = require("pyarrow", extra=_EXTRA)
    parquet = require("pyarrow.parquet", extra=_EXTRA)
    types = {"text": arrow.string(), "json": arrow.string(), "number": arrow.float64(), "count": arrow.int64()}
    schema = arrow.schema([(column.name, types[column.kind]) for column in COLUMNS])
    written = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(arrow.record_batch([values for _, values in batch.columns()], schema=schema))
            written += len(batch)
    return written


def _open(path: Path) -> Any:
    parquet = require("pyarrow.parquet", extra=_EXTRA)
    arrow = require("pyarrow", extra=_EXTRA)
    try:
        return parquet.ParquetFile(path)
    except (OSError, arrow.ArrowInvalid) as error:
        raise OutcomesError(f"cannot read {path} as Parquet: {error}") from error


def _check_type(column: Column, found: Any, path: Path) -> None:
    types = require("pyarrow", extra=_EXTRA).types
    value = found.value_type if types.is_dictionary(found) else found
    text = types.is_string(value) or types.is_large_string(value) or types.is_string_view(value)
    if column.kind in ("text", "json"):
        right = text or types.is_null(value)
        wanted = "text"
    else:
        right = types.is_integer(value) or types.is_floating(value) or types.is_null(value)
        wanted = "numbers"
    if not right:
        raise OutcomesError(f"{path}, column {column.name}: must hold {wanted}, but is of type {found}")


def _filled(column: Column, values: list[Any]) -> list[Any]:
    if column.kind == "text":
        return ["" if value is None else value for value in values]
    if column.kind == "number":
        # NaN is what pandas writes for a missing number.
        return [None if value is None or value != value else float(value) for value in values]
    if column.kind == "count":
        return [None if value is None or value != value else value for value in values]
    return values


def _check_values(column: Column, values: list[Any], where: str, first: int, numbers: list[int] | None) -> None:
    if column.kind not in ("number", "count"):
        return
    given = [value for value in values if value is not None]
    complete = len(given) == len(values) or not column.required
    low = column.low if column.name != "propensity" else 5e-324
    fits = complete and (not given or (min(given) >= low and max(given) <= min(column.high, 1.7e308)))
    if fits and (column.kind == "number" or all(value == int(value) for value in given)):
        return
    for row, value in enumerate(values):
        problem = number_problem(column, value)
        if problem is None and column.kind == "count" and value is not None and value != int(value):
            problem = f"must be a whole number, got {value:g}"
        if problem:
            place = first + (row if numbers is None else numbers[row])
            raise OutcomesError(f"{where}, row {place}, column {column.name}: {problem}")
