"""The processes that ``bench_gateway`` starts: a mock provider, a bare relay, and the gateway itself.

Run as ``python -m benchmarks.gateway_parts upstream``, ``bare URL`` or ``gateway URL``; each prints its port.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
from pathlib import Path
from typing import Any

EVENTS = 51
ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-5","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"%b"},"finish_reason":"stop"}],"usage":{"prompt_tokens":120,'
    b'"completion_tokens":20,"total_tokens":140}}' % (b"word " * 60)
)
CHUNK = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":'
    b'[{"index":0,"delta":{"content":"word "},"finish_reason":null}],"usage":null}\n\n'
)
LAST = (
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":'
    b'[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}\n\n'
    b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-5","choices":[],'
    b'"usage":{"prompt_tokens":120,"completion_tokens":51,"total_tokens":171}}\n\ndata: [DONE]\n\n'
)


class Provider(asyncio.Protocol):
    """Answers every chat completion; events of a stream leave one by one."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: Any = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            if b'"stream":true' in body:
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
            await asyncio.sleep(0.002)
            self._transport.write(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK))
        self._transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(LAST), LAST))


async def _provide() -> None:
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Bare:
    """Relays every request, and does nothing else: the same server and the same client as the gateway's."""

    def __init__(self, url: str) -> None:
        from turnout.config.settings import GatewaySettings
        from turnout.upstream.http.client import HttpClient, Origin

        self.stopping, self.limits = False, GatewaySettings()
        self._client, self._origin = HttpClient(), Origin.of(url)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
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


def main(role: str, url: str = "") -> None:
    """Be one of the processes."""
    import uvloop

    if role == "upstream":
        uvloop.run(_provide())
        return
    from turnout.classify.configured import configured_classifier
    from turnout.config import load_catalog, load_settings
    from turnout.doors.gateway.server import server_of
    from turnout.doors.gateway.serving import gateway_of
    from turnout.doors.listening import listen
    from turnout.trace.store.ledger import Ledger
    from turnout.trace.store.recorder import Recorder

    listening = listen("127.0.0.1", 0, backlog=2048)
    if role == "bare":
        app: Any = Bare(url)
        print(listening.getsockname()[1], flush=True)
        server_of(app, drain_s=1).run(sockets=[listening])
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "turnout.toml")
        file.write_text(
            '[policy]\ncheap = "openai/gpt-5-mini"\ncapable = "openai/gpt-5"\n'
            f'[upstreams.openai]\nbase_url = "{url}/v1"\n'
        )
        settings, catalog = load_settings(file), load_catalog()
        with Ledger(Path(folder, "ledger.sqlite3")) as ledger, Recorder(ledger) as recorder:
            gateway = gateway_of(
                settings, catalog, classifier=configured_classifier(settings, catalog), records=recorder, simulated=True
            )
            gc.collect()
            gc.freeze()  # as `turnout.doors.gateway.server.serve` does
            print(listening.getsockname()[1], flush=True)
            server_of(gateway, drain_s=1).run(sockets=[listening])


if __name__ == "__main__":
    main(*sys.argv[1:])
