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

from turnout.doors.listening import ListenError, listen

__all__ = ["EXIT_TERMINATED", "GRACE_S", "ListenError", "listen", "serve"]

EXIT_TERMINATED = 128 + signal.SIGTERM
"""The exit code after SIGTERM, as shells tell it."""

GRACE_S = 10
"""Seconds that answers under way have to end after SIGTERM or Ctrl-C; then they are cancelled."""


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
