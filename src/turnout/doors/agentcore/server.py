"""Serves an app until the process is told to stop, and ends the process in the ordinary way.

Python ends on SIGTERM without running what stands in ``with`` and ``atexit``; here it is turned into an exit, so that
recorders and exporters, the agent's own among them, write what they hold.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
from types import FrameType
from typing import Any

EXIT_TERMINATED = 128 + signal.SIGTERM
"""The exit code after SIGTERM, as shells tell it."""

GRACE_S = 10
"""Seconds that answers under way have to end after SIGTERM or Ctrl-C; then they are cancelled."""


class ListenError(OSError):
    """The address cannot be listened at; the message says why and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Args:
        host: A name or address.
        port: 0 for any free one.

    Raises:
        ListenError: The name is not known, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError:
        raise ListenError(f"--host {host}: there is no such address") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        reason = error.strerror or type(error).__name__
        raise ListenError(f"cannot listen on {host}, port {port}: {reason}; try another --port, or 0 for any") from None
    return listening


def serve(app: Any, listening: socket.socket, *, grace_s: int = GRACE_S) -> None:
    """Serve an ASGI app until SIGTERM or Ctrl-C.

    Args:
        app: The app.
        listening: The socket; it is closed at the end.
        grace_s: Seconds that answers under way have to end.

    Raises:
        SystemExit: After SIGTERM, so that what is open is closed on the way out.
        KeyboardInterrupt: After Ctrl-C.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=grace_s,
    )
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGTERM, _exit)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        listening.close()
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(EXIT_TERMINATED)
