"""Processes of ours in the gateway's benchmark: a mock provider, and a relay that only relays.

Run as ``python -m benchmarks.gateway.processes upstream`` or ``bare URL``; each prints its port. Turnout itself is
started by its own command, ``turnout serve``.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from benchmarks.gateway.bodies import ANSWER, CHUNK, EVENTS, LAST

PAUSE_S = 0.002
"""Between two events of a stream, so that they come one by one."""


class Provider(asyncio.Protocol):
    """Answers every chat completion; events of a stream leave one by one."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: Any = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            if b"transfer-encoding: chunked" in head:
                if not self._buffer.endswith(b"\r\n0\r\n\r\n"):
                    return
                body, self._buffer = self._buffer[end + 4 :], b""
            else:
                at = head.find(b"content-length:")
                length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
                if len(self._buffer) < end + 4 + length:
                    return
                body = self._buffer[end + 4 : end + 4 + length]
                self._buffer = self._buffer[end + 4 + length :]
            if b'"stream":true' in body or b'"stream": true' in body:
                task = asyncio.get_running_loop().create_task(self._stream())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            else:
                fields = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\n"
                self._transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (fields, len(ANSWER), ANSWER))

    async def _stream(self) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for _ in range(EVENTS):
            await asyncio.sleep(PAUSE_S)
            self._transport.write(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK))
        self._transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(LAST), LAST))


async def provide() -> None:
    """Be the provider."""
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Bare:
    """Relays every request, and does nothing else: the same server and the same client as the gateway's."""

    def __init__(self, url: str) -> None:
        from turnout.config.settings import GatewaySettings
        from turnout.upstream.http.client import HttpClient, Origin

        self.stopping, self.limits = False, GatewaySettings()
        self._client, self._origin = HttpClient(), Origin.of(url)
        self.outbox = self._client.outbox

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request, or the server's beginning and end."""
        if scope["type"] == "lifespan":
            while (await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            await self._client.aclose()
            await send({"type": "lifespan.shutdown.complete"})
            return
        chunks, more = [], True
        while more:
            message = await receive()
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        until = asyncio.get_running_loop().time() + 60
        fields = [field for field in scope["headers"] if field[0] not in (b"host", b"content-length")]
        answer = await self._client.send(self._origin, b"POST", scope["raw_path"], fields, b"".join(chunks), until)
        kept = [field for field in answer.headers if field[0] not in (b"transfer-encoding", b"content-length")]
        if b"text/event-stream" in dict(answer.headers)[b"content-type"]:
            await send({"type": "http.response.start", "status": answer.status, "headers": kept})
            while (chunk := await answer.next(until)) is not None:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        data = await answer.read(until)
        fields = [*kept, (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        await send({"type": "http.response.body", "body": data, "more_body": False})


def serve(app: Any) -> None:
    """Serve an application as the gateway is served, and print its port."""
    import gc

    from turnout.doors.gateway.server.process import server_of
    from turnout.doors.listening import listen

    listening = listen("127.0.0.1", 0, backlog=2048)
    gc.collect()
    gc.freeze()  # as `turnout.doors.gateway.server.process.serve` does
    print(listening.getsockname()[1], flush=True)
    server_of(app, drain_s=1).run(sockets=[listening])


def main(role: str, url: str = "") -> None:
    """Be one of the processes."""
    import uvloop

    if role == "upstream":
        uvloop.run(provide())
    else:
        serve(Bare(url))


if __name__ == "__main__":
    main(*sys.argv[1:])
