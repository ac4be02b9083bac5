"""Events that could not be written, kept beside the ledger as JSON lines until it can be written again.

The file is named ``LEDGER.unwritten-ID.jsonl`` and stands in the ledger's directory, or in the system's directory for
temporary files where that one cannot be written either. The next opening of the ledger for writing takes in what
stands beside it; `turnout.trace.store.ledger.Ledger.take_in` takes in a file from elsewhere. Events are
known by their id, so nothing is counted twice.
"""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from turnout.trace.errors import LedgerError
from turnout.trace.events import Event, new_id
from turnout.trace.store.encode import decode_event, encode_event

_INFIX = ".unwritten-"
_SUFFIX = ".jsonl"


def spill(ledger: Path, events: Sequence[Event]) -> Path:
    """Write events to a new file beside the ledger, readable by its owner alone.

    Raises:
        LedgerError: Neither the ledger's directory nor the one for temporary files can be written.
    """
    lines = b"".join(encode_event(event) + b"\n" for event in events)
    causes = []
    for directory in (ledger.parent, Path(tempfile.gettempdir())):
        path = directory / f"{ledger.name}{_INFIX}{new_id()}{_SUFFIX}"
        # Under another name until it is whole, so that nobody takes in a half.
        partial = path.with_suffix(".partial")
        try:
            with open(partial, "xb", opener=_private) as file:
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
        except OSError as error:
            causes.append(f"{directory}: {error.strerror}")
        else:
            return path
    raise LedgerError(
        f"{len(events)} events could not be kept anywhere ({'; '.join(causes)}): make one of these writable"
    )


def spilled(ledger: Path) -> list[Path]:
    """The files of unwritten events beside the ledger, oldest first."""
    return sorted(ledger.parent.glob(f"{glob.escape(ledger.name)}{_INFIX}*{_SUFFIX}"))


def read_spill(path: Path) -> list[Event]:
    """The events of a file that `spill` wrote.

    Raises:
        LedgerError: It cannot be read, or a line is no event.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise LedgerError(f"the events in {path} cannot be read ({error.strerror}): make the file readable") from error
    events = []
    for number, line in enumerate(lines, start=1):
        try:
            events.append(decode_event(line))
        except msgspec.MsgspecError as error:
            raise LedgerError(f"line {number} of {path} is no event ({error}): correct or remove that line") from error
    return events


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
