"""Reads the files of traces: plain or compressed by xz, by the line or whole."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TypeVar

import msgspec

from turnout.evaluate.replay.errors import TraceError

_Kind = TypeVar("_Kind")

Advance = Callable[[int], None]
"""Is told how much was done since the last time."""


def read_lines(path: Path, kind: type[_Kind], advance: Advance) -> Iterator[tuple[int, _Kind]]:
    """The values of a file of JSON lines, each with the number of its line; blank lines are passed over.

    Args:
        path: The file; one that ends in ``.xz`` is unpacked on the way.
        kind: What a line holds.
        advance: Is told of each line.

    Raises:
        TraceError: The file cannot be read, or a line holds something else; the message names the line.
    """
    decoder = msgspec.json.Decoder(kind)
    for number, line in enumerate(_lines(path), 1):
        advance(1)
        if not line.strip():
            continue
        try:
            yield number, decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise TraceError(f"{path}, line {number}: {error}") from error


def read_whole(path: Path, kind: type[_Kind]) -> _Kind:
    """The value of a JSON file.

    Raises:
        TraceError: The file cannot be read, or holds something else.
    """
    try:
        with _open(path) as file:
            return msgspec.json.decode(file.read(), type=kind)
    except msgspec.MsgspecError as error:
        raise TraceError(f"{path}: {error}") from error
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise _unreadable(path, error) from error


def content_of(path: Path) -> str:
    """SHA-256 over the bytes of a file, as far as it names it among others.

    Raises:
        TraceError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise _unreadable(path, error) from error


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with _open(path) as file:
            yield from file
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise _unreadable(path, error) from error


def _open(path: Path) -> IO[bytes]:
    return lzma.open(path) if path.suffix == ".xz" else path.open("rb")


def _unreadable(path: Path, error: Exception) -> TraceError:
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return TraceError(f"{path} cannot be read ({why})")
