"""Claude bodies inside Bedrock's InvokeModel: the Messages API with the model in the path.

``model`` and ``stream`` are not in the body: the path has both (``/model/{id}/invoke`` and
``/model/{id}/invoke-with-response-stream``). ``anthropic_version`` must be there, which tells a Claude body from those
of other models.
"""

from __future__ import annotations

import msgspec

from turnout.messages.conversation import Conversation
from turnout.messages.wire import anthropic
from turnout.messages.wire.asked import Asked, Controls, Encoded, WireProtocol
from turnout.messages.wire.fields import Notes
from turnout.messages.wire.malformed import MalformedBodyError
from turnout.messages.wire.splice import MAX_DEPTH, Body, decode_member

VERSION = "bedrock-2023-05-31"
"""What Bedrock wants as ``anthropic_version``."""

_TEXT = msgspec.json.Decoder(str | None)


def decode(data: bytes, *, model: str, stream: bool, max_depth: int = MAX_DEPTH) -> Asked:
    """Read a body.

    Args:
        data: The body.
        model: The model's id, out of the path.
        stream: Whether the path asks for a stream.
        max_depth: The most levels of nesting.

    Raises:
        MalformedBodyError: It is no JSON object, no Claude body, or a member does not have the API's shape.
    """
    body = Body(data, max_depth=max_depth)
    if not decode_member(body, "anthropic_version", _TEXT):
        raise MalformedBodyError("is missing: only bodies for Claude are understood", path="anthropic_version")
    return anthropic.asked_of(
        body,
        WireProtocol.INVOKE,
        model=model,
        stream=stream,
        known=anthropic.KNOWN | {"anthropic_version"},
        fixed=anthropic.FIXED,
    )


def encode(conversation: Conversation, controls: Controls, *, default_max_tokens: int = 4096) -> Encoded:
    """Write a conversation as a body; the arguments are those of `anthropic.encode`."""
    notes = Notes()
    body = anthropic.members_of(conversation, controls, notes, default_max_tokens)
    return Encoded.of({"anthropic_version": VERSION, **body}, notes)
