"""Which path is which door."""

from __future__ import annotations

import difflib
import re
from typing import Literal, NamedTuple
from urllib.parse import unquote_to_bytes

from turnout.messages.wire.asked import WireProtocol

Kind = Literal[
    "answer",
    "count",
    "decide",
    "models",
    "model",
    "stored",
    "health",
    "ready",
    "metrics",
    "openapi",
    "unknown",
    "method",
]
"""What is asked for: ``stored`` is what a provider keeps of an answer.

The last two are refused: an unknown path, and a known one with the wrong method.
"""


class Route(NamedTuple):
    """Where a request is bound for.

    Attributes:
        kind: What is asked for.
        protocol: How the client asks, and how it is answered.
        model: The model's id where the path has it; the response's for ``stored``.
        stream: Whether the path asks for a stream.
        rest: What the path has after the response's id.
    """

    kind: Kind
    protocol: WireProtocol = WireProtocol.OPENAI_CHAT
    model: str = ""
    stream: bool = False
    rest: str = ""


_FIXED: dict[bytes, tuple[str, Route]] = {
    b"/v1/chat/completions": ("POST", Route("answer", WireProtocol.OPENAI_CHAT)),
    b"/v1/responses": ("POST", Route("answer", WireProtocol.OPENAI_RESPONSES)),
    b"/v1/responses/input_tokens": ("POST", Route("count", WireProtocol.OPENAI_RESPONSES)),
    b"/v1/messages": ("POST", Route("answer", WireProtocol.ANTHROPIC)),
    b"/v1/messages/count_tokens": ("POST", Route("count", WireProtocol.ANTHROPIC)),
    b"/v1/models": ("GET", Route("models")),
    b"/v1/route": ("POST", Route("decide")),
    b"/healthz": ("GET", Route("health")),
    b"/readyz": ("GET", Route("ready")),
    b"/openapi.json": ("GET", Route("openapi")),
    b"/metrics": ("GET", Route("metrics")),
}
_OPERATIONS: dict[str, tuple[Kind, WireProtocol, bool]] = {
    "converse": ("answer", WireProtocol.CONVERSE, False),
    "converse-stream": ("answer", WireProtocol.CONVERSE, True),
    "invoke": ("answer", WireProtocol.INVOKE, False),
    "invoke-with-response-stream": ("answer", WireProtocol.INVOKE, True),
    "count-tokens": ("count", WireProtocol.CONVERSE, False),
}
_BEDROCK = re.compile(rb"/model/(?P<model>[^/].*)/(?P<operation>%b)" % "|".join(_OPERATIONS).encode())
_STORED = re.compile(rb"/v1/responses/(?P<id>[A-Za-z0-9_-]{1,256})(?P<rest>/cancel|/input_items)?")
_STORED_METHODS = {"": ("GET", "DELETE"), "/cancel": ("POST",), "/input_items": ("GET",)}
_READ = ("GET", "HEAD")
_LIKE = 0.75
"""A path is like another one from this share of common letters on, as `difflib` counts them."""

_MODEL = re.compile(rb"/v1/models/(?P<model>.+)")


def paths() -> list[str]:
    """The paths that there are, to name them to who asks for another."""
    bedrock = [f"/model/{{modelId}}/{operation}" for operation in _OPERATIONS]
    return [*(path.decode() for path in _FIXED), *(f"/v1/responses/{{id}}{rest}" for rest in _STORED_METHODS), *bedrock]


def unknown_path(path: str) -> str:
    """What is said of a path that there is not: the one that was meant, or all where none is like it."""
    known = paths()
    meant = difflib.get_close_matches(path, known, n=1, cutoff=_LIKE)
    if meant:
        return f"unknown path {path!r}; did you mean {meant[0]!r}?"
    return f"unknown path {path!r}; there are {', '.join(known)}"


def allowed(raw_path: bytes) -> tuple[str, ...]:
    """The methods that a path takes; none where it is not known."""
    fixed = _FIXED.get(raw_path)
    if fixed is not None:
        return _READ if fixed[0] == "GET" else (fixed[0],)
    if _BEDROCK.fullmatch(raw_path):
        return ("POST",)
    if found := _STORED.fullmatch(raw_path):
        return _STORED_METHODS[(found["rest"] or b"").decode()]
    return _READ if _MODEL.fullmatch(raw_path) else ()


def match(method: str, raw_path: bytes) -> Route:
    """The door of a request.

    Args:
        method: The HTTP method.
        raw_path: The path as it was sent, percent-encoded, without the query.
    """
    fixed = _FIXED.get(raw_path)
    if fixed is not None:
        served = method == fixed[0] or (method == "HEAD" and fixed[0] == "GET")
        return fixed[1] if served else Route("method", fixed[1].protocol)
    if found := _BEDROCK.fullmatch(raw_path):
        kind, protocol, stream = _OPERATIONS[found["operation"].decode()]
        if method != "POST":
            return Route("method", protocol)
        return Route(kind, protocol, unquote_to_bytes(found["model"]).decode("utf-8", "replace"), stream)
    if found := _STORED.fullmatch(raw_path):
        rest = (found["rest"] or b"").decode()
        served = method in _STORED_METHODS[rest]
        return Route("stored" if served else "method", WireProtocol.OPENAI_RESPONSES, found["id"].decode(), rest=rest)
    if found := _MODEL.fullmatch(raw_path):
        if method not in _READ:
            return Route("method")
        return Route("model", model=unquote_to_bytes(found["model"]).decode("utf-8", "replace"))
    if raw_path.startswith(b"/model/"):
        return Route("unknown", WireProtocol.CONVERSE)
    if raw_path.startswith(b"/v1/messages"):
        return Route("unknown", WireProtocol.ANTHROPIC)
    return Route("unknown")
