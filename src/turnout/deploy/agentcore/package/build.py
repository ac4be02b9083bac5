"""Puts a package together: install, copy, tidy, check, zip."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from turnout.deploy.agentcore.errors import PackageError
from turnout.deploy.agentcore.package import sources
from turnout.deploy.agentcore.package.archive import sha256_of, tidy, write_zip
from turnout.deploy.agentcore.package.check import check_folder, check_image, check_size
from turnout.deploy.agentcore.package.dockerfile import (
    BUILDSPEC_NAME,
    DOCKERFILE_NAME,
    IGNORE_NAME,
    buildspec,
    dockerfile,
    dockerignore,
)
from turnout.deploy.agentcore.package.entry import ENTRY_NAME, entry_file
from turnout.deploy.agentcore.package.recipe import Recipe, install
from turnout.deploy.agentcore.package.value import Package


def build(
    app: str,
    source: Path,
    recipe: Recipe,
    out: Path,
    *,
    uv: Path,
    include: Sequence[str] = (),
    pair: str | None = None,
    container: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Package:
    """Build a package.

    Args:
        app: What serves, as ``turnout agentcore app`` takes it.
        source: The project's folder.
        recipe: What is installed, for which machine.
        out: Where the zip is put; below a folder of the same name without its ending lie the unpacked files.
        uv: The executable.
        include: Further files and folders of the project.
        pair: The pair of models of the reference agent; none: as configured.
        container: Whether it is the source of an image: a Dockerfile and what builds it are added.
        tell: Takes a line about what is done.

    Raises:
        PackageError: It cannot be built, or AgentCore would not run it.
    """
    source, out = source.absolute(), out.absolute()
    paths = sources.chosen(source, app, include)
    folder = out.with_suffix("")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="turnout-package-", dir=out.parent) as scratch:
        fresh = Path(scratch) / "package"
        tell(f"installing for {recipe.machine} and Python {recipe.python}")
        install(recipe, fresh, Path(scratch), uv)
        tidy(fresh)
        sources.copy(source, paths, fresh)
        _write(fresh, ENTRY_NAME, entry_file(app, pair))
        if container:
            _write(fresh, DOCKERFILE_NAME, dockerfile(recipe.python))
            _write(fresh, BUILDSPEC_NAME, buildspec())
            _write(fresh, IGNORE_NAME, dockerignore())
        tell("checking every wheel and binary")
        checked = check_folder(fresh, recipe.machine, recipe.python)
        tell("writing the zip")
        zipped = Path(scratch) / out.name
        write_zip(fresh, zipped)
        files = [file for file in fresh.rglob("*") if file.is_file()]
        unpacked = sum(file.stat().st_size for file in files)
        if container:
            check_image(unpacked)
        else:
            check_size(zipped.stat().st_size, unpacked)
        # Only what is whole and checked takes the place of what was there.
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
        zipped.replace(out)
    return Package(
        path=out,
        sha256=sha256_of(out),
        size=out.stat().st_size,
        unpacked=unpacked,
        files=len(files),
        wheels=checked.wheels,
        binaries=checked.binaries,
    )


def _write(folder: Path, name: str, text: str) -> None:
    path = folder / name
    if path.exists():
        raise PackageError(f"{name} is written by the deployment and stands in the project too: rename yours")
    path.write_text(text, encoding="utf-8")
