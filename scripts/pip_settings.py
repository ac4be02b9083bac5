"""Passes the settings that pip has for reaching packages on to uv.

A machine that reaches packages through a mirror says so in pip's configuration or in ``PIP_...`` variables. uv reads
neither, so the set-up translates what ``pip config list`` prints into uv's own variables when it runs.

Known limitation: settings that change what is installed (``pre``, ``no-binary``, ``constraint``) are left out on
purpose: the lock decides that.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Where pip takes a setting from, the weakest first: every command, `pip install`, the environment.
_SECTIONS = ("global", "install", ":env:")

# One pip setting -> the uv variables that say the same.
_VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX",),
    "extra-index-url": ("UV_INDEX",),
    "find-links": ("UV_FIND_LINKS",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "cert": ("SSL_CERT_FILE",),
    "client-cert": ("SSL_CLIENT_CERT",),
    "proxy": ("HTTP_PROXY", "HTTPS_PROXY"),
    "timeout": ("UV_HTTP_TIMEOUT",),
    "retries": ("UV_HTTP_RETRIES",),
}

# pip knows each of these by a second name.
_ALIASES = {"default-timeout": "timeout", "pypi-url": "index-url", "i": "index-url", "f": "find-links"}

# uv separates the values of a list as named here; pip by white space.
_SEPARATORS = {"UV_INDEX": " ", "UV_INSECURE_HOST": " ", "UV_FIND_LINKS": ","}

_WHOLE_NUMBERS = ("timeout", "retries")

_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


def parse(listing: str) -> dict[str, str]:
    """Read what ``pip config list`` printed.

    Args:
        listing: Lines such as ``global.index-url='https://…'``.

    Returns:
        Setting to value, by pip's precedence: the environment over the section of ``pip install`` over ``[global]``.
    """
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listing.splitlines():
        key, equals, quoted = line.partition("=")
        section, _, name = key.strip().rpartition(".")
        if not equals or section not in found:
            continue
        try:
            value = ast.literal_eval(quoted)
        except (ValueError, SyntaxError):
            value = quoted
        name = name.replace("_", "-").lower()
        found[section][_ALIASES.get(name, name)] = str(value).strip()
    merged: dict[str, str] = {}
    for section in _SECTIONS:
        merged.update({name: value for name, value in found[section].items() if value})
    return merged


def uv_variables(settings: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that give uv pip's settings.

    Args:
        settings: pip's settings, as `parse` returns them.
        environ: The environment; a variable that stands there already is the user's word to uv, and stays.

    Returns:
        The variables to add.
    """
    added: dict[str, str] = {}
    for name, variables in _VARIABLES.items():
        values = settings.get(name, "").split()
        if name == "find-links":
            values = [value for value in values if _exists(value)]
        if name in _WHOLE_NUMBERS:  # pip takes "7.5" seconds, uv does not
            values = [value.partition(".")[0] for value in values if value.replace(".", "", 1).isdigit()]
        if not values:
            continue
        for variable in variables:
            if variable in environ or variable.lower() in environ:
                continue
            added[variable] = _SEPARATORS[variable].join(values) if variable in _SEPARATORS else values[0]
    if "UV_INDEX" in added and "UV_INDEX_STRATEGY" not in environ:
        # As pip does: the pinned file may be on any index. Each file is held to its hash, so that an index that offers
        # another file under the same name is of no use to anyone.
        added["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return added


def uv_arguments(settings: Mapping[str, str]) -> list[str]:
    """The options that give uv those of pip's settings that no variable of uv's carries."""
    return ["--no-index"] if settings.get("no-index", "").lower() in {"1", "true", "yes", "on"} else []


def sources(settings: Mapping[str, str]) -> list[str]:
    """Where packages are looked for, for a message: one text a place, without credentials."""
    places = []
    if not uv_arguments(settings):
        places.append(
            f"{settings['index-url']} (pip's index-url)" if "index-url" in settings else "pip's default index"
        )
        places += [f"{url} (pip's extra-index-url)" for url in settings.get("extra-index-url", "").split()]
    places += [f"{place} (pip's find-links)" for place in settings.get("find-links", "").split()]
    return [_CREDENTIALS.sub("", place) for place in places]


def _exists(place: str) -> bool:
    """Whether a place to find links in is remote or there: pip warns of a missing folder, uv would stop at it."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(unquote(parts.path)).exists()
    return bool(parts.scheme) or Path(place).expanduser().exists()
