"""The two errors of this room: a request's body that cannot be read, and a stream that cannot.

Their messages name places and types, never what a caller wrote, so they may stand in logs.
"""

from __future__ import annotations


class MalformedBodyError(ValueError):
    """A request's body that is no JSON, or does not have the shape of its protocol: the caller's error, a 400.

    Attributes:
        offset: Where in the body, in bytes, as far as that is known.
        path: The member that has the wrong shape, such as ``messages.0.content``; empty for the body as a whole.
    """

    def __init__(self, problem: str, *, offset: int | None = None, path: str = "") -> None:
        self.offset = offset
        self.path = path
        place = "" if offset is None else f" (byte {offset})"
        super().__init__(f"{path or 'the body'} {problem}{place}")


class MalformedStreamError(ValueError):
    """Bytes of an upstream's stream that are none of its protocol's events, or that break off within one.

    Attributes:
        offset: Where in the stream, in bytes, as far as that is known.
    """

    def __init__(self, problem: str, *, offset: int | None = None) -> None:
        self.offset = offset
        super().__init__(problem if offset is None else f"{problem} (byte {offset} of the stream)")
