"""Brings uv into the checkout with pip, and runs it with pip's settings. Standard library only, Python 3.9 and later.

The system's Python stays as it is: ``pip install --target`` writes into ``.tools`` alone, which pip also allows where a
distribution manages its Python itself (PEP 668). uv is held to the version and the hashes of ``requirements/uv.txt``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from scripts import pip_settings, pythons
from scripts.errors import SetUpError

# What pip and uv print where nobody answered; pip says no more than "from versions: none" if it tries once only.
_NO_ANSWER = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError|Connection (?:refused|reset)|timed out"
    r"|[Tt]emporary failure in name resolution|Name or service not known|No route to host|Network is unreachable"
    r"|\(from versions: none\)|dns error|tcp connect error|error sending request|client error \(Connect\)"
)

# Settings of pip that would send uv elsewhere than into .tools, or have pip refuse.
_PIP_OVERRIDES = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
_PIP_DROPPED = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_CONSTRAINT", "PIP_NO_BINARY", "PIP_REQUIREMENT")


class Installer:
    """uv, as this checkout pins it.

    Attributes:
        root: The checkout.
        environ: The environment that pip and uv are run in.
    """

    def __init__(
        self, root: Path, environ: Mapping[str, str], say: Callable[[str], None], *, only_main_index: bool = False
    ) -> None:
        """Nothing is run or fetched yet.

        Args:
            root: The checkout.
            environ: The environment that pip and uv are run in.
            say: Takes a line for the user, about something that takes time.
            only_main_index: Pass on pip's index-url, but not its extra indexes and find-links: what one machine holds
                besides must not get into the lock.
        """
        self.root = root
        self.environ = dict(environ)
        self._say = say
        self._ignored = {"extra-index-url", "find-links"} if only_main_index else set[str]()
        self._log = root / ".tools" / "setup.log"
        self._pip: str | None = None
        self._settings: dict[str, str] = {}

    def uv(self, *arguments: str, fetches: bool = True) -> None:
        """Run uv to its end, quietly.

        Args:
            *arguments: What uv is asked.
            fetches: Whether it may have to fetch; if not, pip's settings are not looked up for it.

        Raises:
            SetUpError: uv could not be had, or failed.
        """
        executable = self._executable()
        environ = {**self.environ, "UV_PYTHON_DOWNLOADS": "never"}
        environ.pop("VIRTUAL_ENV", None)
        options: list[str] = []
        if fetches:
            environ.update(pip_settings.uv_variables(self.settings(), self.environ))
            options = pip_settings.uv_arguments(self.settings())
        elif arguments[0] == "pip":
            options = ["--offline"]
        self._run([executable, *arguments, *options], environ)

    def settings(self) -> dict[str, str]:
        """The settings of pip on this machine; none where no Python has pip."""
        self._find_pip()
        return self._settings

    def _executable(self) -> str:
        """The path of uv, which is fetched if it is not there yet."""
        pinned = self.root / "requirements" / "uv.txt"
        match = re.search(r"^uv==(\S+)", pinned.read_text(encoding="utf-8"), re.MULTILINE)
        if match is None:
            raise SetUpError(f"{pinned} pins no uv: run `make lock`")
        version = match.group(1)
        folder = self.root / ".tools" / f"uv-{version}"
        executable = folder / "bin" / "uv"
        if executable.exists():
            return str(executable)
        pip = self._find_pip()
        if pip is None:
            found = shutil.which("uv", path=self.environ.get("PATH"))
            if found is not None:
                return found
            raise SetUpError(
                f"no Python here has pip, which brings uv into .tools. Install pip (Debian, Ubuntu: apt install "
                f"python3-pip; Fedora: dnf install python3-pip) or put uv {version} on PATH, then run this again."
            )
        self._say(f"fetching uv {version} into .tools")
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        environ = {**{key: value for key, value in self.environ.items() if key not in _PIP_DROPPED}, **_PIP_OVERRIDES}
        command = [pip, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
        command += [
            "--require-hashes",
            "--only-binary",
            ":all:",
            "--target",
            str(partial),
            "--requirement",
            str(pinned),
        ]
        self._run(command, environ)
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)  # the folder is whole or not there
        return str(executable)

    def _find_pip(self) -> str | None:
        """A Python that has pip, or none: the one that runs this, one on PATH, one that Turnout runs on."""
        if self._pip is None:
            for candidate in self._pythons():
                listing = _pip_config(candidate, self.environ)
                if listing is not None:
                    settings = pip_settings.parse(listing)
                    self._pip = candidate
                    self._settings = {name: value for name, value in settings.items() if name not in self._ignored}
                    break
        return self._pip

    def _pythons(self) -> Iterator[str]:
        """Pythons to look for pip in; each is only looked for when the ones before it have none."""
        yield sys.executable
        for folder in self.environ.get("PATH", "").split(os.pathsep):
            if folder and os.access(Path(folder, "python3"), os.X_OK):
                yield str(Path(folder, "python3"))
        for version in pythons.SUPPORTED:
            path = pythons.find(version, self.environ)
            if path is not None:
                yield path

    def _run(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        """Run a command with its output in the log; where it fails, say why in the user's terms."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            command,
            cwd=self.root,
            env=environ,
            close_fds=False,  # the lock of the set-up stays held as long as this runs
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        with self._log.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n{done.stdout}\n")
        if done.returncode == 0:
            return
        if _NO_ANSWER.search(done.stdout):
            places = "".join(f"\n  tried: {place}" for place in pip_settings.sources(self.settings()))
            raise SetUpError(
                f"no package registry answered with what is needed and is not on this machine yet.{places}\n"
                f"  Check the network, or name a mirror to pip (python3 -m pip config set global.index-url URL; "
                f"proxy: global.proxy), then run this again.\n  Full output: {self._log}"
            )
        tail = "\n".join(f"  {line}" for line in done.stdout.rstrip().splitlines()[-12:])
        name = Path(command[0]).name if command[0].endswith("uv") else "pip"
        raise SetUpError(f"{name} failed (exit {done.returncode}):\n{tail}\n  Full output: {self._log}")


def _pip_config(executable: str, environ: Mapping[str, str]) -> str | None:
    """What ``pip config list`` prints there; none where that Python does not start or has no pip."""
    command = [executable, "-m", "pip", "config", "list"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
