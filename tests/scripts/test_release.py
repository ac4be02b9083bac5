from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from scripts.release import (
    IN_THE_WHEEL,
    LICENSES,
    ReleaseError,
    build,
    build_reproducibly,
    changes,
    copy_known,
    epoch_of,
    findings,
    main,
    metadata_of,
    metadata_problems,
    write_sbom,
    write_sums,
)

pytestmark = pytest.mark.once

EPOCH = 1_700_000_000
PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "turnout"
version = "1.2"
description = "A package."
requires-python = ">=3.11"
readme = "README.md"
license = "Apache-2.0"
license-files = ["LICENSE", "NOTICE"]
scripts = { turnout = "turnout:main" }

[tool.hatch.build.targets.wheel]
packages = ["src/turnout"]

[tool.hatch.build.targets.sdist]
only-include = ["src/turnout"]
"""
METADATA = b"""Metadata-Version: 2.4
Name: turnout
Version: 1.2
License-Expression: Apache-2.0
Description-Content-Type: text/markdown

About it.
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one commit, made of a small package that has what a release must have."""
    root = tmp_path / "checkout"
    files = dict.fromkeys(("README.md", "LICENSE", "NOTICE"), "text\n")
    files |= {f"src/{name}": "" for name in (*IN_THE_WHEEL, "turnout/__init__.py")}
    files |= {"pyproject.toml": PROJECT, ".gitignore": "*.log\ndist/\n"}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    git(root, "init", "--quiet")
    commit(root)
    return root


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "--all")
    who = ["-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false"]
    git(root, *who, "commit", "--quiet", "--message", "m", "--date", f"{EPOCH} +0000")


def test_two_builds_are_the_same_and_pass(checkout: Path, tmp_path: Path) -> None:
    archive, wheel = build_reproducibly(checkout, tmp_path / "out", EPOCH)
    assert (archive.name, wheel.name) == ("turnout-1.2.tar.gz", "turnout-1.2-py3-none-any.whl")
    assert list(findings(wheel, archive)) == []
    assert metadata_of(wheel)["Version"] == "1.2"


def test_the_time_goes_into_the_files(checkout: Path, tmp_path: Path) -> None:
    early = build_reproducibly(checkout, tmp_path / "early", EPOCH)
    late = build_reproducibly(checkout, tmp_path / "late", EPOCH + 3600)
    assert [one.read_bytes() != other.read_bytes() for one, other in zip(early, late, strict=True)] == [True, True]


def test_a_build_that_depends_on_its_place_is_found(checkout: Path, tmp_path: Path) -> None:
    hook = "from hatchling.metadata.plugin.interface import MetadataHookInterface\n"
    hook += "class Hook(MetadataHookInterface):\n"
    hook += "    def update(self, metadata):\n        metadata['keywords'] = [self.root]\n"
    (checkout / "hatch_build.py").write_text(hook)
    project = PROJECT.replace('only-include = ["src/turnout"]', 'only-include = ["src/turnout", "hatch_build.py"]')
    project = project.replace('version = "1.2"', 'version = "1.2"\ndynamic = ["keywords"]')
    (checkout / "pyproject.toml").write_text(project + "\n[tool.hatch.metadata.hooks.custom]\n")
    with pytest.raises(ReleaseError, match=r"two builds of turnout-1\.2\.tar\.gz differ"):
        build_reproducibly(checkout, tmp_path / "out", EPOCH)


def test_what_git_ignores_is_not_built(checkout: Path, tmp_path: Path) -> None:
    (checkout / "src/turnout/run.log").write_text("ignored")
    (checkout / "src/turnout/new.py").write_text("")
    (checkout / "README.md").rename(checkout / "src/turnout/moved.md")
    copy_known(checkout, tmp_path / "copy")
    copied = {path.name for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert {"new.py", "moved.md"} <= copied
    assert copied & {"run.log", "README.md", "HEAD"} == set()


def test_what_is_missing_or_came_in_by_accident_is_found(checkout: Path, tmp_path: Path) -> None:
    (checkout / "src/turnout/py.typed").unlink()
    (checkout / "src/turnout/notes.bin").write_text("")
    (checkout / "src/turnout/.hidden.py").write_text("")
    (checkout / "tests").mkdir()
    (checkout / "tests/test_a.py").write_text("")
    project = PROJECT.replace('["src/turnout"]\n\n', '["src/turnout", "tests"]\n\n')
    project = project.replace('only-include = ["src/turnout"]', 'only-include = ["src/turnout", "tests"]')
    (checkout / "pyproject.toml").write_text(project.replace(', "NOTICE"', ""))
    archive, wheel = build(checkout, tmp_path / "out", EPOCH)
    assert sorted(line.partition(": ")[2] for line in findings(wheel, archive)) == [
        "NOTICE is missing",
        "tests does not belong there",
        "tests/test_a.py is outside of the package",
        "turnout-1.2.dist-info/licenses/NOTICE is missing",
        "turnout/.hidden.py is of a kind that the package does not hold",
        "turnout/notes.bin is of a kind that the package does not hold",
        "turnout/py.typed is missing",
    ]


def test_a_build_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'turnout'\n")
    with pytest.raises(ReleaseError, match="hatchling cannot build"):
        build(tmp_path, tmp_path / "out", EPOCH)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (b"", b"", None),
        (b"Version: 1.2", b"Version: one", "'one' is invalid for 'version'"),
        (b"text/markdown", b"text/plain", "the description is missing or is no Markdown"),
        (b"License-Expression: Apache-2.0\n", b"", "no license expression"),
        (b"Apache-2.0", b"Apachee", "license-expression"),
        (b"Version: 1.2", b"Version: 1.2\nClassifier: License :: OSI Approved", "a license classifier beside"),
    ],
)
def test_metadata(old: bytes, new: bytes, problem: str | None) -> None:
    found = list(metadata_problems(METADATA.replace(old, new)))
    if problem is None:
        assert found == []
    else:
        assert any(problem in line for line in found)


def test_the_time_is_that_of_the_last_commit_or_the_one_given(checkout: Path) -> None:
    assert epoch_of(checkout, {"SOURCE_DATE_EPOCH": "7"}) == 7
    command = ["git", "log", "-1", "--format=%ct"]
    said = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout
    assert epoch_of(checkout, {}) == int(said)


def test_sums_are_those_of_the_files(tmp_path: Path) -> None:
    for name in ("b.whl", "a.tar.gz"):
        (tmp_path / name).write_text(name)
    write_sums([tmp_path / "b.whl", tmp_path / "a.tar.gz"], tmp_path / "SHA256SUMS")
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert [line.split() for line in lines] == [
        [hashlib.sha256(name.encode()).hexdigest(), name] for name in ("a.tar.gz", "b.whl")
    ]


def test_a_checkout_with_changes_is_refused(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert changes(checkout) == ""
    (checkout / "new.py").write_text("")
    assert main([], checkout) == 1
    assert "?? new.py" in capsys.readouterr().err
    assert main(["--faster"], checkout) == 2
    assert not (checkout / "dist").exists()


def test_no_release_without_a_lock(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], checkout) == 1
    assert "requirements/core.txt is not there: run `make lock`" in capsys.readouterr().err


class TestSbom:
    """Needs cyclonedx-bom, which the group ``release`` brings."""

    @pytest.fixture(autouse=True)
    def needs_cyclonedx(self) -> None:
        if importlib.util.find_spec("cyclonedx_py") is None:
            pytest.skip("cyclonedx-bom is not installed")

    @pytest.fixture
    def about(self) -> Message:
        about = Message()
        fields = {"Name": "turnout", "Version": "1.2", "Summary": "It.", "License-Expression": "Apache-2.0"}
        for name, value in fields.items():
            about[name] = value
        return about

    @pytest.fixture
    def lock(self, tmp_path: Path) -> Path:
        path = tmp_path / "core.txt"
        path.write_text(f"alpha==1.0 \\\n    --hash=sha256:{'0' * 64}\nbeta==2.0 ; python_version >= '3.11'\n")
        return path

    def test_it_names_the_package_and_what_is_locked(self, tmp_path: Path, about: Message, lock: Path) -> None:
        write_sbom(lock, about, tmp_path / "one.json", EPOCH)
        sbom = json.loads((tmp_path / "one.json").read_text())
        assert (sbom["bomFormat"], sbom["metadata"]["timestamp"]) == ("CycloneDX", "2023-11-14T22:13:20+00:00")
        root = sbom["metadata"]["component"]
        assert (root["name"], root["version"], root["type"]) == ("turnout", "1.2", "library")
        assert [(one["name"], one["version"]) for one in sbom["components"]] == [("alpha", "1.0"), ("beta", "2.0")]
        assert "0" * 64 in json.dumps(sbom["components"][0])

    def test_it_is_the_same_each_time(self, tmp_path: Path, about: Message, lock: Path) -> None:
        for name in ("one.json", "two.json"):
            write_sbom(lock, about, tmp_path / name, EPOCH)
        assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()

    def test_a_whole_release(self, checkout: Path, lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (checkout / "requirements").mkdir()
        for kind in ("core", "extras"):
            (checkout / "requirements" / f"{kind}.txt").write_text(lock.read_text())
        commit(checkout)
        assert main([], checkout) == 0
        made = sorted(path.name for path in (checkout / "dist").iterdir())
        assert made == [
            "SHA256SUMS",
            "turnout-1.2-core.cdx.json",
            "turnout-1.2-extras.cdx.json",
            "turnout-1.2-py3-none-any.whl",
            "turnout-1.2.tar.gz",
        ]
        assert all(f"dist/{name}" in capsys.readouterr().out for name in made[:1])
        with (
            zipfile.ZipFile(checkout / "dist" / made[3]) as wheel,
            tarfile.open(checkout / "dist" / made[4]) as archive,
        ):
            assert {f"turnout-1.2.dist-info/licenses/{name}" for name in LICENSES} <= set(wheel.namelist())
            assert "turnout-1.2/LICENSE" in archive.getnames()
