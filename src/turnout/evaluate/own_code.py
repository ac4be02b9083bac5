"""Functions and objects of the user's own modules: found by ``module:name``, and told in one line where they fail.

A module that lies in the working directory is found, as for ``python -m``.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

from turnout.core.catalog import unknown


class OwnCodeError(Exception):
    """The user's code cannot be found, or fails: one line that names it."""


def object_named(spec: str, what: str) -> Any:
    """What ``module:name`` names.

    Args:
        spec: As the user wrote it.
        what: What it is to be, for errors, such as "router".

    Raises:
        OwnCodeError: It is of another form, there is no such module or name, or importing the module fails.
    """
    module_name, colon, name = spec.partition(":")
    if not (colon and module_name and name):
        raise OwnCodeError(f"a {what} must be module:name, got {spec!r}")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or module_name.split(".")[0] != error.name.split(".")[0]:
            raise OwnCodeError(
                f"the {what} {spec!r}: module {module_name!r} needs {error.name!r}, not there"
            ) from error
        raise OwnCodeError(f"the {what} {spec!r}: there is no module {module_name!r}") from error
    except Exception as error:
        raise OwnCodeError(f"the {what} {spec!r}: module {module_name!r} fails: {told(error)}") from error
    if not hasattr(module, name):
        known = [one for one in vars(module) if not one.startswith("_")]
        raise OwnCodeError(f"the {what} {spec!r}: {unknown('name', name, known)}")
    return getattr(module, name)


def told(error: BaseException) -> str:
    """What was raised, with file and line of the outermost place in the user's code."""
    place = _own_place(error.__traceback__)
    return f"{type(error).__name__}: {error}" + (f" ({place})" if place else "")


def _own_place(where: TracebackType | None) -> str:
    ours = str(Path(__file__).parents[1])
    for frame in traceback.extract_tb(where):
        if not frame.filename.startswith((ours, "<frozen")) and "importlib" not in frame.filename:
            return f"{Path(frame.filename).name}, line {frame.lineno}"
    return ""
