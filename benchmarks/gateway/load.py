"""The load: requests over kept-alive connections, by a client that does as little as can be done in Python.

It finds an answer's end and its status and decodes nothing. It runs in the process that measures, on uvloop; of the
figures that are compared, CPU a request is read from the server's own processes, so that the client is not in them.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class LoadError(Exception):
    """A server did not answer as it should."""


class Load(NamedTuple):
    """What came of a load: how many were answered, in how many seconds, and how long each took, in seconds."""

    answers: int
    seconds: float
    took: list[float]


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: Any = None
        self._buffer = bytearray()
        self._done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._done is None or self._done.done():
            return
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        fields = bytes(self._buffer[:head]).lower()
        if b"transfer-encoding: chunked" in fields:
            whole = self._buffer.endswith(b"\r\n0\r\n\r\n")
        else:
            length = int(fields.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            whole = len(self._buffer) >= head + 4 + length
        if not whole:
            return
        if fields.startswith(b"http/1.1 200"):
            self._done.set_result(None)
        else:
            self._done.set_exception(LoadError(bytes(self._buffer[:500]).decode("utf-8", "replace")))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(LoadError("the server closed the connection before its answer's end"))

    async def ask(self, request: bytes) -> None:
        self._buffer.clear()
        self._done = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        await self._done

    def close(self) -> None:
        self._transport.close()


def requests_of(path: str, headers: Iterable[tuple[str, str]], bodies: Sequence[bytes]) -> list[bytes]:
    """The requests, as bytes, that bodies make."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\naccept: */*\r\n{fields}"
    return [head.encode() + b"content-length: %d\r\n\r\n%b" % (len(body), body) for body in bodies]


async def load(port: int, requests: Sequence[bytes], *, connections: int, seconds: float, most: int = 10**9) -> Load:
    """Ask over so many connections for that long, or that often at most.

    Raises:
        LoadError: An answer is no 200, or breaks off.
        OSError: Nobody listens.
    """
    loop = asyncio.get_running_loop()
    turns, took, ends = itertools.cycle(requests), list[float](), loop.time() + seconds
    left = most

    async def work() -> None:
        nonlocal left
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", port)
        try:
            while left > 0 and loop.time() < ends:
                left -= 1
                began = time.perf_counter()
                async with asyncio.timeout(30):
                    await connection.ask(next(turns))
                took.append(time.perf_counter() - began)
        finally:
            connection.close()

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    return Load(len(took), time.perf_counter() - began, took)
