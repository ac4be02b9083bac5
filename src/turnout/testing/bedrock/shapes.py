"""Bedrock Runtime's service model as botocore ships it: what requests, answers, events and errors must look like.

botocore's `ParamValidator` checks types, required and unknown members, unions and lower bounds. The service also checks
enumerations, patterns and upper bounds, so those are checked here from the same model.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

from turnout.testing.bedrock.errors import invalid

OPERATIONS = ("Converse", "ConverseStream", "CountTokens", "InvokeModel", "InvokeModelWithResponseStream")
"""What the double serves."""

_VALIDATOR = ParamValidator()
_LONGEST_MESSAGE = 2000


class ShapeError(ValueError):
    """An answer or event that Bedrock could not have given."""


@functools.cache
def service_model() -> ServiceModel:
    """The service model of ``bedrock-runtime``."""
    return ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")


@functools.cache
def error_statuses() -> Mapping[str, int]:
    """The HTTP status of every error that the served operations declare."""
    return {
        shape.name: shape.metadata["error"]["httpStatusCode"]
        for operation in OPERATIONS
        for shape in service_model().operation_model(operation).error_shapes
    }


@functools.cache
def stream_errors() -> Mapping[str, str]:
    """For each error that may stand in a stream, the member that carries it."""
    members = _stream_shape().members
    return {shape.name: member for member, shape in members.items() if shape.metadata.get("exception")}


def check_request(operation: str, model_id: str, body: Mapping[str, Any]) -> None:
    """Check a request against the service model.

    Raises:
        BedrockError: ``ValidationException`` that names what does not fit.
    """
    shape = _structure(service_model().operation_model(operation).input_shape)
    if "modelId" in body:
        raise invalid("modelId belongs into the path, not into the body")
    report = _VALIDATOR.validate({"modelId": model_id, **body}, shape)
    if report.has_errors():
        raise invalid(_shortened(report.generate_report()))
    problems = list(_violations(body, shape, ""))
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        raise invalid(_shortened(f"{len(problems)} validation {noun} detected: {'; '.join(problems)}"))


def check_answer(operation: str, body: Mapping[str, Any]) -> None:
    """Check an answer of Converse or CountTokens against the service model.

    Raises:
        ShapeError: It does not fit.
    """
    _check(body, _structure(service_model().operation_model(operation).output_shape))


def check_event(name: str, payload: Mapping[str, Any]) -> None:
    """Check one event of ConverseStream against the service model.

    Raises:
        ShapeError: It does not fit.
    """
    _check(payload, _stream_shape().members[name])


def _check(value: Mapping[str, Any], shape: Shape) -> None:
    report = _VALIDATOR.validate(value, shape)
    problems = [report.generate_report()] if report.has_errors() else list(_violations(value, shape, ""))
    if problems:
        raise ShapeError(_shortened("; ".join(problems)))


@functools.cache
def _stream_shape() -> StructureShape:
    # Kept, because a shape resolves its members once for each object of it.
    return _structure(service_model().shape_for("ConverseStreamOutput"))


def _structure(shape: Shape | None) -> StructureShape:
    if not isinstance(shape, StructureShape):
        raise TypeError(f"the service model has changed: {shape!r} is no structure")
    return shape


def _violations(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        if not shape.metadata.get("document"):
            for name, member in value.items():
                yield from _violations(member, shape.members[name], f"{path}.{name}".lstrip("."))
    elif isinstance(shape, ListShape):
        if len(value) > shape.metadata.get("max", len(value)):
            yield _violation(len(value), path, f"have at most {shape.metadata['max']} members")
        for index, member in enumerate(value):
            yield from _violations(member, shape.member, f"{path}.{index}")
    elif isinstance(shape, MapShape):
        if len(value) > shape.metadata.get("max", len(value)):
            yield _violation(len(value), path, f"have at most {shape.metadata['max']} members")
        for key, member in value.items():
            yield from _violations(key, shape.key, f"{path}.{key}")
            yield from _violations(member, shape.value, f"{path}.{key}")
    elif isinstance(shape, StringShape):
        yield from _string_violations(value, shape, path)
    elif shape.type_name in ("integer", "long", "float", "double") and value > shape.metadata.get("max", value):
        yield _violation(value, path, f"be at most {shape.metadata['max']}")


def _string_violations(value: str, shape: StringShape, path: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield _violation(value, path, f"satisfy enum value set: [{', '.join(shape.enum)}]")
    if len(value) > shape.metadata.get("max", len(value)):
        yield _violation(value, path, f"have length less than or equal to {shape.metadata['max']}")
    elif (pattern := shape.metadata.get("pattern")) and not re.fullmatch(pattern, value):
        yield _violation(value, path, f"satisfy regular expression pattern: {pattern}")


def _violation(value: object, path: str, constraint: str) -> str:
    return f"Value '{str(value)[:80]}' at '{path}' failed to satisfy constraint: Member must {constraint}"


def _shortened(message: str) -> str:
    one_line = " ".join(message.split())
    return one_line if len(one_line) <= _LONGEST_MESSAGE else f"{one_line[:_LONGEST_MESSAGE]}..."
