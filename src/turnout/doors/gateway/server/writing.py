"""A connection's transport on which the head of an answer waits for its body, so that both leave in one write.

A server writes them one after the other, and each write is a call of the system and wakes the client: for small answers
that is a tenth of what serving them costs. A head that nothing follows at once leaves by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

_HEAD = b"HTTP/1.1 "


def at_once(send: Any) -> Callable[[bytes], bool]:
    """What sends a piece of an answer as uvicorn's ``send`` would, where that needs nothing but to be written.

    For each event of a stream a coroutine, a message and what is made of it would be made and thrown away.

    Args:
        send: ASGI's, of a request that uvicorn serves.
    """
    cycle = send.__self__
    flow, write = cycle.flow, cycle.transport.write

    def sent(data: bytes) -> bool:
        if flow.write_paused or cycle.disconnected or cycle.response_complete or not cycle.chunked_encoding:
            return False
        write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    return sent


class HeadWithBody:
    """Writes to a transport.

    Args:
        transport: Where to.
        loop: Its event loop.
    """

    __slots__ = ("_head", "_loop", "_transport", "is_closing", "pause_reading", "resume_reading")

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head: bytes | None = None
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def __getattr__(self, name: str) -> Any:
        """Whatever else the transport has."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write, or wait where it is a head; what looks like one and is none is written a little later, no more."""
        head = self._head
        if head is not None:
            self._head = None
            self._transport.write(head + data)
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self.flush)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write a head that waits."""
        head = self._head
        if head is not None:
            self._head = None
            self._transport.write(head)

    def close(self) -> None:
        """Close once all is written."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._head = None
        self._transport.abort()
