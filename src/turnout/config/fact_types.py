"""What facts of a model there are, and of which kind each is: read off the core's own types."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import msgspec

from turnout.config.errors import ConfigError
from turnout.core.cache import CacheRules
from turnout.core.catalog import Capabilities, Model

FACT_GROUPS: dict[str, type[msgspec.Struct]] = {"cache": CacheRules, "capabilities": Capabilities}
"""The attributes of `Model` that are tables of facts themselves."""

_NOT_FACTS = {"id", "provider", "model_id", "name"}

_FROM_ONE = {"context_window", "max_output_tokens", "tokenizer_ratio", "cache.step_tokens"}
"""Numbers that cannot be 0."""


def _fact_types() -> dict[str, Any]:
    types: dict[str, Any] = {}
    for field in msgspec.structs.fields(Model):
        if field.name in FACT_GROUPS:
            members = msgspec.structs.fields(FACT_GROUPS[field.name])
            types |= {f"{field.name}.{member.name}": member.type for member in members}
        elif field.name not in _NOT_FACTS:
            types[field.name] = field.type
    return types


FACT_TYPES = _fact_types()
"""The type of every fact by its dotted name, such as ``cache.floor_tokens``."""


def converted(name: str, value: Any, where: str) -> Any:
    """A fact's value in the core's type; prices are left as they are.

    Raises:
        ConfigError: The value is of another kind, or a number below what makes sense.
    """
    if name == "price":
        return value
    kind = FACT_TYPES[name]
    try:
        result = msgspec.convert(value, kind)
    except msgspec.ValidationError:
        raise ConfigError(f"{where}: must be {_wanted(kind)}") from None
    if isinstance(result, int | float) and not isinstance(result, bool):
        least = 1 if name in _FROM_ONE and isinstance(result, int) else 0
        if not least <= result < float("inf") or (name in _FROM_ONE and result == 0):
            raise ConfigError(f"{where}: must be {'above' if name in _FROM_ONE else 'at least'} 0")
    if result == () and name == "cache.ttls":
        raise ConfigError(f"{where}: must name at least one duration")
    return result


def _wanted(kind: Any) -> str:
    """The kind of a fact in words."""
    choices = [choice for choice in get_args(kind) if isinstance(choice, str)]
    if choices:
        return "one of " + ", ".join(map(repr, choices))
    if kind is bool:
        return "true or false"
    if kind is float or kind is Decimal:
        return "a number"
    if kind is int or int in get_args(kind):
        return "a whole number"
    inner = next((argument for argument in get_args(kind) if argument is not Ellipsis), None)
    choices = [choice for choice in get_args(inner) if isinstance(choice, str)]
    return "a list of " + (" or ".join(map(repr, choices)) if choices else "texts")
