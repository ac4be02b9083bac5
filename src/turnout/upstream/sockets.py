"""The socket of a call that boto3 makes in another thread, so that it can be shut as soon as the answer is not wanted.

Cancelling the task that waits for such a call does not reach the thread: it would read on, or wait for a stalled server
until the client's own time-out, and the account might pay for it. `follow` teaches a client's connections to note which
call they serve; `CallSocket.shut` then ends exactly that call: the provider sees the connection close at once, and the
thread gets an error.

Known limitation: botocore has no public place for this. Where its insides are not what they were in 1.44, `follow` says
so, and a call ends at the next bytes that come, or at the client's time-out.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

_LOCK = threading.Lock()


class CallSocket:
    """The connection that serves one call, if it is one that is followed."""

    def __init__(self) -> None:
        self._connection: _Followed | None = None
        self._shut = False

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """Let the connections that are used within, also in threads started within, serve this call."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)

    def shut(self) -> None:
        """End the call. Nothing happens to a connection that has gone on to serve another one."""
        with _LOCK:
            self._shut = True
            if self._connection is not None and self._connection.serves is self:
                self._connection.shut()

    def close(self) -> None:
        """Close the connection of a call that no thread reads any more, and whose answer was not read to its end."""
        with _LOCK:
            if self._connection is not None and self._connection.serves is self:
                self._connection.close()

    def taken_by(self, connection: _Followed) -> None:
        """Note the connection that serves the call.

        Raises:
            ConnectionAbortedError: The call was ended before.
        """
        with _LOCK:
            if self._shut:
                raise ConnectionAbortedError("the call was ended before it was answered")
            self._connection = connection


_CURRENT: ContextVar[CallSocket | None] = ContextVar("turnout_call_socket", default=None)


class _Followed:
    """Mixed into an HTTP connection of urllib3: notes the call that it serves."""

    serves: CallSocket | None = None
    sock: socket.socket | None
    _open: socket.socket | None = None

    def request(self, *args: Any, **kwargs: Any) -> Any:
        call = _CURRENT.get()
        with _LOCK:
            self.serves = call
        if call is not None:
            call.taken_by(self)
        return super().request(*args, **kwargs)  # type: ignore[misc]  # the connection's own, which this is mixed into

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        # The connection forgets its socket here where the server closes it after the answer.
        self._open = self.sock
        if self.serves is not None:
            self.serves.taken_by(self)  # it may have been ended while this was connecting
        return super().getresponse(*args, **kwargs)  # type: ignore[misc]  # as above

    def close(self) -> None:
        """Close it, as urllib3 does."""
        super().close()  # type: ignore[misc]  # as above

    def shut(self) -> None:
        """Shut the socket both ways: it is safe while another thread reads from it, unlike closing."""
        for one in (self.sock, self._open):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)


def follow(client: Any) -> bool:
    """Have a boto3 client's connections note which call they serve; once is enough.

    Returns:
        Whether it could be done.
    """
    session: Any = getattr(getattr(client, "_endpoint", None), "http_session", None)
    pools = getattr(session, "_pool_classes_by_scheme", None)
    if not isinstance(pools, dict) or not pools:
        return False
    changed = False
    for scheme, pool in list(pools.items()):
        connection = getattr(pool, "ConnectionCls", None)
        if not isinstance(connection, type):
            return False
        if not issubclass(connection, _Followed):
            followed = type(connection.__name__, (_Followed, connection), {})
            pools[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": followed})
            changed = True
    if changed:
        # Connections that it holds already are not followed; it opens others when it needs them.
        session.close()
    return True
