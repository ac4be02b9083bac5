"""What an HTTP client costs a request: Turnout's own against others that are installed.

Run it with ``python -m benchmarks.bench_http_client``. All run in this process on uvloop, in turns, against the mock
provider of ``benchmarks.gateway`` in a process of its own. CPU is user and system time of this process, with all its
threads. pyreqwest and aiohttp take part where they are installed (``pip install pyreqwest aiohttp``).
"""

from __future__ import annotations

import asyncio
import importlib.util
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.gateway.bodies import EVENTS, chat
from benchmarks.gateway.servers import end, provider

ROUNDS, CONNECTIONS = 5, 32
COUNTS = {False: 3000, True: 200}
FIELDS = {"content-type": "application/json", "authorization": "Bearer key", "accept": "*/*", "user-agent": "bench"}
Ask = Callable[[bytes, bool], Awaitable[None]]


@asynccontextmanager
async def own(url: str) -> AsyncIterator[Ask]:
    """Turnout's."""
    from turnout.upstream.http.client import HttpClient, Origin

    client, origin = HttpClient(), Origin.of(url)
    fields = [(name.encode(), value.encode()) for name, value in FIELDS.items()]
    loop = asyncio.get_running_loop()

    async def ask(data: bytes, stream: bool) -> None:
        answer = await client.send(origin, b"POST", b"/v1/chat/completions", fields, data, loop.time() + 60)
        while await answer.next(loop.time() + 60) is not None:
            pass

    yield ask
    await client.aclose()


@asynccontextmanager
async def pyreqwest(url: str) -> AsyncIterator[Ask]:
    """Rust's reqwest."""
    module: Any = importlib.import_module("pyreqwest.client")
    async with module.ClientBuilder().build() as client:

        async def ask(data: bytes, stream: bool) -> None:
            request = client.post(f"{url}/v1/chat/completions").headers(FIELDS).body_bytes(data)
            if not stream:
                await (await request.build().send()).bytes()
                return
            async with request.build_streamed() as answer:
                while await answer.body_reader.read_chunk() is not None:
                    pass

        yield ask


@asynccontextmanager
async def aiohttp(url: str) -> AsyncIterator[Ask]:
    """aiohttp, in C where it can be."""
    module: Any = importlib.import_module("aiohttp")
    async with module.ClientSession(connector=module.TCPConnector(limit=0), auto_decompress=False) as session:

        async def ask(data: bytes, stream: bool) -> None:
            async with session.post(f"{url}/v1/chat/completions", data=data, headers=FIELDS) as answer:
                async for _ in answer.content.iter_any():
                    pass

        yield ask


CLIENTS = {"turnout": own, "pyreqwest": pyreqwest, "aiohttp": aiohttp}


async def measured(name: str, url: str, *, stream: bool) -> float:
    """CPU seconds a request."""
    data, left = chat(stream=stream), COUNTS[stream]
    async with CLIENTS[name](url) as ask:
        await asyncio.gather(*(ask(data, stream) for _ in range(CONNECTIONS)))

        async def work() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await ask(data, stream)

        before = time.process_time()
        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
        return (time.process_time() - before) / COUNTS[stream]


def main() -> None:
    """Print the table."""
    import uvloop

    names = [name for name in CLIENTS if name == "turnout" or importlib.util.find_spec(name)]
    upstream, port = provider()
    found: dict[tuple[str, bool], list[float]] = {}
    try:
        for _ in range(ROUNDS):
            for stream in (False, True):
                for name in names:
                    used = uvloop.run(measured(name, f"http://127.0.0.1:{port}", stream=stream))
                    found.setdefault((name, stream), []).append(used)
    finally:
        end(upstream)
    table = Table("client", "µs a request", f"µs a stream of {EVENTS} events", "µs an event")
    for name in names:
        plain, streamed = (statistics.median(found[name, stream]) * 1e6 for stream in (False, True))
        table.add_row(name, f"{plain:.1f}", f"{streamed:.0f}", f"{streamed / EVENTS:.1f}")
    Console(width=120).print(table)
    print(f"CPU of the process, {CONNECTIONS} connections, median of {ROUNDS} rounds in turns")
    if missing := [name for name in CLIENTS if name not in names]:
        print(f"not installed: {', '.join(missing)}")


if __name__ == "__main__":
    main()
