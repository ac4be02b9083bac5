"""The core does no I/O and reads no clock and no environment: what it may import and call is a short list.

The contracts of import-linter forbid what is known to do I/O; this list is the stricter half, as it names what is
allowed and so also catches what nobody thought of.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnout.core

ALLOWED_MODULES = {
    "__future__",
    "bisect",
    "collections",
    "collections.abc",
    "dataclasses",
    "decimal",
    "difflib",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "math",
    "msgspec",
    "operator",
    "re",
    "types",
    "typing",
    "turnout.core",
}
FORBIDDEN_CALLS = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint"}
MODULES = sorted(Path(turnout.core.__path__[0]).rglob("*.py"))


def impurities(source: str) -> Iterator[str]:
    """What in a module's source is not allowed in the core."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [f"{'.' * node.level}{node.module or ''}"]
            for name in names:
                if name not in ALLOWED_MODULES and not name.startswith(("turnout.core.", "msgspec.")):
                    yield f"line {node.lineno} imports {name}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
            yield f"line {node.lineno} calls {node.func.id}()"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_core_is_pure(path: Path) -> None:
    assert list(impurities(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from os import environ",
        "def f():\n    import sqlite3",
        "from turnout.config import load",
        "from . import cost",
        "open('x')",
        "def f():\n    print(1)",
    ],
)
def test_what_the_check_catches(source: str) -> None:
    assert list(impurities(source)) != []
