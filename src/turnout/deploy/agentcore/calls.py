"""A call to AWS as a value: what is called with what, why, and how it looks on a screen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

MASK = "***"

Waits = Literal["runtime", "runtime-gone", "build"]
"""What has to be waited for after a call."""

Part = Literal["role", "build-role", "bucket", "object", "repository", "project", "runtime"]
"""What a deployment is made of."""


class Hidden(str):
    """A text that is sent and never shown, such as the value of a variable."""

    __slots__ = ()


class FileBody(msgspec.Struct, frozen=True):
    """A file that is sent as the body of a request; opened when the call is made."""

    path: Path
    size: int


class Made(msgspec.Struct, frozen=True):
    """One thing that a deployment makes.

    Attributes:
        part: What it is.
        id: What it is found by: a name; of an object ``bucket/key``.
    """

    part: Part
    id: str


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call.

    Attributes:
        service: As boto3 names it.
        operation: As the service's model names it.
        parameters: What is sent.
        why: What it does, for people; a few words.
        makes: What is there after it and was not before.
        removes: What is not there any more after it.
        waits: What is waited for after it.
        new_role: Whether it names a role that may be so new that the service cannot use it yet.
    """

    service: str
    operation: str
    parameters: Mapping[str, Any]
    why: str
    makes: Made | None = None
    removes: tuple[Made, ...] = ()
    waits: Waits | None = None
    new_role: bool = False


def shown(call: Call) -> str:
    """The call in Markdown-free plain text: a line, then its parameters as JSON; what is hidden is masked."""
    parameters = json.dumps(_shown(call.parameters), indent=2, ensure_ascii=False)
    after = f"\nthen wait for: {call.waits}" if call.waits else ""
    return f"{call.service} {call.operation}  ({call.why})\n{parameters}{after}"


def as_data(call: Call) -> dict[str, Any]:
    """The call for machines; what is hidden is masked."""
    data = {
        "service": call.service,
        "operation": call.operation,
        "why": call.why,
        "parameters": _shown(call.parameters),
    }
    return {**data, "then_wait_for": call.waits} if call.waits else data


def _shown(value: Any) -> Any:
    if isinstance(value, Hidden):
        return MASK
    if isinstance(value, FileBody):
        return f"<{value.path.name}, {value.size / 1e6:.1f} MB>"
    if isinstance(value, Mapping):
        return {key: _document(key, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(inner) for inner in value]
    return value


def _document(key: str, value: Any) -> Any:
    # Policies travel as JSON in a string; people read them as JSON.
    if key in {"PolicyDocument", "AssumeRolePolicyDocument", "policyDocument"} and isinstance(value, str):
        return json.loads(value)
    return _shown(value)
