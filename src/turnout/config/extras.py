"""Optional libraries, imported where they are first used."""

from __future__ import annotations

import importlib
from types import ModuleType


class MissingExtraError(ImportError):
    """An optional library is not installed; the message says how to install it."""


def require(module: str, *, extra: str, error: type[ImportError] = MissingExtraError) -> ModuleType:
    """Import an optional library.

    Args:
        module: The module's name.
        extra: The extra of Turnout that brings it.
        error: What to raise where it is not installed.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        package = module.partition(".")[0]
        if missing.name is None or missing.name.partition(".")[0] != package:
            raise
        raise error(f"{package} is not installed; run: pip install 'turnout[{extra}]'", name=missing.name) from missing
