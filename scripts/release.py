"""Builds what a release consists of into ``dist``: wheel, source archive, two SBOMs, SHA-256 sums.

Wheel and archive are built twice, in two folders, from the files that git knows, and must come out the same to the last
byte; the wheel is built a third time from the archive, with the same demand. `findings` then looks into both. The time
in the archives is ``SOURCE_DATE_EPOCH``, by default that of the last commit. Nothing is uploaded.

The SBOMs are CycloneDX 1.6, made by cyclonedx-bom from the locked requirements: one of what ``pip install turnout``
brings, one with every extra. Known limitation: cyclonedx-bom names the public index as the source of every file, as the
lock names none.

A checkout with changes that are not committed is refused, unless ``--allow-changes`` is given, for trying.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from email.parser import BytesParser
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SBOMS = {"core": "requirements/core.txt", "extras": "requirements/extras.txt"}
"""For each SBOM the locked requirements that it is made from."""

SUMS = "SHA256SUMS"

IN_THE_WHEEL = (
    "turnout/py.typed",
    "turnout/classify/data/keywords.toml",
    "turnout/classify/data/llm_prompt.toml",
    "turnout/classify/data/support_queries.jsonl",
    "turnout/config/catalog.toml",
    "turnout/config/genai_prices.json",
    "turnout/evaluate/report/vendor/LICENSE-chartjs.md",
)
"""Files beside the code that must not be forgotten."""

LICENSES = ("LICENSE", "NOTICE")
SUFFIXES = {".py", ".typed", ".toml", ".json", ".jsonl", ".css", ".js", ".md", ".html", ".safetensors"}
"""What kinds of files the package may hold: whatever else lies there came in by accident."""

ARCHIVE_TOP = {"src", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "NOTICE", "PKG-INFO", ".gitignore"}


class ReleaseError(RuntimeError):
    """The release cannot be made; the message says why."""


def build(source: Path, out: Path, epoch: int, targets: Sequence[str] = ("sdist", "wheel")) -> list[Path]:
    """Build a source tree with hatchling, without isolation: the lock pins the builder.

    Returns:
        The files, source archive first.

    Raises:
        ReleaseError: The build failed.
    """
    options = [part for target in targets for part in ("--target", target)]
    environ = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(out), *options]
    done = subprocess.run(command, cwd=source, env=environ, capture_output=True, text=True)
    if done.returncode != 0:
        raise ReleaseError(f"hatchling cannot build {source}:\n{done.stderr[-2000:]}")
    return sorted([*out.glob("*.tar.gz"), *out.glob("*.whl")], key=lambda path: path.suffix)


def build_reproducibly(root: Path, out: Path, epoch: int) -> list[Path]:
    """Build twice in different places, and the wheel from the archive too; the files of the first build, in ``out``.

    Raises:
        ReleaseError: A build failed, or two of them differ.
    """
    with tempfile.TemporaryDirectory(prefix="turnout-release-") as made:
        trees = [Path(made) / "one", Path(made) / "another-place" / "two"]
        for tree in trees:
            copy_known(root, tree)
        first, second = (build(tree, tree / "dist", epoch) for tree in trees)
        again = Path(made) / "again"
        with tarfile.open(first[0]) as archive:
            # Python 3.11.2, Debian 12's own, has no filters yet; the archive is one that was just built here.
            filtered: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
            archive.extractall(again, **filtered)
        third = build(next(again.iterdir()), Path(made) / "third", epoch, targets=("wheel",))
        for one, other in [*zip(first, second, strict=True), (first[1], third[0])]:
            if one.name != other.name or one.read_bytes() != other.read_bytes():
                raise ReleaseError(f"two builds of {one.name} differ")
        out.mkdir(parents=True, exist_ok=True)
        return [Path(shutil.copy(path, out)) for path in first]


def copy_known(root: Path, to: Path) -> None:
    """Copy the files that git knows or would take up, and no others."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (root / name).is_file():  # one that was deleted and not yet committed is listed too
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / name, to / name)


