"""Every client by every door to every upstream, in every case, over real sockets.

What comes of it is kept in ``docs/gateway-matrix.json``, from which the page is made. After a change of `cells`, or of
a client's version: ``make gateway-matrix``.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.doors.gateway.matrix import results
from tests.doors.gateway.matrix.cells import APART, CELLS, CLIENTS, NOTES, Cell
from tests.doors.gateway.matrix.running import DRIVERS, Bench
from tests.doors.gateway.matrix.upstreams import doubles
from tests.doors.gateway.support import ANTHROPIC, BEDROCK, OPENAI, served, settings_text
from turnout.upstream.local.smollm import SMOLLM2_ID

UPDATE = os.environ.get("UPDATE_GATEWAY_MATRIX") == "1"
AGAIN = "run `make gateway-matrix`, and read what has changed"

_STORED: dict[str, Any] = {} if UPDATE else results.stored()
_ROWS = {(one["client"], one["upstream"], one["case"]): one for one in _STORED.get("cells", ())}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    candidates = (SMOLLM2_ID, OPENAI[0], ANTHROPIC[0], BEDROCK[0], OPENAI[1], ANTHROPIC[1], BEDROCK[1])
    with doubles() as found, served(tmp_path_factory.mktemp("matrix"), settings_text(found, *candidates)) as gateway:
        one = Bench(gateway, found)
        yield one
        one.close()


@pytest.fixture(scope="module")
def written() -> Iterator[list[dict[str, str]]]:
    """Takes the rows of this run; with ``UPDATE_GATEWAY_MATRIX=1`` they are written at its end, if all are there."""
    rows: list[dict[str, str]] = []
    yield rows
    if UPDATE and len(rows) == len(CELLS):
        results.write(rows)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_cell(cell: Cell, bench: Bench, written: list[dict[str, str]]) -> None:
    row = results.row(cell, bench.run(cell))
    # Clients leave the connection of a stream that broke to the garbage collector: here, and not in a later test.
    if cell.case in ("error", "cancel"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
    written.append(row)
    if not UPDATE:
        assert row == _ROWS.get((cell.client.name, cell.upstream, cell.case)), AGAIN


def test_the_stored_matrix_has_these_cells_and_clients() -> None:
    if not UPDATE:  # it is written only now
        assert list(_ROWS) == [(cell.client.name, cell.upstream, cell.case) for cell in CELLS], AGAIN
        assert _STORED["clients"] == results.clients(), AGAIN


def test_what_is_said_of_single_cells_is_said_of_cells_that_there_are() -> None:
    listed = {(cell.client.name, cell.upstream, cell.case) for cell in CELLS}
    assert APART.keys() <= listed
    assert NOTES.keys() <= {(client, case) for client, _, case in listed}
    assert DRIVERS.keys() == {client.name for client in CLIENTS}
