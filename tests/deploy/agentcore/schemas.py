"""Holds calls against botocore's service models: types, required members, ranges, and patterns and enums as well.

botocore itself checks no pattern and no enum, which is what AWS refuses a bad name by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from turnout.deploy.agentcore.calls import Call, FileBody


@cache
def model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def problems(call: Call) -> list[str]:
    """What AWS's own models find wrong with a call; empty for a call that may be sent."""
    shape = model(call.service).operation_model(call.operation).input_shape
    assert shape is not None
    parameters = {key: b"" if isinstance(value, FileBody) else value for key, value in call.parameters.items()}
    found = [ParamValidator().validate(parameters, shape).generate_report()]
    return [line for line in [*found, *_patterns(parameters, shape, call.operation)] if line]


def _patterns(value: Any, shape: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure" and isinstance(value, Mapping):
        for name, member in value.items():
            if name in shape.members:
                yield from _patterns(member, shape.members[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for number, member in enumerate(value):
            yield from _patterns(member, shape.member, f"{path}[{number}]")
    elif shape.type_name == "map":
        for key, member in value.items():
            yield from _patterns(key, shape.key, f"{path} key {key}")
            yield from _patterns(member, shape.value, f"{path}[{key}]")
    elif shape.type_name == "string" and isinstance(value, str):
        pattern, enum = shape.metadata.get("pattern"), getattr(shape, "enum", None)
        if pattern and not re.fullmatch(_python(pattern), value):
            yield f"{path}: {value!r} does not match {pattern}"
        if enum and value not in enum:
            yield f"{path}: {value!r} is not one of {enum}"


def _python(pattern: str) -> str:
    """A pattern of the models in Python's words: Unicode's categories of letters, blanks and digits."""
    return pattern.replace(r"\p{Z}", r"\s").replace(r"\p{L}", r"\w").replace(r"\p{N}", r"\d")