def metadata_of(wheel: Path) -> Message:
    """The wheel's METADATA."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return BytesParser().parsebytes(archive.read(name))


def findings(wheel: Path, archive: Path) -> Iterator[str]:
    """What is wrong with wheel and source archive, one line each."""
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        raw = packed.read(next(name for name in names if name.endswith(".dist-info/METADATA")))
    info = next(name.partition("/")[0] for name in names if name.endswith(".dist-info/METADATA"))
    for wanted in (*IN_THE_WHEEL, *(f"{info}/licenses/{name}" for name in LICENSES), f"{info}/entry_points.txt"):
        if wanted not in names:
            yield f"{wheel.name}: {wanted} is missing"
    for name in names:
        path = PurePosixPath(name)
        if path.parts[0] not in ("turnout", info):
            yield f"{wheel.name}: {name} is outside of the package"
        elif path.parts[0] == "turnout" and (path.suffix not in SUFFIXES or path.name.startswith(".")):
            yield f"{wheel.name}: {name} is of a kind that the package does not hold"
    yield from (f"{wheel.name}: {problem}" for problem in metadata_problems(raw))
    with tarfile.open(archive) as packed_source:
        inside = [PurePosixPath(name).parts[1:] for name in packed_source.getnames()]
    for top in sorted({parts[0] for parts in inside if parts} - ARCHIVE_TOP):
        yield f"{archive.name}: {top} does not belong there"
    for wanted in LICENSES:
        if (wanted,) not in inside:
            yield f"{archive.name}: {wanted} is missing"


def metadata_problems(raw: bytes) -> Iterator[str]:
    """What an index of packages would refuse in the metadata, and what it would show badly."""
    from packaging.metadata import Metadata

    try:
        checked = Metadata.from_email(raw, validate=True)
    except ExceptionGroup as group:
        yield from (f"metadata: {error}" for error in group.exceptions)
        return
    if not checked.description or checked.description_content_type != "text/markdown":
        yield "metadata: the description is missing or is no Markdown"
    if not checked.license_expression:
        yield "metadata: no license expression"
    if any(classifier.startswith("License ::") for classifier in checked.classifiers or ()):
        yield "metadata: a license classifier beside the license expression"


def write_sbom(requirements: Path, about: Message, out: Path, epoch: int) -> None:
    """Write the SBOM of locked requirements, reproducibly.

    Args:
        requirements: The lock, with hashes.
        about: The metadata of the package that it is for.
        out: The file.
        epoch: The time that it states, seconds since 1970.

    Raises:
        ReleaseError: There is no lock, or cyclonedx-bom failed.
    """
    if not requirements.is_file():
        raise ReleaseError(f"{requirements} is not there: run `make lock`")
    with tempfile.TemporaryDirectory() as made:
        project = Path(made) / "pyproject.toml"  # the project's own has no version: that one is read from the source
        fields = {"name": about["Name"], "version": about["Version"], "description": about["Summary"]}
        lines = [f'{name} = "{value}"' for name, value in fields.items()]
        project.write_text("\n".join(["[project]", *lines, f'license = "{about["License-Expression"]}"', ""]))
        command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", str(requirements)]
        command += ["--pyproject", str(project), "--mc-type", "library", "--output-reproducible"]
        command += ["--output-format", "JSON", "--output-file", str(out)]
        environ = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
        done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode != 0:
        raise ReleaseError(f"cyclonedx-bom cannot make the SBOM of {requirements}:\n{done.stderr[-2000:]}")


def write_sums(files: Sequence[Path], out: Path) -> None:
    """Write the SHA-256 sums of files as ``sha256sum --check`` reads them."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(files)]
    out.write_text("".join(lines), encoding="utf-8")


def epoch_of(root: Path, environ: Mapping[str, str]) -> int:
    """``SOURCE_DATE_EPOCH``, by default the time of the last commit, in seconds since 1970."""
    if given := environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    command = ["git", "log", "-1", "--format=%ct"]
    return int(subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout)


def changes(root: Path) -> str:
    """What is not committed, as git lists it."""
    return subprocess.run(
        ["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True
    ).stdout.rstrip()


def release(root: Path, out: Path, environ: Mapping[str, str]) -> list[Path]:
    """Make all files of a release in ``out``, which is emptied first.

    Raises:
        ReleaseError: Something is wrong; nothing in ``out`` is then a release.
    """
    shutil.rmtree(out, ignore_errors=True)
    epoch = epoch_of(root, environ)
    archive, wheel = build_reproducibly(root, out, epoch)
    if found := list(findings(wheel, archive)):
        raise ReleaseError("\n".join(found))
    about = metadata_of(wheel)
    made = [archive, wheel]
    for kind, requirements in SBOMS.items():
        made.append(out / f"{about['Name']}-{about['Version']}-{kind}.cdx.json")
        write_sbom(root / requirements, about, made[-1], epoch)
    write_sums(made, out / SUMS)
    return [*made, out / SUMS]


def main(arguments: Sequence[str], root: Path = ROOT) -> int:
    """Run the command line; 1 if there is no release."""
    if not set(arguments) <= {"--allow-changes"}:
        print("usage: python -m scripts.release [--allow-changes]", file=sys.stderr)
        return 2
    if (listed := changes(root)) and "--allow-changes" not in arguments:
        print(f"not committed:\n{listed}\nCommit first; --allow-changes builds all the same.", file=sys.stderr)
        return 1
    try:
        made = release(root, root / "dist", os.environ)
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    for path in made:
        print(f"{path.stat().st_size:>9,} B  dist/{path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
