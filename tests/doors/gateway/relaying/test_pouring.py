from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.doors.gateway.support import served, wait_for
from tests.upstream.http.scripted import CHUNKED, answering, client, server, soon
from turnout.doors.gateway.relaying.pouring import Pouring
from turnout.doors.gateway.relaying.streams import Stream
from turnout.messages.wire.asked import WireProtocol
from turnout.upstream.http.client import Answer
from turnout.upstream.http.errors import RemoteProtocolError

MORE = b'data: {"choices":[{"index":0,"delta":{"content":"word"}}]}\n\n'
DONE = b"data: [DONE]\n\n"


@asynccontextmanager
async def answer_of(*pieces: bytes) -> AsyncIterator[Answer]:
    """An answer of which each piece comes in a packet of its own."""
    script = answering(CHUNKED, *(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n")
    async with server(script) as origin, client() as one:
        answer = await one.send(origin, b"POST", b"/v1/x", [], b"{}", soon())
        try:
            yield answer
        finally:
            answer.close()


class Reader:
    """A client behind ASGI's send; while it is slow it waits, as a server does until there is room."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.room = asyncio.Event()
        self.room.set()

    async def send(self, message: Any) -> None:
        if not self.room.is_set():
            await self.room.wait()
        self.got.append(message["body"])


def later(data: bytes) -> bool:
    """A server that never writes at once."""
    return False


async def test_what_is_more_of_the_answer_is_passed_on() -> None:
    reader = Reader()
    async with answer_of(MORE, MORE, MORE) as answer:
        assert await Pouring(Stream(WireProtocol.OPENAI_CHAT), reader.send, later).pour(answer, 5.0) is None
        assert await answer.next(soon()) is None
    assert reader.got == [MORE] * 3


async def test_what_ends_the_stream_is_handed_back() -> None:
    reader = Reader()
    async with answer_of(MORE, DONE, MORE) as answer:
        part = await Pouring(Stream(WireProtocol.OPENAI_CHAT), reader.send, later).pour(answer, 5.0)
        assert part is not None
        assert (part.data, part.last) == (b"", DONE)
        assert reader.got == [MORE]
        assert await answer.next(soon()) == MORE


async def test_an_error_of_the_provider_is_handed_back() -> None:
    reader = Reader()
    error = b'data: {"error":{"type":"server_error"}}\n\n'
    async with answer_of(MORE, error) as answer:
        part = await Pouring(Stream(WireProtocol.OPENAI_CHAT), reader.send, later).pour(answer, 5.0)
    assert part is not None
    assert part.error is not None
    assert reader.got == [MORE]


async def test_a_slow_client_is_waited_for() -> None:
    reader = Reader()
    reader.room.clear()
    async with answer_of(MORE, MORE) as answer:
        pouring = Pouring(Stream(WireProtocol.OPENAI_CHAT), reader.send, later)
        task = asyncio.create_task(pouring.pour(answer, 5.0))
        await asyncio.sleep(0.1)
        assert not task.done()
        assert reader.got == []
        reader.room.set()
        assert await task is None
        assert reader.got == [MORE]  # nothing more was read meanwhile
        assert await pouring.pour(answer, 5.0) is None
    assert reader.got == [MORE, MORE]


async def test_who_is_cancelled_while_a_client_is_slow_lets_go() -> None:
    reader = Reader()
    reader.room.clear()
    async with answer_of(MORE) as answer:
        task = asyncio.create_task(Pouring(Stream(WireProtocol.OPENAI_CHAT), reader.send, later).pour(answer, 5.0))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    reader.room.set()
    await asyncio.sleep(0.01)
    assert reader.got == []


async def test_what_reading_raises_is_raised() -> None:
    async with answer_of(MORE, b"data: {no\n\n") as answer:
        with pytest.raises(RemoteProtocolError):
            await Pouring(Stream(WireProtocol.OPENAI_CHAT), Reader().send, later).pour(answer, 5.0)


async def test_what_sending_raises_is_raised() -> None:
    async def send(message: Any) -> None:
        raise RuntimeError("the answer had ended")

    async with answer_of(MORE) as answer:
        with pytest.raises(RuntimeError, match="had ended"):
            await Pouring(Stream(WireProtocol.OPENAI_CHAT), send, later).pour(answer, 5.0)


TEXT = """
[policy]
cheap = "openai/gpt-5-mini"
capable = "openai/gpt-5"
[upstreams.openai]
base_url = "URL/v1"
key_env = "MY_OPENAI_KEY"
"""
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % (b"x" * 16_000)
EVENTS = 2_000
"""32 MB, more than all buffers on the way hold."""


class Flood:
    """A provider that streams as fast as it can; ``sent`` events have left it."""

    def __init__(self) -> None:
        self.sent = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(20)
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65_536)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            for _ in range(EVENTS):
                connection.sendall(b"%x\r\n%b\r\n" % (len(EVENT), EVENT))
                self.sent += 1
            last = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n' + DONE
            connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(last), last))

    def close(self) -> None:
        self._thread.join(30)
        self._listening.close()


@contextmanager
def flood() -> Iterator[Flood]:
    made = Flood()
    try:
        yield made
    finally:
        made.close()


def test_a_client_that_reads_slowly_slows_the_provider_down(tmp_path: Path) -> None:
    body = json.dumps({"model": "turnout", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}).encode()
    with flood() as provider, served(tmp_path, TEXT.replace("URL", provider.url)) as gateway:
        host, port = gateway.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as asking:
            asking.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(body), body)
            )
            wait_for(lambda: provider.sent > 0)
            before = 0
            while before != provider.sent:
                before = provider.sent
                time.sleep(0.3)
            assert provider.sent < EVENTS * 3 / 4  # it waits, since nobody reads
            got = bytearray()
            while data := asking.recv(1 << 20):
                got += data
    assert got.count(EVENT) == EVENTS
    assert b"data: [DONE]" in got
    assert got.endswith(b"0\r\n\r\n")
