from __future__ import annotations

import ast
from pathlib import Path

import turnout.testing


def test_the_doubles_import_nothing_else_of_turnout() -> None:
    files = list(Path(turnout.testing.__file__).parent.rglob("*.py"))
    assert len(files) > 30
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or "" if node.level == 0 else "relative"] if isinstance(node, ast.ImportFrom) else []
            foreign = [name for name in names if name.startswith(("turnout", "relative"))]
            assert all(f"{name}.".startswith("turnout.testing.") for name in foreign), (file.name, foreign)
