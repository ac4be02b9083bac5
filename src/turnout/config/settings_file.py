"""The file that ``turnout init`` writes: every key with what it means and its default, commented out.

It is made from the tables of `turnout.config.settings_schema` and their docstrings, so that it cannot say anything else
than what is read. A line ``#key = value`` is a setting that can be switched on by taking the ``#`` away; a line
``# text`` is a comment. A key without a default shows an example.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from turnout.config.pairs import DEFAULT_PAIR
from turnout.config.presets import DEFAULT_PRESET, PRESETS
from turnout.config.settings_docs import key_docs, summary
from turnout.config.settings_schema import SettingsTable

SCHEMA_NAME = "turnout.schema.json"
"""Where editors look for the JSON schema: beside the file. ``turnout schema`` writes it."""

_WIDTH = 100

_INTRODUCTION = f"""Settings of Turnout. `turnout check` says whether they work here, and what they would do.

A line that begins with # and no space is a setting with its default, or an example where there is none: take the # away
to set it. Every key may also be given as an environment variable, which wins: TURNOUT_POLICY__PRESET is `preset` of
[policy]. Keys of providers never stand here: they come from the environment.

For completion in editors, write the schema that the first line names:

turnout schema > {SCHEMA_NAME}"""

_ALTERNATIVES = {("policy", "candidates")}
"""Keys that cannot stand beside others: they are shown in a comment."""

EXAMPLES: Mapping[tuple[str, ...], Any] = {
    ("ledger",): "~/.local/share/turnout/ledger.sqlite3",
    ("overrides",): "models.toml",
    ("default_profile",): "global",
    ("region",): "eu-central-1",
    ("application_profiles",): {"a1b2c3d4e5f6": DEFAULT_PAIR.cheap.removeprefix("bedrock/")},
    ("policy", "cheap"): DEFAULT_PAIR.cheap,
    ("policy", "capable"): DEFAULT_PAIR.capable,
    ("policy", "candidates"): [
        {"model": DEFAULT_PAIR.cheap, "rank": 0},
        {"model": DEFAULT_PAIR.capable, "rank": 1},
    ],
    **{("policy", name): bar for name, bar in PRESETS[DEFAULT_PRESET].items()},
    ("policy", "budget", "usd"): 5,
    ("classifier", "model"): DEFAULT_PAIR.cheap,
    ("classifier", "examples"): "examples.jsonl",
    ("classifier", "rules"): "keywords.toml",
    ("classifier", "artefact"): "router",
    ("gateway", "keys"): "~/.local/share/turnout/keys.json",
    ("gateway", "tls_cert"): "/etc/turnout/cert.pem",
    ("gateway", "tls_key"): "/etc/turnout/key.pem",
    ("pins", "tags"): {"vip": DEFAULT_PAIR.capable},
    ("upstreams",): {
        "openai": {"key_env": "OPENAI_API_KEY"},
        "vllm": {"protocol": "openai", "base_url": "http://127.0.0.1:8000/v1", "auth": "none"},
        "bedrock": {"region": "eu-central-1"},
    },
}
"""What is shown for the keys that have no default, by where they stand."""


class _Key(NamedTuple):
    """A key, and what it holds: a table, tables by names or in a list, or a plain value."""

    name: str
    field: FieldInfo
    kind: Literal["value", "table", "optional_table", "list_of_tables", "named_tables", "named_values"]
    table: type[BaseModel] | None


def settings_file(schema: str = f"./{SCHEMA_NAME}") -> str:
    """The file's text.

    Args:
        schema: The JSON schema that editors are to use: a path relative to the file, or a URL.
    """
    lines = [f"#:schema {schema}", *_comment(_INTRODUCTION), "", *_table(SettingsTable, ())]
    return "\n".join(lines).rstrip() + "\n"


def _table(table: type[BaseModel], path: tuple[str, ...]) -> Iterator[str]:
    """The keys of a table: plain values first, as TOML wants it."""
    docs = key_docs(table)
    keys = [_key(name, field) for name, field in table.model_fields.items()]
    for key in keys:
        if key.kind == "value" or (*path, key.name) in _ALTERNATIVES:
            yield from _value(key, (*path, key.name), docs.get(key.name, ""))
    for key in keys:
        if key.kind != "value" and (*path, key.name) not in _ALTERNATIVES:
            yield from _inner(key, (*path, key.name), docs.get(key.name, ""))


def _value(key: _Key, path: tuple[str, ...], text: str) -> Iterator[str]:
    if path in _ALTERNATIVES:
        yield from _comment(f"{text} Instead of the pair, any number of them:")
        for one in EXAMPLES[path]:
            yield f"#   [[{'.'.join(path)}]]"
            yield from (f"#   {name} = {_toml(value)}" for name, value in one.items())
    else:
        yield from _comment(f"{text}{_choices(key.field)}")
        yield f"#{key.name} = {_toml(_shown(path, key.field))}"
    yield ""


def _inner(key: _Key, path: tuple[str, ...], text: str) -> Iterator[str]:
    """A table of its own; the header of one whose presence means something is commented out too."""
    header = ".".join(path)
    if key.kind == "named_tables" and key.table is not None:
        yield from _comment(f"{text or summary(key.table)} [{header}.NAME] has these keys:")
        docs = key_docs(key.table)
        for name, field in key.table.model_fields.items():
            yield from _comment(f"{name}: {docs.get(name, '')}{_choices(field)}", indent="  ")
        for name, values in EXAMPLES[path].items():
            yield f"#[{header}.{name}]"
            yield from (f"#{inner} = {_toml(value)}" for inner, value in values.items())
            yield ""
    elif key.kind == "named_values":
        yield from _comment(text)
        yield f"[{header}]"
        yield from (f"#{_quoted(name)} = {_toml(value)}" for name, value in EXAMPLES[path].items())
        yield ""
    elif key.table is not None:
        yield from _comment(text or summary(key.table))
        yield f"#[{header}]" if key.kind == "optional_table" else f"[{header}]"
        yield from _table(key.table, path)


def _key(name: str, field: FieldInfo) -> _Key:
    annotation = field.annotation
    options = [one for one in (get_args(annotation) or (annotation,)) if one is not type(None)]
    if get_origin(annotation) is dict:
        table = _table_in(get_args(annotation)[1])
        return _Key(name, field, "named_tables" if table else "named_values", table)
    for option in options:
        if get_origin(option) is tuple and (table := _table_in(get_args(option)[0])):
            return _Key(name, field, "list_of_tables", table)
        if table := _table_in(option):
            return _Key(name, field, "table" if option is annotation else "optional_table", table)
    return _Key(name, field, "value", None)


def _table_in(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _shown(path: tuple[str, ...], field: FieldInfo) -> Any:
    """A key's default, else its example.

    Raises:
        KeyError: It has neither: the schema has a new key that `EXAMPLES` lacks.
    """
    default = field.get_default()
    return EXAMPLES[path] if path in EXAMPLES or default in (None, PydanticUndefined) else default


def _choices(field: FieldInfo) -> str:
    """The values that a key may have, where there are few."""
    options = [field.annotation, *get_args(field.annotation)]
    names = next((get_args(one) for one in options if get_origin(one) is Literal), ())
    return f" One of {', '.join(names)}." if names else ""


def _comment(text: str, indent: str = "") -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        if paragraph is not text.split("\n\n")[0]:
            yield "#"
        yield from textwrap.wrap(
            " ".join(paragraph.split()),
            _WIDTH,
            initial_indent=f"# {indent}",
            subsequent_indent=f"# {indent}{'  ' if indent else ''}",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _quoted(key: str) -> str:
    return key if key.replace("-", "_").isidentifier() and key.isascii() else json.dumps(key)


def _toml(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    # A basic string of TOML is written as one of JSON.
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)
