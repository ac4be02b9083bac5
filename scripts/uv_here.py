"""The uv that `make` brought into .tools, and pip's settings for it: for what runs inside of the environment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts import pip_settings

ROOT = Path(__file__).resolve().parent.parent


def uv_path(root: Path = ROOT) -> Path | None:
    """The newest uv in .tools; none where the set-up brought none, as on a machine without pip."""
    found = sorted(root.glob(".tools/uv-*/bin/uv"))
    return found[-1] if found else None


def uv_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that give uv pip's settings, by whichever Python here has pip; see `scripts.pip_settings`."""
    # An environment of `make` has no pip; the Python that it was made from has.
    base = Path(sys.base_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
    for python in (sys.executable, str(base), "python3"):
        command = [python, "-m", "pip", "config", "list"]
        try:
            done = subprocess.run(command, env=dict(environ), capture_output=True, text=True)
        except OSError:
            continue
        if done.returncode == 0:
            return pip_settings.uv_variables(pip_settings.parse(done.stdout), environ)
    return {}
