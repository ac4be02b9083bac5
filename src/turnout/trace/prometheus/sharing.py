"""The counts of several processes as one: each writes its own to a file now and then, and any of them adds all up.

Whoever is asked reads the files alone, its own included, and not what it has counted since: so of two answers by two
processes the later one never has less, which Prometheus would take for a restart. A process that takes the place of one
that died goes on from its file. A file is moved into its place whole.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from turnout.trace.prometheus.totals import Totals

logger = logging.getLogger(__name__)


class Counted(NamedTuple):
    """What one process has counted.

    Attributes:
        totals: The sums.
        breakers: For each breaker its model, region and state.
        dropped: For each place how many events it has dropped.
    """

    totals: Totals
    breakers: tuple[tuple[str, str, str], ...] = ()
    dropped: Mapping[str, int] = {}


class Shared:
    """A folder in which the processes of one server write what they have counted.

    Nobody but the server's own user may write there: what is read is believed.

    Args:
        folder: The folder.
        slot: Which of the processes this one is.
    """

    def __init__(self, folder: Path, slot: int) -> None:
        self._folder = folder
        self._own = folder / f"{slot}.counts"

    def before(self) -> Counted | None:
        """What the process before in this slot had counted; none: there was none."""
        return _read(self._own) if self._own.exists() else None

    def write(self, counted: Counted) -> None:
        """Write what this process has counted."""
        partial = self._own.with_suffix(".new")
        partial.write_bytes(pickle.dumps(counted))
        os.replace(partial, self._own)

    def all(self) -> list[Counted]:
        """What each process had counted when it last wrote."""
        found = (_read(file) for file in sorted(self._folder.glob("*.counts")))
        return [one for one in found if one is not None]


def added(models: Iterable[str], parts: Iterable[Counted]) -> Counted:
    """All of them as one; of two states of a breaker both are there.

    Args:
        models: The models that have labels of their own.
        parts: What each process has counted.
    """
    totals, breakers, dropped = Totals(models), dict[tuple[str, str, str], None](), dict[str, int]()
    for part in parts:
        totals.merge(part.totals)
        breakers.update(dict.fromkeys(part.breakers))
        for place, count in part.dropped.items():
            dropped[place] = dropped.get(place, 0) + count
    return Counted(totals, tuple(breakers), dropped)


def _read(file: Path) -> Counted | None:
    try:
        found = pickle.loads(file.read_bytes())
    except Exception:
        logger.exception("file=<%s> | the counts of a process cannot be read", file.name)
        return None
    return found if isinstance(found, Counted) else None
