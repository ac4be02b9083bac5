"""Copies what belongs to the agent into the package, and nothing that happens to lie beside it.

Taken are the top package or module of the app, ``turnout.toml`` where there is one, and what is named besides. Left out
are hidden files, caches and whatever looks like a key or a ledger: a package is read by more people than a folder is.
"""

from __future__ import annotations

import fnmatch
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from turnout.deploy.agentcore.errors import PackageError

NEVER = (
    ".*",
    "__pycache__",
    "*.pyc",
    "*.pem",
    "*.key",
    "*.p12",
    "*.env",
    "*.sqlite3",
    "*.sqlite3-*",
    "id_rsa*",
    "credentials*",
    "node_modules",
    "venv",
)
"""Names that are left out wherever they stand."""

SETTINGS = "turnout.toml"


def top_of(app: str) -> str | None:
    """The top package of an app ``module:agent``; none for a version, which ``turnout agentcore app`` finds itself."""
    module, colon, _ = app.partition(":")
    return module.split(".")[0] if colon else None


def chosen(source: Path, app: str, include: Sequence[str]) -> list[Path]:
    """What is copied: paths below ``source``.

    Args:
        source: The project's folder.
        app: What serves.
        include: Further files and folders, relative to ``source``.

    Raises:
        PackageError: Something is not there, or lies outside of the folder.
    """
    if not source.is_dir():
        raise PackageError(f"--source {source}: there is no such folder")
    root = source.resolve()
    own = _app_path(source, app)
    wanted = [own] if own is not None else []
    if top_of(app) is not None and own is None:
        raise PackageError(
            f"--source {source}: neither {top_of(app)}/ nor {top_of(app)}.py is there, which {app} needs"
        )
    wanted += [source / name for name in include]
    if (source / SETTINGS).is_file():
        wanted.append(source / SETTINGS)
    if top_of(app) is None and own is None:
        raise PackageError(f"--source {source}: is no clone of the project, which {app} needs; name yours with --agent")
    for path in wanted:
        if not path.exists():
            raise PackageError(f"--include {path.relative_to(source)}: there is no such file in {source}")
        if root not in (resolved := path.resolve()).parents and resolved != root:
            raise PackageError(f"--include {path}: lies outside of {source}")
    return sorted(set(wanted))


def copy(source: Path, paths: Sequence[Path], target: Path) -> None:
    """Copy files and folders to the same places below ``target``; links are followed inside of the source only.

    Raises:
        PackageError: A link leads out of the source, or a file would overwrite one that is there.
    """
    root = source.resolve()
    for path in _files(paths):
        if root not in path.resolve().parents:
            raise PackageError(f"{path} leads out of {source}: copy what is needed into the project")
        to = target / path.relative_to(source)
        if to.exists():
            raise PackageError(f"{path.relative_to(source)} would overwrite a file of the same name in the package")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)


def left_out(name: str) -> bool:
    """Whether a file or folder of that name is never taken."""
    return any(fnmatch.fnmatch(name, pattern) for pattern in NEVER)


def _app_path(source: Path, app: str) -> Path | None:
    top = top_of(app)
    if top is None:
        # The versions of the reference agent are in a clone's examples.
        return source / "examples" if (source / "examples" / "customer_support").is_dir() else None
    for path in (source / top, source / f"{top}.py"):
        if path.exists():
            return path
    return None


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if left_out(path.name):
            raise PackageError(f"{path.name} is never put into a package: it is hidden, a cache, or may hold a key")
        if path.is_dir():
            yield from _files([child for child in sorted(path.iterdir()) if not left_out(child.name)])
        else:
            yield path
