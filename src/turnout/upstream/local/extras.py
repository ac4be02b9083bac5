"""Optional libraries, imported where they are first used."""

from __future__ import annotations

import importlib
from types import ModuleType


class MissingExtraError(ImportError):
    """An optional library is not installed; the message says how to install it."""


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional library.

    Args:
        module: The module's name.
        extra: The extra of Turnout that brings it.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingExtraError(
            f"{module} is not installed; run: pip install 'turnout[{extra}]'", name=error.name
        ) from error
