"""Reading a TOML file, with errors that name file and line."""

from __future__ import annotations

import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from turnout.config.errors import ConfigError


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file; numbers with a point are read as exact decimals.

    Raises:
        ConfigError: There is no such file, it cannot be read, is no UTF-8 text, or is not valid TOML (with the line).
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text file in UTF-8 (byte {error.start})") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {_lowered(str(error))}") from None
    except (ValueError, ArithmeticError):
        # Numbers of thousands of digits are valid TOML that Python refuses to read; it gives no position.
        raise ConfigError(f"{path}: a number is too long") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:]
