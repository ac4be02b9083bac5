import os
from pathlib import Path

from scripts.uv_here import uv_path, uv_settings


def test_the_newest_uv_is_taken(tmp_path: Path) -> None:
    assert uv_path(tmp_path) is None
    for version in ("0.13.8", "0.13.9"):
        (tmp_path / ".tools" / f"uv-{version}" / "bin").mkdir(parents=True)
        (tmp_path / ".tools" / f"uv-{version}" / "bin" / "uv").touch()
    assert uv_path(tmp_path) == tmp_path / ".tools" / "uv-0.13.9" / "bin" / "uv"


def test_pips_settings_become_uvs() -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "https://packages.example/simple",
    }
    assert uv_settings(environ)["UV_DEFAULT_INDEX"] == "https://packages.example/simple"
