"""Hostile bytes on the socket: what is ambiguous is refused, nothing is kept without an end, the server lives on."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from tests.doors.gateway.support import Served, Upstreams, wait_for
from turnout.doors.gateway.intake import intake_of
from turnout.doors.listening import listen

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
ASKED = b'{"model":"turnout","messages":[{"role":"user","content":"hi"}]}'
POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
GET = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"
LAST = GET + b"connection: close\r\n\r\n"
WHOLE = b"content-length: %d\r\n\r\n%b" % (len(ASKED), ASKED)
H2C = b"connection: Upgrade, HTTP2-Settings\r\nhttp2-settings: AAMAAABk\r\nupgrade: h2c\r\n"


def exchange(port: int, data: bytes, *, shut: bool = False) -> bytes:
    """Send bytes, and read until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        got = b""
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
            if shut:
                connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65_536):
                got += chunk
        return got


def port_of(gateway: Served) -> int:
    return int(gateway.url.rpartition(":")[2])


def statuses(data: bytes) -> list[int]:
    return [int(found) for found in STATUS.findall(data)]


AMBIGUOUS = {
    "a length and chunks": POST + b"content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nX",
    "chunks and a length": POST + b"transfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n0\r\n\r\nX",
    "two lengths": POST + b"content-length: 5\r\ncontent-length: 6\r\n\r\n{}    ",
    "a length twice": POST + b"content-length: 2\r\ncontent-length: 2\r\n\r\n{}",
    "a list of lengths": POST + b"content-length: 2, 2\r\n\r\n{}",
    "a signed length": POST + b"content-length: +2\r\n\r\n{}",
    "a negative length": POST + b"content-length: -2\r\n\r\n{}",
    "an absurd length": POST + b"content-length: 99999999999999999999999\r\n\r\n{}",
    "an unknown coding": POST + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks not last": POST + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a blank before the colon": POST + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
    "a chunk of no size": CHUNKED + b"zz\r\n\r\n",
    "a chunk of a negative size": CHUNKED + b"-1\r\n\r\n",
    "a chunk of an absurd size": CHUNKED + b"ffffffffffffffffff\r\n\r\n",
    "chunks by line feeds": CHUNKED + b"2\n{}\n0\n\n",
    "a chunk longer than it says": CHUNKED + b"2\r\n{}{}\r\n0\r\n\r\n",
    "a folded line": POST + b"x-a: b\r\n c: d\r\n" + WHOLE,
    "line feeds alone": b"GET /healthz HTTP/1.1\nhost: localhost\n\n",
    "a carriage return in a value": GET + b"x: a\rb\r\n\r\n",
    "a zero byte in a value": GET + b"x: a\0b\r\n\r\n",
    "a blank in a name": GET + b"x y: z\r\n\r\n",
    "a blank in the path": b"GET /healthz x HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "bytes above ASCII in the path": b"GET /\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "bytes above ASCII in the query": b"POST /v1/chat/completions?\xff HTTP/1.1\r\nhost: localhost\r\n" + WHOLE,
    "an unknown method": b"get /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "a tunnel": b"CONNECT example.com:443 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
    "all bytes": bytes(range(256)),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_is_ambiguous_is_refused_and_nothing_after_it_is_served(
    gateway: Served, doubles: Upstreams, name: str
) -> None:
    got = exchange(port_of(gateway), AMBIGUOUS[name] + LAST)
    assert statuses(got) == [400], got
    assert not doubles.openai.calls


SERVED = {
    "three requests at once": (GET + b"\r\n", GET + b"\r\n"),
    "blank lines before": (b"\r\n\r\n" + GET + b"\r\n",),
    "a body where none is wanted": (GET + b"content-length: 14\r\n\r\nGET / HTTP/1.1",),
    "an absolute path": (b"GET http://localhost/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",),
    "chunks with extensions": (CHUNKED + b"%x;a=b\r\n%b\r\n0\r\n\r\n" % (len(ASKED), ASKED),),
    "an upgrade without a body": (GET + H2C + b"\r\n",),
    "an upgrade with a body, as Java sends it": (POST + H2C + WHOLE, POST + WHOLE),
    "an upgrade with chunks": (
        POST + H2C + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(ASKED), ASKED),
    ),
}


@pytest.mark.parametrize("name", SERVED)
def test_what_is_odd_but_clear_is_served(gateway: Served, name: str) -> None:
    requests = SERVED[name]
    data = b"".join(requests) + LAST
    assert statuses(exchange(port_of(gateway), data)) == [200] * (len(requests) + 1)
    for size in (1, 7):  # however it comes
        with socket.create_connection(("127.0.0.1", port_of(gateway)), timeout=10) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for place in range(0, len(data), size):
                connection.sendall(data[place : place + size])
            got = b""
            while chunk := connection.recv(65_536):
                got += chunk
        assert statuses(got) == [200] * (len(requests) + 1)


def test_trailers_are_no_headers(gateway: Served) -> None:
    body = b"%x\r\n%b\r\n0\r\nx-turnout-pin: nothing\r\nx-turnout-unknown: 1\r\n\r\n" % (len(ASKED), ASKED)
    assert statuses(exchange(port_of(gateway), CHUNKED + body + LAST)) == [200, 200]


