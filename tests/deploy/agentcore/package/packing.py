"""uv with the settings and the cache of whoever runs the tests: tests have a home of their own, packages do not."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from scripts.uv_here import ROOT, uv_path, uv_settings

__all__ = ["ROOT", "settings", "uv"]


def uv() -> Path:
    """The uv that `make` brought into .tools."""
    found = uv_path()
    if found is None:
        pytest.skip("uv is not in .tools: run the tests by `make test`")
    return found


def settings() -> dict[str, str]:
    """Variables for uv: where packages come from, the pins of the lock, and the cache that the set-up filled."""
    home = pwd.getpwuid(os.getuid()).pw_dir
    environ = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    return {
        **uv_settings({**environ, "HOME": home}),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(Path(home) / ".cache" / "uv"),
        "UV_CONSTRAINT": str(ROOT / "requirements" / "test.txt"),
        "UV_PYTHON_DOWNLOADS": "never",
    }
