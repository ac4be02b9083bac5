"""Decisions in their rows: written many to a pack, and read back with their packs and snapshots."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from turnout.core.catalog import Catalog
from turnout.core.policy import Policy
from turnout.trace.errors import LedgerError
from turnout.trace.events import DecisionEvent
from turnout.trace.store.encode import (
    DECISION_COLUMNS,
    JsonPair,
    Row,
    decision_json,
    decision_of,
    decision_row,
    own_json,
)
from turnout.trace.store.inserting import Insert
from turnout.trace.store.pack import packed_pair, packed_pairs, unpacked_pairs

MOST_IN_A_PACK = 64
"""More save hardly anything, and one decision is read by unpacking all that share its pack."""

_MOST_PACK_BYTES = 512 * 1024
"""A pack that has so many bytes, unpacked, takes no more decisions."""

_KEPT_PACKS = 16
"""Decisions that follow one another stand in the same pack, or in those of a few processes."""

_PACKS = Insert("packs", ("number", "json"))

_Kind = TypeVar("_Kind", Policy, Catalog)

_POLICY, _CATALOG, _PLACE, _PACK = (
    DECISION_COLUMNS.index(name) for name in ("policy_hash", "catalog_hash", "place", "pack")
)


class Select(Protocol):
    """Runs one query and gives its rows."""

    def __call__(self, sql: str, values: Sequence[Any] = (), /) -> list[Row]:
        """The rows of the query with these values."""


class Packing(NamedTuple):
    """Rows of decisions that lack nothing but the number of their pack, and the pack; none where there is none."""

    pack: bytes | None
    rows: list[Row]


def packings(events: Iterable[DecisionEvent]) -> Iterator[Packing]:
    """Decisions as they are written, in their order."""
    together: list[DecisionEvent] = []
    pairs: list[JsonPair] = []
    size = 0
    for event in events:
        pair = decision_json(event, *_hashes(event))
        together.append(event)
        pairs.append(pair)
        size += len(pair[0]) + len(pair[1])
        if len(pairs) == MOST_IN_A_PACK or size >= _MOST_PACK_BYTES:
            yield _packing(together, pairs)
            together, pairs, size = [], [], 0
    if together:
        yield _packing(together, pairs)


def numbered(connection: sqlite3.Connection, packed: Sequence[Packing]) -> list[Row]:
    """Write the packs, in a transaction that has begun to write; their rows, which are now whole."""
    rows: list[Row] = []
    packs: list[Row] = []
    [(number,)] = connection.execute("SELECT coalesce(max(number), 0) FROM packs")
    for packing in packed:
        if packing.pack is None:
            rows += [(*row, None) for row in packing.rows]
        else:
            number += 1
            packs.append((number, packing.pack))
            rows += [(*row, number) for row in packing.rows]
    _PACKS.write(connection, packs)
    return rows


def unpack(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Give the decisions of these packs their own JSON, and delete the packs."""
    # Numbers, not text: and as many as are wanted, which a list of values could not be. No index is kept for this.
    wanted = msgspec.json.encode(list(numbers)).decode()
    left = connection.execute(
        "SELECT pack, place, sequence FROM decisions WHERE pack IN (SELECT value FROM json_each(?)) ORDER BY pack",
        (wanted,),
    ).fetchall()
    for number, rows in groupby(left, key=itemgetter(0)):
        [(pack,)] = connection.execute("SELECT json FROM packs WHERE number = ?", (number,))
        pairs = unpacked_pairs(pack)
        connection.executemany(
            "UPDATE decisions SET given = ?, place = 0, pack = NULL WHERE sequence = ?",
            [(packed_pair(*pairs[place]), sequence) for _, place, sequence in rows],
        )
    connection.execute("DELETE FROM packs WHERE number IN (SELECT value FROM json_each(?))", (wanted,))


class DecisionReader:
    """Reads decisions of one ledger; what several share is read once.

    Args:
        path: The ledger's, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._snapshots: dict[str, Policy | Catalog] = {}

    def read(self, select: Select, rows: Iterable[Row]) -> list[DecisionEvent]:
        """The decisions of these rows.

        Args:
            select: Sees the state that the rows were read from.
            rows: The values of `DECISION_COLUMNS`.

        Raises:
            LedgerError: One cannot be read, or what it needs is missing.
        """
        packs: dict[int, list[JsonPair]] = {}
        return [self._read(select, row, packs) for row in rows]

    def _read(self, select: Select, row: Row, packs: dict[int, list[JsonPair]]) -> DecisionEvent:
        policy = self._snapshot(select, row[_POLICY], Policy)
        catalog = self._snapshot(select, row[_CATALOG], Catalog)
        try:
            number, place = row[_PACK], row[_PLACE]
            if number is None:
                return decision_of(row, own_json(row), policy, catalog)
            pairs = packs.get(number)
            if pairs is None:
                if len(packs) >= _KEPT_PACKS:
                    del packs[next(iter(packs))]
                pairs = packs[number] = self._pack(select, number)
            if place >= len(pairs):
                raise LedgerError(f"the pack {number} in the ledger {self._path} lacks a decision: it is damaged")
            return decision_of(row, pairs[place], policy, catalog)
        except msgspec.MsgspecError as error:
            raise LedgerError(f"the decision {row[0]} in the ledger {self._path} cannot be read: {error}") from error

    def _pack(self, select: Select, number: int) -> list[JsonPair]:
        rows = select("SELECT json FROM packs WHERE number = ?", (number,))
        if not rows:
            raise LedgerError(f"the pack {number} is missing in the ledger {self._path}: it is damaged")
        return unpacked_pairs(rows[0][0])

    def _snapshot(self, select: Select, known: str, kind: type[_Kind]) -> _Kind:
        value = self._snapshots.get(known)
        if value is None:
            rows = select("SELECT json FROM snapshots WHERE hash = ?", (known,))
            if not rows:
                raise LedgerError(
                    f"the {kind.__name__.lower()} {known} is missing in the ledger {self._path}: it is damaged"
                )
            value = self._snapshots[known] = msgspec.json.decode(rows[0][0], type=kind)
        if not isinstance(value, kind):
            raise LedgerError(f"{known} in the ledger {self._path} is no {kind.__name__.lower()}: it is damaged")
        return value


def _packing(events: Sequence[DecisionEvent], pairs: Sequence[JsonPair]) -> Packing:
    if len(events) == 1:
        [event] = events
        return Packing(None, [decision_row(event, *_hashes(event), given=packed_pair(*pairs[0]))])
    rows = [decision_row(event, *_hashes(event), place=place) for place, event in enumerate(events)]
    return Packing(packed_pairs(pairs), rows)


def _hashes(event: DecisionEvent) -> tuple[str, str]:
    return event.given.policy.content_hash, event.given.catalog.content_hash
