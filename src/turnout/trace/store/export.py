"""Events out of the ledger into a file that other programs read: JSON lines, or Parquet.

- JSONL: one event a line as `turnout.trace.store.encode.encode_event` writes it, so that `Ledger.take_in` of another
  ledger takes it in: calls first, then decisions with all that they were made from. Money is integers of pico-USD.
- Parquet: one row a call, typed columns, money as 64-bit integers of pico-USD that a sum keeps exact. Needs the extra
  ``parquet``.

Both read and write a batch at a time. A file appears under its name only when it is whole.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

from turnout.core.cost import Cost
from turnout.core.usage import Usage
from turnout.trace.errors import LedgerError
from turnout.trace.store import selection
from turnout.trace.store.encode import CALL_COLUMNS, call_row, encode_event
from turnout.trace.store.ledger import Ledger
from turnout.trace.store.selection import Filter

Format = Literal["jsonl", "parquet"]
"""What can be written."""

Advance = Callable[[int], None]
"""Is told how many events were written since the last time."""

PARQUET_COLUMNS = (*CALL_COLUMNS, "cost_pico")
"""The columns of a Parquet file: those of table ``calls``, and the sum of a call's cost."""

_ROW_GROUP = 65_536
_BOOLEAN = ("streamed", "simulated")
_REAL = ("latency_ms", "first_content_ms")
_INTEGER = {
    "attempt",
    "started_ms",
    "cost_high_pico",
    "cost_pico",
    *Usage.__struct_fields__,
    *Cost.__struct_fields__,
}


def write_jsonl(ledger: Ledger, chosen: Filter, out: IO[bytes], advance: Advance) -> int:
    """Write events as JSON lines.

    Returns:
        How many.

    Raises:
        LedgerError: An event cannot be read.
        OSError: ``out`` cannot be written.
    """
    written = 0
    for batches in (selection.calls(ledger, chosen), selection.decisions(ledger, chosen)):
        for batch in batches:
            out.write(b"".join(encode_event(event) + b"\n" for event in batch))
            written += len(batch)
            advance(len(batch))
    return written


def write_parquet(ledger: Ledger, chosen: Filter, path: Path, advance: Advance) -> int:
    """Write calls as a Parquet file, compressed by Zstandard.

    Returns:
        How many.

    Raises:
        LedgerError: pyarrow is not installed.
        OSError: The file cannot be written.
    """
    arrow, parquet = require_arrow()
    schema = _schema(arrow)
    written = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in _groups(ledger, chosen, advance):
            columns = [list(column) for column in zip(*rows, strict=True)]
            writer.write_table(
                arrow.Table.from_arrays(
                    [arrow.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)],
                    schema=schema,
                )
            )
            written += len(rows)
    return written


def require_arrow() -> tuple[Any, Any]:
    """The modules ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        LedgerError: They are not installed; the message says how to install them.
    """
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise LedgerError(
            "Parquet needs pyarrow, which is not installed: pip install 'turnout[parquet]', or export as jsonl"
        ) from error


@contextmanager
def whole_file(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A name to write to; what was written takes the name ``path`` at the end, and is deleted after an error.

    Raises:
        LedgerError: The file is there already and is not to be overwritten, or it cannot be written.
    """
    if path.is_dir():
        raise LedgerError(f"{path} is a directory: name a file in it")
    if path.exists() and not overwrite:
        raise LedgerError(f"{path} is there already: name another file, or say --force to overwrite it")
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise LedgerError(f"{path} cannot be written ({error.strerror or error}): name another file") from error
    finally:
        partial.unlink(missing_ok=True)


def _groups(ledger: Ledger, chosen: Filter, advance: Advance) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of calls, as many as a row group holds."""
    group: list[tuple[Any, ...]] = []
    for batch in selection.calls(ledger, chosen):
        group += [(*call_row(event), event.cost.total_pico) for event in batch]
        advance(len(batch))
        if len(group) >= _ROW_GROUP:
            yield group
            group = []
    if group:
        yield group


def _schema(arrow: Any) -> Any:
    def kind(column: str) -> Any:
        if column in _INTEGER:
            return arrow.int64()
        if column in _REAL:
            return arrow.float64()
        return arrow.bool_() if column in _BOOLEAN else arrow.string()

    return arrow.schema([arrow.field(column, kind(column)) for column in PARQUET_COLUMNS])
