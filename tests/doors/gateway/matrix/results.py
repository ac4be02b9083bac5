"""The matrix as it is kept in the repository: one row a cell, and the versions of the clients."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.doors.gateway.matrix.cells import CLIENTS, Cell

FILE = Path(__file__).parents[4] / "docs" / "gateway-matrix.json"


def row(cell: Cell, way: str) -> dict[str, str]:
    """What came of a cell, for the file."""
    return {
        "client": cell.client.name,
        "door": cell.client.door,
        "upstream": cell.upstream,
        "case": cell.case,
        "result": cell.state.word,
        "by": way,
        "note": cell.note,
    }


def stored() -> dict[str, Any]:
    """What the file holds."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def clients() -> list[dict[str, str]]:
    """The clients, with the versions that are installed."""
    return [
        {
            "name": one.name,
            "shown": one.shown,
            "package": one.package,
            "version": version(one.package),
            "door": one.door,
        }
        for one in CLIENTS
    ]


def write(rows: list[dict[str, str]]) -> None:
    """Write the file anew."""
    lines = ",\n".join(f"    {json.dumps(one)}" for one in rows)
    about = ",\n".join(f"    {json.dumps(one)}" for one in clients())
    FILE.write_text(f'{{\n  "clients": [\n{about}\n  ],\n  "cells": [\n{lines}\n  ]\n}}\n', encoding="utf-8")
