from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from scripts.pythons import SUPPORTED, find, find_first, version_of

HERE = "{}.{}".format(*sys.version_info[:2])
OTHER = next(version for version in SUPPORTED if version != HERE)


def fake_python(path: Path, answer: str, status: int = 0) -> None:
    """A program that answers the probe as that Python would; no machine has every Python."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {status}\n")
    path.chmod(0o755)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"PATH": f"{tmp_path / 'first'}{os.pathsep}{tmp_path / 'second'}", "HOME": str(tmp_path / "home")}


def test_this_python_knows_itself() -> None:
    known = version_of(sys.executable)
    assert known is not None
    assert known[0] == HERE
    assert version_of(known[1]) == known  # the real interpreter, also from within a virtual environment


def test_the_python_that_runs_is_found_without_a_path() -> None:
    assert find(HERE, {}) is not None


def test_path_is_searched_in_order(tmp_path: Path, environ: dict[str, str]) -> None:
    fake_python(tmp_path / "first" / f"python{OTHER}", "broken", status=1)  # as a pyenv shim without that version
    fake_python(tmp_path / "second" / f"python{OTHER}", f"{OTHER} /opt/a/python")
    assert find(OTHER, environ) == "/opt/a/python"


def test_a_plain_python3_counts_by_what_it_says(tmp_path: Path, environ: dict[str, str]) -> None:
    fake_python(tmp_path / "first" / "python3", f"{OTHER} /opt/b/python3")
    assert find(OTHER, environ) == "/opt/b/python3"
    assert find("3.10", environ) is None


@pytest.mark.parametrize("folder", [".pyenv/versions/{}.4/bin", ".local/share/uv/python/cpython-{}.4-linux/bin"])
def test_pyenv_and_uv_are_searched(tmp_path: Path, environ: dict[str, str], folder: str) -> None:
    fake_python(tmp_path / "home" / folder.format(OTHER) / f"python{OTHER}", f"{OTHER} /opt/c/python")
    assert find(OTHER, environ) == "/opt/c/python"


def test_what_is_not_cpython_or_does_not_start_is_passed_over(tmp_path: Path, environ: dict[str, str]) -> None:
    fake_python(tmp_path / "first" / f"python{OTHER}", "")  # the probe prints nothing on another implementation
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / f"python{OTHER}").write_text("not a program")
    assert find(OTHER, environ) is None
    assert version_of(str(tmp_path / "nowhere")) is None


def test_the_first_that_is_there(environ: dict[str, str]) -> None:
    found = find_first(["3.10", HERE, OTHER], environ)
    assert found is not None
    assert found[0] == HERE
    assert find_first(["3.10"], environ) is None
