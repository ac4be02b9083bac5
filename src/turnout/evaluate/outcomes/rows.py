"""Rows of CSV and JSONL files: each cell checked where it is read, so that an error can name file, line and column."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from turnout.evaluate.outcomes.content import canonical, conversation_problem, query_of, tools_problem
from turnout.evaluate.outcomes.table import COLUMNS, Column, OutcomesError, checked_header, number_problem

_WORDS = {"true": "1", "false": "0"}


def csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and cells of each row of a CSV file in UTF-8 with a header.

    Raises:
        OutcomesError: The file cannot be read, or has no header, or a row has more or fewer cells than that.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            if header is None:
                raise OutcomesError(f"{path}: the file is empty; the first line must name the columns")
            checked_header(header, f"{path}, line 1")
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise OutcomesError(
                        f"{path}, line {reader.line_num}: {len(cells)} cells, but the header names {len(header)}"
                    )
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise OutcomesError(f"{path}, line {reader.line_num}: this is no CSV: {error}") from error
    except UnicodeDecodeError as error:
        raise OutcomesError(f"{path}: this is not UTF-8 text (byte {error.start} of a block)") from error
    except OSError as error:
        raise OutcomesError(f"cannot read {path}: {error.strerror}") from error


def jsonl_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and members of each JSON object of a file with one a line.

    Raises:
        OutcomesError: The file cannot be read, or a line is no JSON object.
    """
    decoder = msgspec.json.Decoder(dict[str, Any])
    known: set[tuple[str, ...]] = set()
    line = 0
    try:
        with path.open("rb") as file:
            for line, text in enumerate(file, start=1):
                if not text.strip():
                    continue
                members = decoder.decode(text)
                names = tuple(members)
                if names not in known:
                    checked_header(names, f"{path}, line {line}")
                    known.add(names)
                yield line, members
    except msgspec.MsgspecError as error:
        raise OutcomesError(f"{path}, line {line}: this is no JSON object: {error}") from error
    except OSError as error:
        raise OutcomesError(f"cannot read {path}: {error.strerror}") from error


def checked_row(cells: dict[str, Any], where: str) -> dict[str, Any]:
    """The values of a row, one for each column of the table.

    Args:
        cells: By column; a missing one is as an empty one. Numbers may be texts, JSON may be values.
        where: File and line, for errors.

    Raises:
        OutcomesError: A value is not what its column holds.
    """
    row = {column.name: _value(column, cells.get(column.name), where) for column in COLUMNS}
    if row["propensity"] is None:
        row["propensity"] = 1.0
    return whole_row(row, where)


def whole_row(row: dict[str, Any], where: str) -> dict[str, Any]:
    """The row, checked for what concerns several columns, its prompt filled in from a conversation.

    Raises:
        OutcomesError: There is neither prompt nor conversation, or no model, or JSON is not what it should be.
    """
    if row["tools"] is not None:
        if problem := tools_problem(row["tools"]):
            raise OutcomesError(f"{where}, column tools: {problem}")
        row["tools"] = canonical(row["tools"])
    if row["conversation"] is not None:
        if problem := conversation_problem(row["conversation"]):
            raise OutcomesError(f"{where}, column conversation: {problem}")
        row["conversation"] = canonical(row["conversation"])
        row["prompt"] = row["prompt"] or query_of(row["conversation"])
    elif not row["prompt"]:
        raise OutcomesError(f"{where}, column prompt: is empty, and there is no conversation")
    if not row["model"]:
        raise OutcomesError(f"{where}, column model: is empty")
    return row


def _value(column: Column, cell: Any, where: str) -> Any:
    match column.kind:
        case "text":
            if cell is None:
                return ""
            if not isinstance(cell, (str, int)):
                raise OutcomesError(f"{where}, column {column.name}: must be a text, got {_shown(cell)}")
            return str(cell)
        case "json":
            if cell is None or (isinstance(cell, str) and not cell.strip()):
                return None
            return cell if isinstance(cell, str) else msgspec.json.encode(cell).decode()
        case _:
            number = _number(column, cell, where)
            if problem := number_problem(column, number):
                raise OutcomesError(f"{where}, column {column.name}: {problem}")
            return number


def _number(column: Column, cell: Any, where: str) -> float | int | None:
    if isinstance(cell, bool):
        raise OutcomesError(f"{where}, column {column.name}: must be a number, got {cell}; write {int(cell)}")
    if isinstance(cell, str):
        cell = cell.strip()
        if not cell:
            return None
        try:
            cell = float(cell)
        except ValueError:
            right = _WORDS.get(cell.lower())
            instead = f"; write {right}" if right else ""
            raise OutcomesError(
                f"{where}, column {column.name}: must be a number, got {_shown(cell)}{instead}"
            ) from None
    if cell is None:
        return None
    if not isinstance(cell, (int, float)):
        raise OutcomesError(f"{where}, column {column.name}: must be a number, got {_shown(cell)}")
    if column.kind == "count" and math.isfinite(cell):
        if cell != int(cell):
            raise OutcomesError(f"{where}, column {column.name}: must be a whole number, got {cell:g}")
        return int(cell)
    return float(cell)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