def test_a_client_that_stops_in_the_middle_of_a_body_gets_nothing_and_leaves_nothing(gateway: Served) -> None:
    for data in (POST + b"content-length: 50\r\n\r\n{}", CHUNKED + b"5\r\n{}", POST):
        assert exchange(port_of(gateway), data, shut=True) == b""
    wait_for(lambda: gateway.gateway.busy == 0)
    assert gateway.events.events == []


def test_random_bytes_get_an_answer_below_500_or_none(gateway: Served) -> None:
    chance = random.Random(11)
    pieces = [*AMBIGUOUS.values(), *(one for many in SERVED.values() for one in many), LAST, WHOLE]
    for _ in range(150):
        data = bytearray(b"".join(chance.choices(pieces, k=2)))
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[place] = chance.randrange(256)
                case 1:
                    del data[place : place + chance.randrange(1, 9)]
                case _:
                    data[place:place] = chance.randbytes(chance.randrange(1, 9))
        got = exchange(port_of(gateway), bytes(data), shut=True)
        assert all(status < 500 for status in statuses(got)), bytes(data)
    wait_for(lambda: gateway.gateway.busy == 0)
    assert statuses(exchange(port_of(gateway), LAST)) == [200]


class Tiny:
    """A server with connections of the class under test, before an application that answers as its path says."""

    def __init__(self) -> None:
        self.left = threading.Event()
        self.begun = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/large":
            for _ in range(2_000):
                await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
        if scope["path"] == "/waits":
            self.begun.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left.set()
        await send({"type": "http.response.body", "body": b"ok", "more_body": False})


@contextlib.contextmanager
def tiny(app: Tiny, tick_s: float = 30.0) -> Iterator[tuple[int, Any]]:
    listening = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        app, http=intake_of(tick_s=tick_s), loop="uvloop", lifespan="off", ws="none", log_config=None, log_level="error"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        wait_for(lambda: bool(server.started))
        yield listening.getsockname()[1], server
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


def flood(port: int, begin: bytes, more: bytes) -> tuple[int, bytes]:
    """How much a server takes of what does not end, and what it says."""
    sent, got = 0, b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            connection.sendall(begin)
            while sent < 100_000_000:
                connection.sendall(more)
                sent += len(more)
        except ConnectionError:
            pass
        with contextlib.suppress(ConnectionError):
            got = connection.recv(65_536)
    return sent, got


def test_what_does_not_end_is_cut_off() -> None:
    with tiny(Tiny()) as (port, server):
        floods = {
            "headers": (GET, b"x-header: some value\r\n" * 1_000),
            "one header": (GET + b"x: ", b"y" * 50_000),
            "the path": (b"GET /", b"y" * 50_000),
            "a trailer": (CHUNKED + b"0\r\nx: ", b"y" * 50_000),
            "trailers": (CHUNKED + b"0\r\n", b"x: y\r\n" * 5_000),
            "an extension": (CHUNKED + b"1;", b"y" * 50_000),
        }
        for name, (begin, more) in floods.items():
            sent, _ = flood(port, begin, more)
            assert sent < 20_000_000, name  # what the system's buffers hold, and not what memory does
        for begin in (GET + b"x: ", b"GET /"):
            got = exchange(port, begin + b"y" * 70_000 + (b" HTTP/1.1\r\n\r\n" if begin == b"GET /" else b"\r\n\r\n"))
            assert statuses(got) in ([431], []), got[:100]  # a reset may overtake the answer
        assert statuses(exchange(port, GET + b"x: " + b"y" * 60_000 + b"\r\nconnection: close\r\n\r\n")) == [200]
        wait_for(lambda: not server.server_state.connections)


def drip(port: int, begin: bytes, more: bytes) -> None:
    """Send a little again and again, until the connection is closed."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(begin)
        with contextlib.suppress(ConnectionError):
            for _ in range(500):
                connection.sendall(more)
                time.sleep(0.005)
            pytest.fail("a request that never ends was waited for")


def test_what_comes_too_slowly_is_cut_off() -> None:
    with tiny(Tiny(), tick_s=0.05) as (port, server):
        for begin, said in (
            (b"", []),  # a connection that says nothing
            (b"\r\n", []),
            (GET, [408]),
            (GET + b"\r\n" + GET, [200, 408]),
            (POST + b"content-length: 5\r\n\r\n{", [200]),  # answered although its body has not come
        ):
            assert statuses(exchange(port, begin)) == said, begin
        # A header a moment keeps nothing alive, nor do blank lines after an answer.
        for begin, more in ((GET, b"x: y\r\n"), (GET + b"\r\n", b"\r\n")):
            drip(port, begin, more)
        wait_for(lambda: not server.server_state.connections)


def test_a_client_that_does_not_take_its_answer_is_cut_off() -> None:
    with tiny(Tiny(), tick_s=0.05) as (port, server):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(GET.replace(b"/healthz", b"/large") + b"\r\n")
            wait_for(lambda: bool(server.server_state.connections))
            wait_for(lambda: not server.server_state.connections)
        assert statuses(exchange(port, LAST)) == [200]


def test_a_client_that_leaves_is_told_to_every_request_that_it_pipelined() -> None:
    app = Tiny()
    with tiny(app) as (port, server):
        waits = GET.replace(b"/healthz", b"/waits") + b"\r\n"
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(waits + waits)
            wait_for(app.begun.is_set)
        wait_for(app.left.is_set)
        wait_for(lambda: not server.server_state.connections and not server.server_state.tasks)
