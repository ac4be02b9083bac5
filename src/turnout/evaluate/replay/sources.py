"""Finds out what kind of trace a file is, and loads it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from turnout.core.catalog import unknown
from turnout.evaluate.replay.errors import TraceError
from turnout.evaluate.replay.files import Advance
from turnout.evaluate.replay.mooncake import load_mooncake
from turnout.evaluate.replay.recorded import load_ledger
from turnout.evaluate.replay.requests import Trace
from turnout.evaluate.replay.tau_bench import load_tau_bench
from turnout.trace.store.ledger import Ledger

Format = Literal["mooncake", "tau-bench", "ledger"]
"""The kinds of traces."""

_SUFFIXES: dict[str, Format] = {
    ".jsonl": "mooncake",
    ".json": "tau-bench",
    ".sqlite3": "ledger",
    ".sqlite": "ledger",
    ".db": "ledger",
}


def format_of(path: Path, named: str | None = None) -> Format:
    """The kind of a trace: as named, else by the end of the file's name.

    Raises:
        TraceError: There is no such kind, or the name tells of none.
    """
    kinds: tuple[Format, ...] = get_args(Format)
    if named is not None:
        for kind in kinds:
            if kind == named:
                return kind
        raise TraceError(unknown("format", named, kinds))
    suffix = path.with_suffix("").suffix if path.suffix == ".xz" else path.suffix
    if suffix not in _SUFFIXES:
        raise TraceError(
            f"{path}: the name tells of no trace; end it in {', '.join(_SUFFIXES)} or name the format: "
            + ", ".join(kinds)
        )
    return _SUFFIXES[suffix]


def load_trace(
    path: Path,
    named: str | None = None,
    *,
    run: str | None = None,
    limit: int | None = None,
    advance: Advance = lambda read: None,
) -> Trace:
    """The trace of a file.

    Args:
        path: The file.
        named: Its format; none: by its name.
        run: Only this run of a ledger.
        limit: Only so many requests (of tau-bench: conversations), the first.
        advance: Is told of what was read.

    Raises:
        TraceError: It cannot be read.
        LedgerError: The ledger cannot be read.
    """
    kind = format_of(path, named)
    if run is not None and kind != "ledger":
        raise TraceError(f"{path} is no ledger: only a ledger has runs")
    if kind == "ledger":
        with Ledger(path, create=False, read_only=True) as ledger:
            return load_ledger(ledger, run=run, limit=limit, advance=advance)
    load = load_mooncake if kind == "mooncake" else load_tau_bench
    return load(path, limit=limit, advance=advance)
