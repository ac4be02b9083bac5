"""The ASGI side of one request: its body, bounded; its answer; and the client that may leave meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from turnout.doors.gateway.problems import RequestError
from turnout.messages.wire.errors import Problem
from turnout.router.patience import soon

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Write = Callable[[bytes], bool]
"""Sends a piece of an answer at once, and says whether it did: where it did not, ASGI's ``send`` is to."""
Fields = Iterable[tuple[bytes, bytes]]

_DRAINED = 4
"""So many times the longest body is still read away, so that its sender gets to read why it is refused."""


class ClientLeftError(Exception):
    """The client left before the end of its request."""


class Held:
    """How many bytes of bodies requests under way hold together; and within it, one request's share.

    Args:
        limit: The most of all requests.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def share(self) -> Share:
        """What one request will hold: nothing yet."""
        return Share(self)


class Share:
    """The bytes of one request's body; close it when the request has ended."""

    __slots__ = ("_held", "_size")

    def __init__(self, held: Held) -> None:
        self._held = held
        self._size = 0

    def take(self, size: int) -> None:
        """Hold so many bytes more.

        Raises:
            RequestError: All requests together would hold too much.
        """
        if self._held.used + size > self._held.limit:
            message = "the gateway holds as many bytes of requests as it may: ask again"
            raise RequestError(Problem(status=429, code="too_many_bytes", message=message, retry_after_s=1))
        self._held.used += size
        self._size += size

    def close(self) -> None:
        """Hold nothing any more."""
        self._held.used -= self._size
        self._size = 0


async def read_body(receive: Receive, *, limit: int, seconds: float, share: Share | None = None) -> bytes:
    """The body of a request.

    Args:
        receive: ASGI's.
        limit: The most bytes.
        seconds: How long it may take to come.
        share: Counts what is held of it; none: nothing does.

    Raises:
        RequestError: It is too long or too slow, or there is no room for it.
        ClientLeftError: The client left before its end.
    """
    chunks, size = list[bytes](), 0
    try:
        message = await soon(receive(), seconds)
        if not message.get("more_body", False) and message["type"] == "http.request":
            # Nearly every body of nearly every client has come with its head.
            body: bytes = message.get("body", b"")
            if len(body) <= limit:
                return body
        async with asyncio.timeout(seconds):
            while True:
                if message["type"] == "http.disconnect":
                    raise ClientLeftError
                chunk = message.get("body", b"")
                size += len(chunk)
                if size <= limit:
                    if share is not None:
                        share.take(len(chunk))
                    chunks.append(chunk)
                else:
                    chunks.clear()
                    if share is not None:
                        share.close()
                if not message.get("more_body", False) or size > _DRAINED * limit:
                    break
                message = await receive()
    except TimeoutError:
        raise RequestError(
            Problem(status=408, code="body_timeout", message=f"the body did not come within {seconds:g} s")
        ) from None
    if size > limit:
        raise RequestError(
            Problem(status=413, code="body_too_large", message=f"the body is longer than {limit:,} bytes")
        )
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def answer_whole(send: Send, status: int, headers: Fields, body: bytes) -> None:
    """Send an answer as a whole."""
    fields = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def begin_stream(send: Send, status: int, headers: Fields) -> None:
    """Send status and headers of an answer that comes in pieces."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


def piece(data: bytes, *, more: bool = True) -> Message:
    """The next piece of an answer as ASGI takes it; ``more`` says whether others follow."""
    return {"type": "http.response.body", "body": data, "more_body": more}


async def go_on(send: Send, data: bytes, *, more: bool = True) -> None:
    """Send the next piece of an answer; ``more`` says whether others follow."""
    await send(piece(data, more=more))


_WATCHED_AFTER_S = 0.01
"""An answer that comes within this time is not worth a watcher: its task would cost more than it saves."""


class Presence:
    """Watches over a client while it is served: when it leaves, the task that serves it is cancelled.

    The watch begins a moment after the request: after `_WATCHED_AFTER_S`, and before twice that.

    Attributes:
        left: Whether it has left.
    """

    __slots__ = ("_loop", "_receive", "_rounds", "_serving", "_watching", "left")

    def __init__(self, receive: Receive) -> None:
        self.left = False
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._serving = asyncio.current_task(self._loop)
        self._watching: asyncio.Task[None] | None = None
        self._rounds = _Rounds.of(self._loop)
        self._rounds.new.add(self)

    def begin(self) -> None:
        """Begin to watch."""
        self._watching = self._loop.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        if self._serving is not None:
            self._serving.cancel()

    def close(self) -> None:
        """Stop watching."""
        if self._watching is not None:
            self._watching.cancel()
        else:
            self._rounds.new.discard(self)
            self._rounds.older.discard(self)


class _Rounds:
    """One timer for all requests of an event loop, since one for each costs more than the rest of a watch.

    Attributes:
        new: Those that came since the last round.
        older: Those that came before it: at the next one their watch begins.
    """

    __slots__ = ("_loop", "new", "older")
    _newest: _Rounds | None = None

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.new: set[Presence] = set()
        self.older: set[Presence] = set()
        loop.call_later(_WATCHED_AFTER_S, self._look)

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> _Rounds:
        """Those of a loop; they begin anew where there was no request for a while."""
        found = cls._newest
        if found is None or found._loop is not loop:
            found = cls._newest = cls(loop)
        return found

    def _look(self) -> None:
        for presence in self.older:
            presence.begin()
        self.older, self.new = self.new, set()
        if self.older:
            self._loop.call_later(_WATCHED_AFTER_S, self._look)
        elif _Rounds._newest is self:
            _Rounds._newest = None
