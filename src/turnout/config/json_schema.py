"""The JSON schema of ``turnout.toml``, for editors that complete and check it.

It is pydantic's schema of `turnout.config.settings_schema` with the words of the docstrings beside each key, and with
what only pydantic understands put in JSON Schema's own terms.

Known limitation: rules between keys (``cheap`` and ``capable`` go together) and names of models are checked by
``turnout check`` alone.
"""

from __future__ import annotations

import json
from typing import Any, get_args

from pydantic import BaseModel

from turnout.config.settings_docs import key_docs, summary
from turnout.config.settings_schema import SettingsTable

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The version of JSON Schema."""

_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
"""Pydantic leaves bounds of values that a function of ours looks at first under their Python names."""


def json_schema() -> dict[str, Any]:
    """The schema."""
    schema = SettingsTable.model_json_schema()
    tables = {table.__name__: table for table in _tables(SettingsTable)}
    for name, definition in schema.get("$defs", {}).items():
        _describe(definition, tables[name])
    _describe(schema, SettingsTable)
    schema["title"] = "turnout.toml"
    cleaned: dict[str, Any] = _in_terms_of_toml(schema)
    return {"$schema": DIALECT, **cleaned}


def json_schema_text() -> str:
    """The schema as a file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _describe(definition: dict[str, Any], table: type[BaseModel]) -> None:
    definition["description"] = summary(table)
    docs = key_docs(table)
    for key, value in definition.get("properties", {}).items():
        # Titles only repeat the keys.
        value.pop("title", None)
        if key in docs:
            value["description"] = docs[key]


def _in_terms_of_toml(node: Any) -> Any:
    """TOML has no null: what may be none is left out instead."""
    if isinstance(node, list):
        return [_in_terms_of_toml(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {_BOUNDS.get(key, key): _in_terms_of_toml(value) for key, value in node.items()}
    if found.get("default", ...) is None:
        del found["default"]
    options = [one for one in found.get("anyOf", ()) if one != {"type": "null"}]
    if len(options) == 1:
        del found["anyOf"]
        found = {**options[0], **found}
    elif options:
        found["anyOf"] = options
    return found


def _tables(table: type[BaseModel]) -> list[type[BaseModel]]:
    """A table, and all that stand in it."""
    found = [table]
    for field in table.model_fields.values():
        for inner in _classes(field.annotation):
            found += _tables(inner)
    return found


def _classes(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [inner for argument in get_args(annotation) for inner in _classes(argument)]
