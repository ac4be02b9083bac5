"""The set-up from end to end: real uv, real pip settings, real environments, packages from a folder."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from scripts.environment import ROOT, Environment
from scripts.installer import Installer
from tests.scripts.checkout import Checkout
from tests.scripts.test_pythons import fake_python

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def uv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the uv that `make` brought into .tools."""
    found = next(iter(ROOT.glob(".tools/uv-*/bin/uv")), None)
    if found is None:
        pytest.skip("uv is not in .tools: run the tests by `make test`")
    made = Checkout(tmp_path_factory.mktemp("pip") / "checkout")
    if "no-index" not in Installer(made.root, made.environ, print).settings():
        pytest.skip("no Python here has pip")
    return found.parents[1]


@pytest.fixture
def checkout(tmp_path: Path, uv: Path) -> Checkout:
    """A checkout that has uv and nothing else yet."""
    made = Checkout(tmp_path / "checkout")
    (made.root / ".tools").mkdir()
    (made.root / ".tools" / uv.name).symlink_to(uv)
    return made


def test_the_first_run_installs_and_later_ones_need_no_registry(checkout: Checkout) -> None:
    assert checkout.versions("demo", "alpha", "beta") == "1.0 -, set up"
    shutil.rmtree(checkout.root / "wheels")
    shutil.rmtree(checkout.environ["UV_CACHE_DIR"])
    with (checkout.root / "pyproject.toml").open("a") as project:
        project.write("# changed: the project itself is installed again\n")
    assert checkout.versions("demo", "alpha") == "1.0, said nothing"
    next(checkout.root.glob(".tools/uv-*")).unlink()
    assert checkout.versions("demo", "alpha", PATH="/nowhere") == "1.0, said nothing"


def test_groups_grow_and_follow_their_requirements(checkout: Checkout) -> None:
    assert checkout.versions("demo", "alpha", "beta") == "1.0 -, set up"
    assert checkout.versions("test", "alpha", "beta") == "1.0 1.0, set up"
    assert checkout.versions("demo", "alpha", "beta") == "1.0 1.0, said nothing"
    checkout.require("test", checkout.wheel("beta", "2.0"))
    assert checkout.versions("demo", "alpha", "beta") == "- 2.0, set up"


def test_a_killed_run_recovers(checkout: Checkout) -> None:
    state = checkout.root / ".tools" / "state" / "venv.json"
    with subprocess.Popen(checkout.command("demo", "true"), cwd=checkout.root, env=checkout.environ) as first:
        while not state.exists():
            assert first.poll() is None
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
    assert json.loads(state.read_text())["requirements"] is None
    assert not Environment(checkout.root, ".venv").holds("demo")
    (checkout.root / ".venv" / "half").mkdir(parents=True, exist_ok=True)
    assert checkout.versions("demo", "alpha") == "1.0, set up"
    assert not (checkout.root / ".venv" / "half").exists()
    assert "no command 'no-such-command'" in checkout.run("demo", "no-such-command").stderr


def test_a_file_with_another_hash_is_refused(checkout: Checkout) -> None:
    line = checkout.wheel("alpha", "1.0")
    checkout.require("demo", re.sub(r"sha256:.{4}", "sha256:0000", line))
    done = checkout.run("demo", "true")
    assert done.returncode == 1
    assert "turnout: cannot set up: uv failed" in done.stderr
    assert "hash" in done.stderr.lower()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("uv_there", [True, False])
def test_no_registry_answers(checkout: Checkout, uv_there: bool) -> None:
    if not uv_there:
        next(checkout.root.glob(".tools/uv-*")).unlink()
    url = "http://ann:secret@127.0.0.1:9/simple"
    done = checkout.run("demo", "true", PIP_INDEX_URL=url, PIP_NO_INDEX="0", PIP_RETRIES="0", PIP_FIND_LINKS="")
    assert done.returncode == 1
    assert "no package registry answered" in done.stderr
    assert "tried: http://127.0.0.1:9/simple (pip's index-url)" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_environment_of_the_users_own_stays(checkout: Checkout) -> None:
    mine = checkout.root / ".venv" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    done = checkout.run("demo", "true")
    assert done.returncode == 1
    assert "was not made by this set-up" in done.stderr
    assert mine.read_text() == "mine"


def test_without_pip_and_uv_the_message_names_the_package(checkout: Checkout) -> None:
    next(checkout.root.glob(".tools/uv-*")).unlink()
    without = checkout.root.parent / "without"
    without.mkdir()
    (without / "pip.py").write_text("raise ImportError('this Python has no pip')")
    done = checkout.run("demo", "true", PYTHONPATH=str(without), PATH=str(without))
    assert done.returncode == 1
    assert "apt install python3-pip" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_python_that_is_not_supported(checkout: Checkout) -> None:
    done = checkout.run("--python", "3.10", "demo", "true")
    assert done.returncode == 1
    assert "Turnout runs on Python 3.11, 3.12, 3.13, not on '3.10'" in done.stderr


@pytest.mark.parametrize("arguments", [(), ("demo",), ("prod", "true"), ("--python",)])
def test_usage(checkout: Checkout, arguments: tuple[str, ...]) -> None:
    done = checkout.run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")


def test_the_pythons_are_listed_with_the_default_last(checkout: Checkout) -> None:
    for version in ("3.12", "3.13"):
        fake_python(checkout.root / "bin" / f"python{version}", f"{version} /opt/python")
    (checkout.root / ".tools" / "state").mkdir()
    (checkout.root / ".tools" / "state" / "venv.json").write_text(json.dumps({"python": "3.12"}))
    found = checkout.run("--pythons", PATH=f"{checkout.root / 'bin'}:/bin").stdout.split()
    assert found[-2:] == ["3.13", "3.12"]
