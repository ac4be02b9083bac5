"""A connection's transport on which an answer leaves in one write, with others' at the end of the event loop's turn.

A server writes head and body one after the other, and each write is a call of the system and may wake the client
(`turnout.upstream.http.outbox`). What follows a head that has left is written at once: the events of a stream do not
wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from turnout.upstream.http.outbox import MOST_BYTES, Outbox

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
        outbox: Where answers wait for the end of the turn.
    """

    __slots__ = ("_held", "_outbox", "_transport", "is_closing", "pause_reading", "resume_reading")

    def __init__(self, transport: Any, outbox: Outbox) -> None:
        self._transport = transport
        self._outbox = outbox
        self._held = b""
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def __getattr__(self, name: str) -> Any:
        """Whatever else the transport has."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Hold a head and what follows it in the same turn; what looks like a head and is none leaves no later."""
        if self._held:
            self._held += data
            if not self._outbox.waits or len(self._held) > MOST_BYTES:
                self.flush()
        elif data.startswith(_HEAD):
            self._held = data
            self._outbox.add(self.flush)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Write what is held; a client that has left gets nothing."""
        held = self._held
        if held:
            self._held = b""
            if not self.is_closing():
                self._transport.write(held)

    def close(self) -> None:
        """Close once all is written."""
        self.flush()
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._held = b""
        self._transport.abort()
