"""Errors name the place."""

from __future__ import annotations

from turnout.messages.wire.malformed import MalformedBodyError, MalformedStreamError


def test_messages_name_the_place() -> None:
    assert str(MalformedBodyError("is no JSON", offset=7)) == "the body is no JSON (byte 7)"
    assert str(MalformedBodyError("is missing", path="messages.0.role")) == "messages.0.role is missing"
    assert str(MalformedStreamError("no frame", offset=3)) == "no frame (byte 3 of the stream)"
    assert str(MalformedStreamError("no frame")) == "no frame"
    assert MalformedStreamError("no frame").offset is None
    error = MalformedBodyError("is missing", path="a")
    assert (error.path, error.offset) == ("a", None)
