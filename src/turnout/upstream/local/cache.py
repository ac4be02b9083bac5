"""A folder for what can be computed again: where it is, and how files in it are read and written safely.

Nothing depends on it: where it cannot be read or written, that is logged and the work is done again.
"""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/turnout``, or ``~/.cache/turnout``; it may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    return (Path(base) if os.path.isabs(base) else Path("~/.cache").expanduser()) / "turnout"


def read(name: str) -> bytes | None:
    """The content of a cached file, or none if there is none."""
    try:
        return (cache_folder() / name).read_bytes()
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        logger.warning("file=<%s>, error=<%s> | cannot read the cache, going on without", name, type(error).__name__)
        return None


def write(name: str, data: bytes) -> None:
    """Write a cached file so that no reader ever sees half of it."""
    try:
        target = cache_folder() / name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=target.name + ".")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except (OSError, RuntimeError) as error:
        logger.warning("file=<%s>, error=<%s> | cannot write the cache, going on without", name, type(error).__name__)
