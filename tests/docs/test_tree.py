"""The tree in AGENTS.md is the tree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TREE = re.search(r"```text\n(.*?)```", (ROOT / "AGENTS.md").read_text(encoding="utf-8"), re.DOTALL)


def entries() -> list[str]:
    """The paths that the tree names; a line indented by two belongs to the folder above it."""
    assert TREE is not None
    paths, folder = [], ""
    for line in TREE.group(1).splitlines():
        name = line.split()[0]
        if not line.startswith(" "):
            folder = name
            paths.append(name)
        else:
            paths.append(folder + name)
    return paths


@pytest.mark.parametrize("path", entries())
def test_what_the_tree_names_is_there(path: str) -> None:
    assert (ROOT / path).is_dir() if path.endswith("/") else (ROOT / path).is_file()


def test_every_room_stands_in_the_tree() -> None:
    source = ROOT / "src" / "turnout"
    rooms = {f"src/turnout/{path.parent.name}/" for path in source.glob("*/__init__.py")}
    rooms |= {f"src/turnout/{path.name}" for path in source.glob("*.py") if path.name != "__init__.py"}
    assert rooms - set(entries()) == set()


def test_every_script_folder_and_group_of_tests_is_explained() -> None:
    folders = {f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert folders - set(entries()) == set()
