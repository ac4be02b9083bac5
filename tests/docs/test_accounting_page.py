"""The table of traps in docs/accounting.md names tests: all of them are there, and every trap has one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "accounting.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## The traps")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| (.+?) \| .+ \| (.+) \|$", SECTION, re.MULTILINE)
TRAPS = [row for row in ROWS if row[0] != "trap"]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def names_in(path: Path) -> set[str]:
    """The test functions of a file, as pytest finds them: by their names, at the top of the module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}


def test_the_table_is_read_whole() -> None:
    lines = [line for line in SECTION.splitlines() if line.startswith("|")]
    assert len(TRAPS) == len(lines) - 2 > 20


@pytest.mark.parametrize(("trap", "tests"), TRAPS, ids=[trap for trap, _ in TRAPS])
def test_every_trap_names_tests_that_exist(trap: str, tests: str) -> None:
    named = NAMED.findall(tests)
    assert named
    assert NAMED.sub("", tests).strip(", ") == ""
    for path, name in named:
        assert (ROOT / path).is_file(), f"{trap}: there is no {path}"
        assert name in names_in(ROOT / path), f"{trap}: there is no {name} in {path}"


def test_every_test_of_the_accounting_folder_is_collected() -> None:
    """A file that pytest does not collect would hold nothing."""
    for path in (ROOT / "tests" / "accounting").glob("*.py"):
        assert bool(names_in(path)) == path.name.startswith("test_")
