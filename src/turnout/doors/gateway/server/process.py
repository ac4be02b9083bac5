"""Serves a gateway until the process is told to stop: uvicorn with uvloop and httptools, one process.

On SIGTERM or Ctrl-C ``/readyz`` says so at once; new requests are taken for as long as the gateway is to linger, then
no connections any more, and answers under way have their time to end. Those that do not are told so in their client's
own protocol. Then Python ends in the ordinary way, so that recorders write what they hold. A second signal ends all at
once.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from turnout.config.extras import require
from turnout.doors.gateway.access.listening import NO_PASSWORD, unusable_certificate

if TYPE_CHECKING:
    from turnout.doors.gateway.app import Gateway

logger = logging.getLogger(__name__)

EXIT_TERMINATED = 128 + signal.SIGTERM
"""The exit code after SIGTERM, as shells tell it."""

_KEEP_ALIVE_S = 75
"""Longer than clients keep unused connections, so that they close them and not we."""

_GC_OBJECTS = 10_000
"""How many more objects there are before the garbage collector looks at the newest ones."""

_TICKS_A_SECOND = 10
"""How often uvicorn looks whether it is to stop."""


def serve(server: Any, listening: socket.socket) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Args:
        server: As `server_of` makes it.
        listening: The socket; it is closed at the end.

    Raises:
        SystemExit: After SIGTERM, so that what is open is closed on the way out.
        KeyboardInterrupt: After Ctrl-C.
    """
    # What start-up made stays: the garbage collector need not go through it again and again.
    gc.collect()
    gc.freeze()
    # Requests leave hardly any cycles behind: looking for them at every 700 objects costs each one a few per cent.
    gc.set_threshold(_GC_OBJECTS, 20, 20)
    before = None
    if threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGTERM, _exit)
    try:
        server.run(sockets=[listening])
    finally:
        listening.close()
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def server_of(
    gateway: Gateway,
    *,
    drain_s: float | None = None,
    tls: tuple[Path, Path | None] | None = None,
    on_started: Callable[[], None] | None = None,
) -> Any:
    """A uvicorn server for a gateway, which has not been started.

    Args:
        gateway: The application.
        drain_s: Seconds that answers under way have to end; none: as the gateway's limits say.
        tls: The files of a certificate and of its key; none: no TLS.
        on_started: Is called once requests are served.

    Raises:
        MissingExtraError: The extra ``gateway`` is not installed.
        ConfigError: The certificate cannot be used.
    """
    for module in ("uvicorn", "uvloop", "httptools"):
        require(module, extra="gateway")
    import uvicorn

    from turnout.doors.gateway.server.intake import intake_of
    from turnout.doors.gateway.server.writing import at_once

    intake = intake_of(gateway.limits, gateway.outbox)
    gateway.pours = at_once  # uvicorn's send, where that is called instead, only ever waits for room in the buffer

    class Server(uvicorn.Server):
        """Tells the gateway that it stops as soon as it is told so itself, and looks after slow clients."""

        _told_s: float | None = None

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            """Stop; told a second time, at once."""
            again = gateway.stopping
            gateway.stopping = True
            super().handle_exit(sig, frame)
            if again:
                self.force_exit = True
                self._loop.call_soon_threadsafe(self._cut)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            self._loop = asyncio.get_running_loop()
            await super().startup(sockets=sockets)
            if on_started is not None and self.started:
                on_started()

        async def on_tick(self, counter: int) -> bool:
            if counter % _TICKS_A_SECOND == 0:
                intake.limits = gateway.limits
                intake.sweep(self.server_state.connections, self._loop.time())
            if gateway.stopping and not self.force_exit and self._lingers():
                self.should_exit = False
                await super().on_tick(counter)
                self.should_exit = True
                return False
            return await super().on_tick(counter)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            gateway.stopping = True
            if drain_s is None:
                self.config.timeout_graceful_shutdown = _whole(gateway.limits.drain_seconds)
            sweeping = self._loop.create_task(self._sweep())
            try:
                await super().shutdown(sockets=sockets)
            finally:
                sweeping.cancel()

        def stop(self) -> None:
            """Stop as after SIGTERM, but for the exit code; from the server's own event loop."""
            gateway.stopping = True
            self.should_exit = True

        def renew_certificate(self) -> None:
            """Read the certificate's files anew, for connections to come; one that is wrong is told in the log."""
            context = self.config.ssl
            if tls is None or context is None:
                return
            try:
                context.load_cert_chain(*tls, password=NO_PASSWORD)
            except OSError as error:
                logger.error("file=<%s>, error=<%s> | the certificate stays the old one", tls[0], error)

        @asynccontextmanager
        async def until_closed(self, descriptor: int) -> AsyncIterator[None]:
            """A block in which the server stops once the other end of a pipe is closed."""

            def closed() -> None:
                self._loop.remove_reader(descriptor)
                self.stop()

            self._loop.add_reader(descriptor, closed)
            try:
                yield
            finally:
                self._loop.remove_reader(descriptor)

        async def _sweep(self) -> None:
            while True:
                await asyncio.sleep(0.25)
                intake.sweep(self.server_state.connections, self._loop.time())

        def _lingers(self) -> bool:
            now_s = self._loop.time()
            if self._told_s is None:
                self._told_s = now_s
            return now_s < self._told_s + gateway.limits.linger_seconds

        def _cut(self) -> None:
            for connection in list(self.server_state.connections):
                connection.transport.abort()

    seconds = gateway.limits.drain_seconds if drain_s is None else drain_s
    config = uvicorn.Config(
        gateway,
        loop="uvloop",
        http=intake,
        ws="none",
        interface="asgi3",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_whole(seconds),
        ssl_certfile=None if tls is None else str(tls[0]),
        ssl_keyfile_password=NO_PASSWORD,
        ssl_keyfile=None if tls is None or tls[1] is None else str(tls[1]),
    )
    if tls is not None:
        try:
            config.load()
        except OSError as error:  # ssl's own errors are among them
            raise unusable_certificate(*tls, error) from None
    server = Server(config)
    gateway.outbox.tasks = server.server_state.tasks
    return server


def _whole(seconds: float) -> int:
    return max(1, round(seconds))


def _exit(number: int, frame: FrameType | None) -> None:
    sys.exit(EXIT_TERMINATED)
