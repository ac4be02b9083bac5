"""Which path is which door."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple
from urllib.parse import unquote_to_bytes

from turnout.messages.wire.asked import WireProtocol

Kind = Literal["answer", "count", "decide", "models", "model", "health", "ready", "metrics", "unknown", "method"]
"""What is asked for; the last two are refused: an unknown path, and a known one with the wrong method."""


class Route(NamedTuple):
    """Where a request is bound for.

    Attributes:
        kind: What is asked for.
        protocol: How the client asks, and how it is answered.
        model: The model's id where the path has it.
        stream: Whether the path asks for a stream.
    """

    kind: Kind
    protocol: WireProtocol = WireProtocol.OPENAI_CHAT
    model: str = ""
    stream: bool = False


_FIXED: dict[bytes, tuple[str, Route]] = {
    b"/v1/chat/completions": ("POST", Route("answer", WireProtocol.OPENAI_CHAT)),
    b"/v1/messages": ("POST", Route("answer", WireProtocol.ANTHROPIC)),
    b"/v1/messages/count_tokens": ("POST", Route("count", WireProtocol.ANTHROPIC)),
    b"/v1/models": ("GET", Route("models")),
    b"/v1/route": ("POST", Route("decide")),
    b"/healthz": ("GET", Route("health")),
    b"/readyz": ("GET", Route("ready")),
    b"/metrics": ("GET", Route("metrics")),
}
_BEDROCK = re.compile(rb"/model/(?P<model>[^/].*)/(?P<operation>converse|converse-stream)")
_MODEL = re.compile(rb"/v1/models/(?P<model>.+)")


def paths() -> list[str]:
    """The paths that there are, to name them to who asks for another."""
    return [*(path.decode() for path in _FIXED), "/model/{modelId}/converse", "/model/{modelId}/converse-stream"]


def match(method: str, raw_path: bytes) -> Route:
    """The door of a request.

    Args:
        method: The HTTP method.
        raw_path: The path as it was sent, percent-encoded, without the query.
    """
    fixed = _FIXED.get(raw_path)
    if fixed is not None:
        return fixed[1] if method == fixed[0] else Route("method", fixed[1].protocol)
    if found := _BEDROCK.fullmatch(raw_path):
        if method != "POST":
            return Route("method", WireProtocol.CONVERSE)
        model = unquote_to_bytes(found["model"]).decode("utf-8", "replace")
        return Route("answer", WireProtocol.CONVERSE, model, found["operation"] == b"converse-stream")
    if found := _MODEL.fullmatch(raw_path):
        if method != "GET":
            return Route("method")
        return Route("model", model=unquote_to_bytes(found["model"]).decode("utf-8", "replace"))
    if raw_path.startswith(b"/model/"):
        return Route("unknown", WireProtocol.CONVERSE)
    return Route(
        "unknown", WireProtocol.ANTHROPIC if raw_path.startswith(b"/v1/messages") else WireProtocol.OPENAI_CHAT
    )
