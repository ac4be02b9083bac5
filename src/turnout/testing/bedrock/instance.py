"""A minimal instance of a JSON schema, built by rule: what a simulated model answers where structured output is forced.

Required properties only, the first of an enumeration, the smallest number, the shortest list, strings that say
``simulated``. Known limits: a ``pattern`` is met only if one of a few fixed strings meets it, ``uniqueItems`` only for
lists of at most one item, and ``not``, ``if`` and ``dependent...`` are not looked at.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

PLACEHOLDER = "simulated"
_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "simulated@example.com",
    "hostname": "simulated.example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/simulated",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_BOUNDS: dict[str, Callable[[float, float], bool]] = {
    "minimum": operator.ge,
    "exclusiveMinimum": operator.gt,
    "maximum": operator.le,
    "exclusiveMaximum": operator.lt,
}
_MOVABLE = frozenset({*_BOUNDS, "multipleOf", "minLength", "maxLength", "minItems"})
_CANDIDATES = (
    PLACEHOLDER,
    "Simulated",
    "SIMULATED",
    "a",
    "A",
    "1",
    "12",
    "123",
    "1234",
    "12345",
    "A1",
    "a-1",
    "AB-1234",
)


class UnbuildableSchemaError(ValueError):
    """No instance could be built by rule; the message says where and why."""


def minimal_instance(schema: Schema) -> Any:
    """The smallest instance of a JSON schema that these rules find.

    Raises:
        UnbuildableSchemaError: A pattern that no candidate meets, or a recursion without an end.
    """
    return _build(schema, schema, "$", frozenset())


def _build(schema: Schema | bool, root: Schema, path: str, open_refs: frozenset[str]) -> Any:
    if isinstance(schema, bool):
        return PLACEHOLDER
    if "$ref" in schema:
        return _build_ref(schema["$ref"], root, path, open_refs)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if "allOf" in schema:
        return _build(_merged(schema, root), root, path, open_refs)
    for choice in ("anyOf", "oneOf"):
        if schema.get(choice):
            return _build_first(schema[choice], root, path, open_refs)
    return _build_type(schema, root, path, open_refs)


def _build_ref(ref: str, root: Schema, path: str, open_refs: frozenset[str]) -> Any:
    if ref in open_refs:
        raise UnbuildableSchemaError(f"{path}: {ref} requires itself")
    target: Any = root
    for name in ref.removeprefix("#").strip("/").split("/") if ref != "#" else ():
        name = name.replace("~1", "/").replace("~0", "~")
        if not isinstance(target, Mapping) or name not in target:
            raise UnbuildableSchemaError(f"{path}: {ref} is not in the schema")
        target = target[name]
    return _build(target, root, path, open_refs | {ref})


def _build_first(options: Sequence[Schema], root: Schema, path: str, open_refs: frozenset[str]) -> Any:
    problems = []
    for option in sorted(options, key=lambda option: option.get("type") == "null"):
        try:
            return _build(option, root, path, open_refs)
        except UnbuildableSchemaError as error:
            problems.append(str(error))
    raise UnbuildableSchemaError("; ".join(problems))


def _merged(schema: Schema, root: Schema) -> Schema:
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        ref = part.get("$ref")
        resolved = part
        if ref is not None:
            resolved = root
            for name in ref.removeprefix("#/").split("/"):
                resolved = resolved[name]
        for key, value in resolved.items():
            if key == "properties":
                merged[key] = {**merged.get(key, {}), **value}
            elif key == "required":
                merged[key] = [*merged.get(key, []), *value]
            else:
                merged.setdefault(key, value)
    return merged


def _build_type(schema: Schema, root: Schema, path: str, open_refs: frozenset[str]) -> Any:
    schema = {**_described(schema), **schema}
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if kind == "object" or (kind is None and ("properties" in schema or "required" in schema)):
        return _build_object(schema, root, path, open_refs)
    if kind == "array":
        return _build_array(schema, root, path, open_refs)
    if kind in ("integer", "number"):
        return _build_number(schema, path, whole=kind == "integer")
    if kind == "boolean":
        return False
    if kind == "null":
        return None
    return _build_string(schema, path)


def _described(schema: Schema) -> dict[str, float]:
    """Bounds that a client moved into the description, because native structured output does not take them.

    Strands and Anthropic's SDK write ``{minimum: 3, maximum: 5}`` at its end, for the model to follow.
    """
    moved = re.search(r"\{[^{}]*\}\s*$", schema.get("description") or "")
    pairs = re.findall(r"(\w+): (-?\d+(?:\.\d+)?)\b", moved[0]) if moved else []
    return {name: json.loads(number) for name, number in pairs if name in _MOVABLE}


def _build_object(schema: Schema, root: Schema, path: str, open_refs: frozenset[str]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    names = list(dict.fromkeys(schema.get("required", ())))
    others = (name for name in properties if name not in names)
    while len(names) < schema.get("minProperties", 0):
        names.append(next(others, f"{PLACEHOLDER}_{len(names)}"))
    extra = schema.get("additionalProperties", True)
    return {name: _build(properties.get(name, extra), root, f"{path}.{name}", open_refs) for name in names}


def _build_array(schema: Schema, root: Schema, path: str, open_refs: frozenset[str]) -> list[Any]:
    first: Sequence[Schema] = schema.get("prefixItems", ())
    length = max(schema.get("minItems", 0), 0)
    if schema.get("uniqueItems") and length > 1:
        raise UnbuildableSchemaError(f"{path}: {length} unique items are asked for; at most one can be built")
    rest = schema.get("items", True)
    return [
        _build(first[index] if index < len(first) else rest, root, f"{path}[{index}]", open_refs)
        for index in range(length)
    ]


def _build_number(schema: Schema, path: str, *, whole: bool) -> int | float:
    bounds: list[float] = [schema[name] for name in _BOUNDS if schema.get(name) is not None]
    step: float | None = schema.get("multipleOf") or (1 if whole else None)
    candidates: list[float] = [0]
    if step is not None:
        candidates += [step * (math.floor(bound / step) + shift) for bound in bounds for shift in (0, 1, -1)]
    elif bounds:
        candidates += [*bounds, (min(bounds) + max(bounds)) / 2, max(bounds) + 1, min(bounds) - 1]
    for candidate in candidates:
        in_bounds = all(fits(candidate, schema[name]) for name, fits in _BOUNDS.items() if schema.get(name) is not None)
        if in_bounds and (not whole or float(candidate).is_integer()):
            return int(candidate) if whole else candidate
    raise UnbuildableSchemaError(f"{path}: no number fits {dict(schema)}")


def _build_string(schema: Schema, path: str) -> str:
    text = _FORMATS.get(schema.get("format", ""), PLACEHOLDER)
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    fitting = [
        padded[: int(min(longest, len(padded)))]
        for padded in (candidate.ljust(shortest, "x") for candidate in (text, *_CANDIDATES))
    ]
    pattern = schema.get("pattern")
    if pattern is None:
        return fitting[0]
    for candidate in fitting:
        if re.search(pattern, candidate):
            return candidate
    raise UnbuildableSchemaError(f"{path}: no string is known that matches {pattern!r}")
