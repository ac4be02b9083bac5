"""The package as a user gets it: what is in wheel and source archive, and that the wheel runs without the checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from scripts.release import ROOT, build, copy_known, findings, metadata_of

pytestmark = pytest.mark.once

EPOCH = 1_700_000_000

# A console script as an installer writes it, but for the path of Python.
SCRIPT = """
import sys
from importlib.metadata import entry_points

(script,) = entry_points(group="console_scripts", name="turnout")
sys.argv[0] = "turnout"
sys.exit(script.load()())
"""

DECISION = """
import turnout
from turnout.config import DEFAULT_PAIR, load_catalog
from turnout.core.decide import decide
from turnout.core.decision import DecisionInput
from turnout.core.policy import Policy
from turnout.core.request import Request, Segment

segments = (Segment(kind="message", tokens=20, prefix_hash="query"),)
given = DecisionInput(
    request=Request(session_id="s", segments=segments),
    policy=Policy(candidates=DEFAULT_PAIR.candidates),
    catalog=load_catalog().only(DEFAULT_PAIR),
    now_ms=0,
)
print(turnout.__file__)
print(decide(given).reason)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Source archive and wheel of the checkout as it is."""
    folder = tmp_path_factory.mktemp("built")
    copy_known(ROOT, folder / "tree")
    archive, wheel = build(folder / "tree", folder / "dist", EPOCH)
    return archive, wheel


@pytest.fixture(scope="module")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's files in it, as an installer lays them out."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(built[1]) as wheel:
        wheel.extractall(folder)
    return folder


def run(installed: Path, cwd: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code with the installed wheel before everything else on the path, outside of the checkout."""
    environ = {**os.environ, "PYTHONPATH": str(installed), "HOME": str(cwd)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, timeout=60
    )


def test_nothing_is_missing_and_nothing_came_in_by_accident(built: tuple[Path, Path]) -> None:
    archive, wheel = built
    assert list(findings(wheel, archive)) == []


def test_the_wheel_holds_every_file_of_the_source(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        packed = {name for name in wheel.namelist() if name.startswith("turnout/")}
    with tarfile.open(built[0]) as archive:
        inside = {name.partition("/src/")[2] for name in archive.getnames() if "/src/turnout/" in name}
    assert packed == inside
    assert len(packed) > 100


def test_the_metadata_names_no_host_and_no_weights(built: tuple[Path, Path]) -> None:
    about = metadata_of(built[1])
    assert (about["Name"], about["License-Expression"]) == ("turnout", "Apache-2.0")
    assert about.get_all("Project-URL") is None
    assert sorted(about.get_all("License-File", [])) == ["LICENSE", "NOTICE"]
    core = [line for line in about.get_all("Requires-Dist", []) if "extra ==" not in line]
    names = {re.match(r"[\w-]+", line) for line in core}
    assert {name.group() for name in names if name} == {
        "genai-prices",
        "msgspec",
        "pydantic",
        "pydantic-settings",
        "rich",
        "typer",
    }


def test_it_decides_outside_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, DECISION)
    assert done.stderr == ""
    where, reason = done.stdout.split()
    assert Path(where).is_relative_to(installed)
    assert reason == "no_verdict"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["--version"], "turnout "),
        (["--help"], "classify"),
        (["doctor"], "catalog"),
        (["classify", "When do you open?", "--only", "keyword"], "simple"),
        (["models", "global.sonnet-4.6"], "floor"),
    ],
)
def test_the_command_line_runs_outside_of_the_checkout(
    installed: Path, tmp_path: Path, arguments: list[str], shown: str
) -> None:
    done = run(installed, tmp_path, SCRIPT, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert shown in done.stdout


def test_what_needs_a_clone_says_so(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, SCRIPT, "demo")
    assert done.returncode == 2
    assert "run it in a clone of the project" in done.stderr
