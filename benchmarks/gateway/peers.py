"""Installs the peers that registries have, each into a private folder that is kept for the next run.

A peer that cannot be installed is left out, by name and with the reason. The folder: ``BENCH_CACHE``, else
``~/.cache/turnout-bench``.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

LITELLM = "1.106.2"
PORTKEY = "1.15.2"
PORTKEY_SERVER = "1.13.8"
"""The version of Portkey's HTTP server: with those from 1.19 its streams end without an event."""

_PATIENCE_S = 900


class AbsentError(Exception):
    """A peer that cannot be had here; the message says why."""


def cache() -> Path:
    """Where peers are kept."""
    folder = Path(os.environ.get("BENCH_CACHE") or Path.home() / ".cache" / "turnout-bench")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def nginx() -> Path:
    """nginx' executable: the machine's, else from its distribution's package, unpacked without installing it.

    Raises:
        AbsentError: There is none.
    """
    if found := shutil.which("nginx"):
        return Path(found)
    folder = cache() / "nginx"
    program = folder / "usr" / "sbin" / "nginx"
    if not program.exists():
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            raise AbsentError("nginx is not installed, and apt is not there to get it")
        folder.mkdir(parents=True, exist_ok=True)
        _run(["apt-get", "download", "nginx"], folder)
        for package in folder.glob("*.deb"):
            _run(["dpkg-deb", "-x", str(package), str(folder)], folder)
    if not program.exists():
        raise AbsentError("the package nginx has no usr/sbin/nginx")
    return program


def litellm() -> Path:
    """LiteLLM's command.

    Raises:
        AbsentError: It cannot be installed.
    """
    # By the same version of Python as ours, so that both are measured on one.
    folder = cache() / f"litellm-{LITELLM}-python-{platform.python_version()}"
    program = folder / "bin" / "litellm"
    if not program.exists():
        if uv := shutil.which("uv"):
            _run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder)])
            _run([uv, "pip", "install", "-q", "--python", str(folder / "bin" / "python"), f"litellm[proxy]=={LITELLM}"])
        else:
            _run([sys.executable, "-m", "venv", str(folder)])
            _run([str(folder / "bin" / "python"), "-m", "pip", "install", "-q", f"litellm[proxy]=={LITELLM}"])
    return program


def portkey() -> Path:
    """The script that starts Portkey's gateway.

    Raises:
        AbsentError: It cannot be installed, or there is no Node.
    """
    if shutil.which("npm") is None or shutil.which("node") is None:
        raise AbsentError("npm is not installed")
    folder = cache() / f"portkey-{PORTKEY}-{PORTKEY_SERVER}"
    program = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        package = '{"private": true, "dependencies": {"@portkey-ai/gateway": "%s"}, "overrides": {"%s": "%s"}}'
        (folder / "package.json").write_text(package % (PORTKEY, "@hono/node-server", PORTKEY_SERVER))
        _run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], folder)
    if not program.exists():
        raise AbsentError("the package @portkey-ai/gateway has no build/start-server.js")
    return program


def version_of(program: Path) -> str:
    """nginx' version."""
    done = subprocess.run([program, "-v"], capture_output=True, text=True, check=True)
    return (done.stdout + done.stderr).strip().rpartition("/")[2].split()[0]


def _run(command: list[str], folder: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AbsentError(f"{command[0]}: {error}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise AbsentError(f"{' '.join(command[:2])} failed: {said[-1][:200] if said else done.returncode}")
