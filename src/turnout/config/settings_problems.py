"""From what pydantic finds wrong to one line for the user: where, what, and the nearest right key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from turnout.config.errors import ConfigError
from turnout.config.settings_schema import NESTED, PREFIX, SettingsTable
from turnout.core.catalog import unknown

_WANTED = {
    "bool": "true or false",
    "date": "a date",
    "decimal": "a number",
    "dict": "a table",
    "finite": "a finite number",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "model": "a table",
    "path": "a path",
    "string": "text",
    "tuple": "a list",
}
"""What is wanted, by the beginning of pydantic's name of the error."""


_BOUNDS = {
    "greater_than": ("be above", "gt"),
    "greater_than_equal": ("be at least", "ge"),
    "less_than": ("be below", "lt"),
    "less_than_equal": ("be at most", "le"),
    "too_short": ("be a list of at least", "min_length"),
    "too_long": ("be a list of at most", "max_length"),
}
"""How bounds are worded, and where pydantic keeps them."""


def one_line(error: ValidationError, file: Path | None, environment: Mapping[str, str]) -> ConfigError:
    """The problem that explains most, as an error. Values that were read are never repeated."""
    problems = error.errors(include_url=False, include_context=True, include_input=False)
    # An unknown key explains a missing one; a list whose items are wrong is also called too short.
    problems.sort(key=lambda problem: (problem["type"] != "extra_forbidden", problem["type"] == "too_short"))
    first = problems[0]
    location = tuple(first["loc"])
    source = origin(location, file, environment)
    kind, context = first["type"], first.get("ctx", {})
    if kind == "extra_forbidden":
        table = _table_at(location[:-1])
        message = unknown("key", str(location[-1]), table.model_fields if table else ())
        location = location[:-1]
    elif kind == "missing":
        message = "is needed"
    elif kind == "value_error":
        message = str(context["error"])
    elif kind == "literal_error":
        message = f"must be {context['expected']}"
    elif kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        message = f"must {words} {context[bound]}"
    elif kind == "string_too_short":
        message = "must not be empty"
    else:
        wanted = _WANTED.get(kind.partition("_")[0])
        message = f"must be {wanted}" if wanted else first["msg"].lower()
    return ConfigError(": ".join(part for part in (source, _dotted(location), message) if part))


def origin(location: tuple[int | str, ...], file: Path | None, environment: Mapping[str, str]) -> str:
    """The variable that states a key, else the file."""
    names = [str(part) for part in location if isinstance(part, str)]
    for length in range(len(names), 0, -1):
        variable = PREFIX + NESTED.join(names[:length]).upper()
        if variable in environment:
            return f"environment variable {variable}"
    return str(file) if file else "settings"


def check_variables(environment: Iterable[str], reserved: Iterable[str]) -> None:
    """Refuse variables that begin like ours and are none of ours.

    Raises:
        ConfigError: A variable is unknown; the nearest known one is named.
    """
    known = {*reserved, *_variables(SettingsTable, PREFIX)}
    open_ended = tuple(
        name + NESTED for name in known if name.endswith(("APPLICATION_PROFILES", "PINS__TAGS", "UPSTREAMS"))
    )
    for variable in environment:
        if variable.startswith(PREFIX) and variable not in known and not variable.startswith(open_ended):
            raise ConfigError(f"environment: {unknown('variable', variable, known)}")


def _variables(table: type[BaseModel], prefix: str) -> list[str]:
    found = []
    for name, field in table.model_fields.items():
        found.append(prefix + name.upper())
        if get_origin(field.annotation) is dict:
            continue  # its keys are the user's
        for choice in (field.annotation, *get_args(field.annotation)):
            # Tables in lists have no variables of their own: the whole list is given as JSON.
            if isinstance(choice, type) and issubclass(choice, BaseModel):
                found += _variables(choice, prefix + name.upper() + NESTED)
    return found


def _table_at(location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The table that a key's location leads to."""
    table: type[BaseModel] | None = SettingsTable
    named = False  # whether the next part is a key of the user's, such as the name of an upstream
    for part in location:
        if named:
            named = False
        elif table is not None and isinstance(part, str):
            annotation = table.model_fields[part].annotation if part in table.model_fields else None
            table, named = _inner_table(annotation), get_origin(annotation) is dict
    return table


def _inner_table(annotation: Any) -> type[BaseModel] | None:
    """The table inside an annotation such as ``tuple[Table, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((table for argument in get_args(annotation) if (table := _inner_table(argument))), None)


def _dotted(location: tuple[int | str, ...]) -> str:
    dotted = ""
    for part in location:
        dotted += f"[{part}]" if isinstance(part, int) else ("." if dotted else "") + part
    return dotted
