"""A small checkout with the real set-up scripts, packages of its own in a folder, and the real uv."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ("__init__", "environment", "errors", "installer", "pip_settings", "pythons")

# A build backend in one file: no test may fetch a real one.
BACKEND = """
import zipfile

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "turnout-0-py3-none-any.whl"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.writestr("turnout.pth", "SRC")
        wheel.writestr("turnout-0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: turnout\\nVersion: 0\\n")
        wheel.writestr("turnout-0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("turnout-0.dist-info/RECORD", "")
    return name
"""

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "turnout"
version = "0"
"""


class Checkout:
    """The checkout in ``root``, with two packages in ``root/wheels`` and pip's settings that point there."""

    def __init__(self, root: Path) -> None:
        """Lay out the files; nothing is set up."""
        self.root = root
        (root / "scripts").mkdir(parents=True)
        for name in SCRIPTS:
            shutil.copy(ROOT / "scripts" / f"{name}.py", root / "scripts")
        (root / "src" / "turnout").mkdir(parents=True)
        (root / "src" / "turnout" / "__init__.py").write_text('__version__ = "0"\n')
        (root / "pyproject.toml").write_text(PYPROJECT)
        (root / "backend.py").write_text(BACKEND.replace("SRC", str(root / "src")))
        (root / "requirements").mkdir()
        shutil.copy(ROOT / "requirements" / "uv.txt", root / "requirements")
        (root / "wheels").mkdir()
        alpha, beta = self.wheel("alpha", "1.0"), self.wheel("beta", "1.0")
        self.require("demo", alpha)
        self.require("test", alpha, beta)
        self.environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.environ["HOME"],
            "UV_CACHE_DIR": str(root.parent / "cache"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(root / "wheels"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def wheel(self, name: str, version: str) -> str:
        """Make a package that knows its version; the line that requires it, with its hash."""
        path = self.root / "wheels" / f"{name}-{version}-py3-none-any.whl"
        info = f"{name}-{version}.dist-info"
        files = {
            f"{name}.py": f"version = {version!r}\n",
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        records = []
        with zipfile.ZipFile(path, "w") as archive:
            for file, text in files.items():
                archive.writestr(file, text)
                digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
                records.append(f"{file},sha256={digest},{len(text)}\n")
            archive.writestr(f"{info}/RECORD", "".join(records) + f"{info}/RECORD,,\n")
        return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"

    def require(self, group: str, *lines: str) -> None:
        """Write what that group needs."""
        (self.root / "requirements" / f"{group}.txt").write_text("".join(lines))

    def command(self, *arguments: str) -> list[str]:
        """The command line of the set-up, as the Makefile has it."""
        return [sys.executable, "-S", "-m", "scripts.environment", *arguments]

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run the set-up with these variables added."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.root,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def versions(self, group: str, *names: str, **environ: str) -> str:
        """What a command of that group sees of these packages: their versions, or ``-``; what the set-up said."""
        code = (
            "import importlib.util as u, importlib, turnout\n"
            f"print(*(importlib.import_module(n).version if u.find_spec(n) else '-' for n in {names!r}))"
        )
        done = self.run(group, "python", "-c", code, **environ)
        assert done.returncode == 0, done.stderr
        said = "set up" if "setting up" in done.stderr else "said nothing" if not done.stderr else done.stderr
        return f"{done.stdout.strip()}, {said}"
