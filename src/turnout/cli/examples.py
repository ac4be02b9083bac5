"""Finds the reference agent, which stands in the project's clone and not in the installed package."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from turnout.cli.errors import UserError


def in_clone(module: str, attribute: str) -> Any:
    """An attribute of a module of the clone that we stand in.

    Raises:
        UserError: This is no clone, or what the module needs is not installed.
    """
    if not Path("examples", "customer_support").is_dir():
        raise UserError("this command needs the reference agent: run it in a clone of the project, in its folder")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed; `turnout doctor` prints what to install") from None
