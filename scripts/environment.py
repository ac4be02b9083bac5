"""Sets up what a target of the Makefile needs, then runs a command in it. Standard library only, Python 3.9 and later.

``python3 -m scripts.environment [--python VERSION] GROUP COMMAND ...`` with GROUP one of ``demo``, ``test``, ``lint``,
``docs-site``, ``release``, each a superset of the one before. The first run brings uv into ``.tools``, makes ``.venv``
(``.venv-3.12`` where ``--python`` names another version than ``.venv`` has), installs ``requirements/GROUP.txt`` with
every file held to its hash, and the project itself in editable form. A later run compares one hash and starts the
command: nothing is fetched, and nothing but the standard library is imported.

``--pythons`` prints the supported versions that the machine has, the one of ``.venv`` last. ``--uv ARGUMENTS ...`` runs
the pinned uv with pip's main index, for the lock.

A run that was cut off leaves the state ``building`` in ``.tools``; the next one makes that environment anew. An
environment that this script did not make is never touched.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from scripts.errors import SetUpError

ROOT = Path(__file__).resolve().parent.parent
GROUPS = ("demo", "test", "lint", "docs-site", "release")
USAGE = "usage: python3 -m scripts.environment [--python VERSION] {} COMMAND ... | --pythons | --uv ...".format(
    "|".join(GROUPS)
)


class Environment:
    """One virtual environment of the checkout, and what is known of it.

    Attributes:
        path: The folder.
        known: Whether this script made it, or began to.
        group: What it was made for.
        python: The version of its Python, such as ``3.11``.
        requirements: The hash of what is installed from the registry; none while that is not whole.
        project: The hash of the project's own installation; none while that is not whole.
    """

    def __init__(self, root: Path, name: str) -> None:
        """Read the state of the environment called ``name`` in the checkout ``root``."""
        self.root = root
        self.path = root / name
        self._state_file = root / ".tools" / "state" / f"{name.lstrip('.')}.json"
        try:
            state = json.loads(self._state_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            state = {}
        self.known = bool(state)
        self.group: str = state.get("group") or GROUPS[0]
        self.python: str | None = state.get("python")
        self.requirements: str | None = state.get("requirements")
        self.project: str | None = state.get("project")

    @property
    def whole(self) -> bool:
        """Whether everything of some state of the requirements is installed, and its Python is there."""
        return self.requirements is not None and os.access(self.path / "bin" / "python", os.X_OK)

    def holds(self, group: str) -> bool:
        """Whether a command of that group can run in it as it is."""
        return (
            self.whole
            and GROUPS.index(self.group) >= GROUPS.index(group)
            and self.requirements == requirements_hash(self.root, self.group)
            and self.project == project_hash(self.root)
        )

    def save(self) -> None:
        """Write the state, whole or not at all."""
        self.known = True
        self._state_file.parent.mkdir(parents=True, exist_ok=True)
        names = ("group", "python", "requirements", "project")
        partial = self._state_file.with_suffix(".partial")
        partial.write_text(json.dumps({name: getattr(self, name) for name in names}), encoding="utf-8")
        partial.replace(self._state_file)


def requirements_hash(root: Path, group: str) -> str:
    """A hash of what the group has installed."""
    return hashlib.sha256((root / "requirements" / f"{group}.txt").read_bytes()).hexdigest()


def project_hash(root: Path) -> str:
    """A hash of what the project's editable installation depends on, the place of the checkout included."""
    digest = hashlib.sha256(f"{root}\n".encode())
    for name in ("pyproject.toml", "src/turnout/__init__.py"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def choose(root: Path, python: str | None) -> Environment:
    """The environment for that version of Python: ``.venv`` if it has it or if any will do."""
    default = Environment(root, ".venv")
    if python is None or default.python == python:
        return default
    return Environment(root, f".venv-{python}")


def set_up(root: Path, python: str | None, group: str) -> Environment:
    """Make the environment, or bring it up to date; one process of a checkout at a time.

    Raises:
        SetUpError: It cannot be done; the text says what to do.
    """
    import fcntl

    (root / ".tools").mkdir(exist_ok=True)
    with (root / ".tools" / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another set-up of this checkout")
            fcntl.flock(lock, fcntl.LOCK_EX)
        # uv inherits the lock: if this process is killed, the next set-up waits until its uv has ended too.
        os.set_inheritable(lock.fileno(), True)
        environment = choose(root, python)
        if not environment.holds(group):  # else another process did it meanwhile
            environment = _install(root, python, group)
    return environment


def _install(root: Path, python: str | None, group: str) -> Environment:
    """What `set_up` does while it holds the lock."""
    import shutil
    import time

    from scripts.installer import Installer

    environment, version, interpreter = _pick(root, python)
    if environment.path.exists() and not environment.known:
        raise SetUpError(
            f"{environment.path} is there but was not made by this set-up, and stays untouched. "
            "Move it away or remove it (`make clean` removes it too), then run this again."
        )
    start = time.monotonic()
    installer = Installer(root, os.environ, say)
    in_it = ("--python", str(environment.path / "bin" / "python"))
    anew = not environment.whole or environment.python != version
    if not anew:  # keep what a larger group brought
        group = max(group, environment.group, key=GROUPS.index)
    if anew or environment.group != group or environment.requirements != requirements_hash(root, group):
        say(f"setting up {environment.path.name} for `{group}` with Python {version}, once; log in .tools/setup.log")
        environment.group, environment.python = group, version
        environment.requirements = environment.project = None
        environment.save()
        if anew:
            if environment.path.exists():
                shutil.rmtree(environment.path)
            installer.uv("venv", "--no-project", "--python", interpreter, str(environment.path), fetches=False)
        # `sync` installs the very list and resolves nothing; a build would fetch what no hash pins.
        installer.uv("pip", "sync", *in_it, "--require-hashes", "--no-build", f"requirements/{group}.txt")
        environment.requirements = requirements_hash(root, group)
        environment.save()
        say(f"{environment.path.name} is ready after {time.monotonic() - start:.0f} s")
    installer.uv("pip", "install", *in_it, "--no-deps", "--no-build-isolation", "--editable", ".", fetches=False)
    environment.project = project_hash(root)
    environment.save()
    return environment


def _pick(root: Path, python: str | None) -> tuple[Environment, str, str]:
    """The environment to make for that version (or for any), its version and its interpreter."""
    from scripts.pythons import SUPPORTED, find_first

    if python is not None and python not in SUPPORTED:
        raise SetUpError(f"Turnout runs on Python {', '.join(SUPPORTED)}, not on {python!r}: name one of these.")
    default = Environment(root, ".venv")
    wanted = python or default.python
    found = find_first([wanted] if wanted else SUPPORTED)
    if found is None and python is None:  # the Python that .venv was made with is gone
        found = find_first()
    if found is None:
        missing = f"Python {python}" if python else f"a Python of {', '.join(SUPPORTED)}"
        raise SetUpError(
            f"{missing} was looked for on PATH and in the folders of pyenv and uv, and not found. "
            "Install one (Debian, Ubuntu: apt install python3; or pyenv), then run this again."
        )
    version, interpreter = found
    if python is None or default.python == python:
        return default, version, interpreter
    first = find_first() if default.python is None else None
    if first is not None and first[0] == python:  # what a plain `make test` would take
        return default, version, interpreter
    return Environment(root, f".venv-{python}"), version, interpreter


def say(text: str) -> None:
    """Tell the user about something that takes time."""
    print(f"turnout: {text}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Run the command line; with a command, this process becomes that command."""
    python: str | None = None
    if arguments[:1] == ["--python"] and len(arguments) > 1:
        python, arguments = arguments[1], arguments[2:]
    if arguments == ["--pythons"]:
        return _print_pythons()
    if arguments[:1] == ["--uv"]:
        return _run_uv(arguments[1:])
    if len(arguments) < 2 or arguments[0] not in GROUPS:
        print(USAGE, file=sys.stderr)
        return 2
    group, command = arguments[0], arguments[1:]
    environment = choose(ROOT, python)
    if not environment.holds(group):
        environment = set_up(ROOT, python, group)
    folder = str(environment.path / "bin")
    environ = {key: value for key, value in os.environ.items() if key not in {"PYTHONHOME", "PYTHONPATH"}}
    environ["VIRTUAL_ENV"] = str(environment.path)
    environ["PATH"] = folder + os.pathsep + environ.get("PATH", os.defpath)
    try:
        os.execvpe(command[0], command, environ)
    except FileNotFoundError:
        print(f"turnout: there is no command {command[0]!r} in {folder} or on PATH", file=sys.stderr)
        return 2


def _print_pythons() -> int:
    from scripts.pythons import SUPPORTED, find

    found = [version for version in SUPPORTED if find(version)]
    default = Environment(ROOT, ".venv").python or (found[0] if found else None)
    found.sort(key=lambda version: version == default)
    print("\n".join(found))
    return 0 if found else 1


def _run_uv(arguments: list[str]) -> int:
    from scripts.installer import Installer

    Installer(ROOT, os.environ, say, only_main_index=True).uv(*arguments)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("turnout: interrupted; run the same command again to go on")
    except (SetUpError, OSError) as error:
        sys.exit(f"turnout: cannot set up: {error}")
