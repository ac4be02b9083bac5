"""Finds the Pythons of this machine that Turnout runs on. Standard library only, for Python 3.9 and later.

Looked into, in this order: the Python that runs this, every folder of PATH, pyenv's versions, uv's Pythons, the places
where installers for macOS put one. Nothing is downloaded.

Known limitation: free-threaded builds and other implementations than CPython are passed over; the lock has no files
for them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

SUPPORTED = ("3.11", "3.12", "3.13")
"""Versions that Turnout runs on, the preferred one first: what runs on the oldest runs on all."""

# `_base_executable` is the real interpreter where a virtual environment's or a pyenv shim was started.
_PROBE = """import sys
if sys.implementation.name == "cpython" and "t" not in getattr(sys, "abiflags", ""):
    print("%d.%d" % sys.version_info[:2], getattr(sys, "_base_executable", "") or sys.executable)"""


def version_of(executable: str) -> tuple[str, str] | None:
    """Start a Python and ask it who it is.

    Returns:
        Its version, such as ``3.11``, and the path of the real interpreter; none where it does not start or is of
        another kind.
    """
    try:
        done = subprocess.run([executable, "-I", "-S", "-c", _PROBE], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version, _, path = done.stdout.strip().partition(" ")
    return (version, path) if done.returncode == 0 and path else None


def find(version: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The path of an interpreter of that version, or none."""
    seen: set[str] = set()
    for candidate in _candidates(version, environ):
        if candidate in seen or not os.access(candidate, os.X_OK):
            continue
        seen.add(candidate)
        known = version_of(candidate)
        if known is not None and known[0] == version:
            return known[1]
    return None


def find_first(versions: Iterable[str] = SUPPORTED, environ: Mapping[str, str] = os.environ) -> tuple[str, str] | None:
    """The first of these versions that the machine has, with its interpreter's path; none if it has none."""
    for version in versions:
        path = find(version, environ)
        if path is not None:
            return version, path
    return None


def _candidates(version: str, environ: Mapping[str, str]) -> Iterator[str]:
    if "{}.{}".format(*sys.version_info[:2]) == version:
        yield sys.executable
    folders = [folder for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    for name in (f"python{version}", "python3", "python"):
        for folder in folders:
            yield str(Path(folder, name))
    home = environ.get("HOME", "")
    pyenv = environ.get("PYENV_ROOT") or f"{home}/.pyenv"
    for root, pattern in (
        (f"{pyenv}/versions", f"{version}.*/bin/python{version}"),
        (f"{home}/.local/share/uv/python", f"cpython-{version}.*/bin/python{version}"),
    ):
        yield from (str(path) for path in sorted(Path(root).glob(pattern), reverse=True))
    yield f"/opt/homebrew/bin/python{version}"
    yield f"/Library/Frameworks/Python.framework/Versions/{version}/bin/python{version}"
