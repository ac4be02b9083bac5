"""What the keys of the settings mean, in words: read from the docstrings of the tables, so that there is one copy.

A table says what its keys mean under ``Attributes:``; what it does not say itself is looked up in the classes that its
docstring names in backticks. ``turnout init`` and the JSON schema for editors use these words.
"""

from __future__ import annotations

import importlib
import inspect
import re

from pydantic import BaseModel

_ATTRIBUTE = re.compile(r"    (\w+): (.*)")
_CONTINUED = re.compile(r"     +(\S.*)")
_REFERENCE = re.compile(r"`([\w.]*?)\.?([A-Z]\w*)`")
_SETTINGS = "turnout.config.settings"


def summary(table: type[BaseModel]) -> str:
    """What a table is for: the first paragraph of its docstring, without the table's own name."""
    paragraph = " ".join(_docstring(table).partition("\n\n")[0].split())
    text = _plain(re.sub(r"^(One of )?``\[+[^`]*\]+``: ", "", paragraph))
    return text[:1].upper() + text[1:]


def key_docs(table: type[BaseModel]) -> dict[str, str]:
    """What each key of a table means, as far as somebody said it."""
    docs = dict(attributes(_docstring(table)))
    for module, name in _REFERENCE.findall(_docstring(table)):
        named = getattr(importlib.import_module(module or _SETTINGS), name, None)
        for key, text in attributes(inspect.getdoc(named) or "").items():
            docs.setdefault(key, text)
    return {key: _plain(docs[key]) for key in table.model_fields if key in docs}


def attributes(docstring: str) -> dict[str, str]:
    """The section ``Attributes:`` of a docstring in Google's style, each text on one line."""
    found: dict[str, str] = {}
    name = ""
    for line in docstring.partition("Attributes:\n")[2].splitlines():
        if begun := _ATTRIBUTE.fullmatch(line):
            name = begun[1]
            found[name] = begun[2]
        elif name and (more := _CONTINUED.fullmatch(line)):
            found[name] += " " + more[1]
        elif line:
            break
    return found


def _docstring(table: type[BaseModel]) -> str:
    # A table without a docstring has none, not that of its base; with -OO nothing has one.
    return inspect.cleandoc(table.__dict__.get("__doc__") or "")


def _plain(text: str) -> str:
    """Code is set off once, as in Markdown; names of our modules say nothing to a user and lose them."""
    return re.sub(r"`(?:turnout\.[a-z_.]+)?(\w+)`", r"`\1`", text.replace("``", "`"))
