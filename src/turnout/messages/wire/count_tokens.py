"""Bodies of Bedrock's CountTokens: a Converse request, or the body of an InvokeModel request, whose tokens to count.

``{"input": {"converse": {...}}}`` or ``{"input": {"invokeModel": {"body": "<base64>"}}}``; the model is in the path.
Source: the service model of ``bedrock-runtime`` in botocore 1.44.5, read 2026-11.
"""

from __future__ import annotations

import msgspec

from turnout.messages.wire import converse, invoke, media
from turnout.messages.wire.asked import Asked, Controls, Read, WireProtocol
from turnout.messages.wire.malformed import MalformedBodyError
from turnout.messages.wire.splice import MAX_DEPTH, Body, decode_member


class _Invoked(msgspec.Struct):
    body: str


class _Input(msgspec.Struct):
    converse: msgspec.Raw = msgspec.Raw(b"")
    invokeModel: _Invoked | None = None


_INPUT = msgspec.json.Decoder(_Input)


def decode(data: bytes, *, model: str, max_depth: int = MAX_DEPTH) -> Asked:
    """Read a body. What is to be counted is read only where somebody asks for the conversation.

    Args:
        data: The body.
        model: The model's id, out of the path.
        max_depth: The most levels of nesting.

    Raises:
        MalformedBodyError: It is no JSON object, or does not have one of the two forms of ``input``.
    """
    body = Body(data, max_depth=max_depth)
    given: _Input | None = decode_member(body, "input", _INPUT)
    if given is None:
        raise MalformedBodyError("is missing", path="input")
    if (given.invokeModel is None) == (not len(given.converse)):
        raise MalformedBodyError("must have either converse or invokeModel", path="input")

    def read(_: Body) -> Read:
        if given.invokeModel is None:
            inner = converse.decode(bytes(given.converse), model=model, stream=False, max_depth=max_depth)
        else:
            content = media.decoded(given.invokeModel.body)
            if content is None:
                raise MalformedBodyError("is no base64", path="input.invokeModel.body")
            inner = invoke.decode(content, model=model, stream=False, max_depth=max_depth)
        return inner.reader(inner.body)

    return Asked(protocol=WireProtocol.CONVERSE, body=body, model=model, stream=False, controls=Controls(), reader=read)
