from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts.check_text import findings, main

DOT = "."  # keeps what is looked for out of this file


@pytest.mark.parametrize(
    "text",
    [
        f"see https://pypi{DOT}org/project/x",
        f"index-url = https://files.pythonhosted{DOT}org/",
        f"from registry.npmjs{DOT}org",
        f"at test.PyPI{DOT}org",
    ],
)
def test_a_registry_host_is_found(text: str) -> None:
    assert [line.split(": ")[1] for line in findings("a.md", text)] == ["host of a package registry"]


@pytest.mark.parametrize("path", ["/{}/main/x.py", "cd /{}/.venv", '"/{}/x"', "file:///{}/y"])
@pytest.mark.parametrize("folder", ["root", "work", "home/ann", "Users/ann"])
def test_a_path_of_one_machine_is_found(path: str, folder: str) -> None:
    assert [line.split(": ")[1] for line in findings("a.md", path.format(folder))] == ["path of one machine"]


@pytest.mark.parametrize(
    "text",
    [
        "PyPI has the package; pip's index-url names the registry",
        "https://docs.example.com/workshop and docs/work/plan.md",
        "$HOME/.config, ~/work/x, ./root/y, /usr/bin/python3, /tmp/x, ${DIR}/work/x",
    ],
)
def test_other_text_is_fine(text: str) -> None:
    assert list(findings("a.md", text)) == []


def test_the_files_of_a_checkout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("*.lock\n")
    (tmp_path / "uv.lock").write_text(f"https://pypi{DOT}org/simple\n")  # ignored by git
    (tmp_path / "binary").write_bytes(b"\0" + f"pypi{DOT}org".encode())
    assert main(tmp_path) == 0
    (tmp_path / "new.md").write_text(f"one\n/{'work'}/x\n")
    assert main(tmp_path) == 1
    assert capsys.readouterr().err == f"new.md:2: path of one machine: /{'work'}/x\n"
