"""Serves a gateway until the process is told to stop: uvicorn with uvloop and httptools, one process.

On SIGTERM or Ctrl-C it takes no new connections, ``/readyz`` says so, and answers under way have their time to end;
then Python ends in the ordinary way, so that recorders write what they hold.
"""

from __future__ import annotations

import gc
import signal
import socket
import sys
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any

from turnout.config.extras import require
from turnout.doors.gateway.intake import intake_of

if TYPE_CHECKING:
    from turnout.doors.gateway.app import Gateway

EXIT_TERMINATED = 128 + signal.SIGTERM
"""The exit code after SIGTERM, as shells tell it."""

_KEEP_ALIVE_S = 75
"""Longer than clients keep unused connections, so that they close them and not we."""


def serve(gateway: Gateway, listening: socket.socket, *, drain_s: float) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        gateway: The application.
        listening: The socket; it is closed at the end.
        drain_s: Seconds that answers under way have to end.

    Raises:
        MissingExtraError: The extra ``gateway`` is not installed.
        SystemExit: After SIGTERM, so that what is open is closed on the way out.
        KeyboardInterrupt: After Ctrl-C.
    """
    server = server_of(gateway, drain_s=drain_s)
    # What start-up made stays: the garbage collector need not go through it again and again.
    gc.collect()
    gc.freeze()
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGTERM, _exit)
    try:
        server.run(sockets=[listening])
    finally:
        listening.close()
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def server_of(gateway: Gateway, *, drain_s: float) -> Any:
    """A uvicorn server for a gateway, which has not been started.

    Raises:
        MissingExtraError: The extra ``gateway`` is not installed.
    """
    for module in ("uvicorn", "uvloop", "httptools"):
        require(module, extra="gateway")
    import uvicorn

    class Server(uvicorn.Server):
        """Tells the gateway that it stops as soon as it is told so itself."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            gateway.stopping = True
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        gateway,
        loop="uvloop",
        http=intake_of(),
        ws="none",
        interface="asgi3",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(drain_s)),
    )
    return Server(config)


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(EXIT_TERMINATED)
