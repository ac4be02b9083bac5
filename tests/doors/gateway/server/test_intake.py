"""Hostile bytes on the socket: what is ambiguous is refused, nothing is kept without an end, the server lives on."""

from __future__ import annotations

import contextlib
import contextvars
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from tests.doors.gateway.support import OPENAI, Served, Upstreams, served, settings_text, wait_for
from turnout.config.settings import GatewaySettings
from turnout.doors.gateway.server.intake import intake_of
from turnout.doors.listening import listen
from turnout.testing.completions import Said
from turnout.upstream.http.outbox import Outbox

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
    """An application that answers as its path says."""

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


class Sweeping(uvicorn.Server):
    """A server that sweeps its connections ten times a second."""

    async def on_tick(self, counter: int) -> bool:
        intake: Any = self.config.http
        intake.sweep(self.server_state.connections, time.monotonic())
        return await super().on_tick(counter)


@contextlib.contextmanager
def tiny(app: Tiny, limits: GatewaySettings | None = None) -> Iterator[tuple[int, Any]]:
    listening = listen("127.0.0.1", 0)
    intake = intake_of(limits or GatewaySettings(), Outbox())
    config = uvicorn.Config(
        app, http=intake, loop="uvloop", lifespan="off", ws="none", log_config=None, log_level="error"
    )
    server = Sweeping(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    # Strands has threads inherit the current span, and one of another test may still be current here.
    contextvars.Context().run(thread.start)
    try:
        wait_for(lambda: bool(server.started))
        yield listening.getsockname()[1], server
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


IMPATIENT = GatewaySettings(header_seconds=0.1, write_seconds=0.1)


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
    with tiny(Tiny(), IMPATIENT) as (port, server):
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
    with tiny(Tiny(), IMPATIENT) as (port, server):
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


LIMITS = """[gateway]
max_header_bytes = 2000
max_body_bytes = 2000000
max_bodies_bytes = 2000000
max_connections = 20
header_seconds = 0.5
body_seconds = 1
write_seconds = 0.5
"""


@pytest.fixture(scope="module")
def guarded(doubles: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("gateway"), settings_text(doubles, OPENAI[0], extra=LIMITS)) as found:
        yield found


def connect(to: Served, receive_buffer: int | None = None) -> socket.socket:
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port_of(to)))
    return connection


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    found = b""
    try:
        while chunk := connection.recv(65_536):
            found += chunk
    except ConnectionError:
        pass
    return found


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * 3_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 3_000 + b"\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n" + b"a: b\r\n" * 400 + b"\r\n",
    ],
)
def test_a_head_that_is_too_large_is_a_431(guarded: Served, head: bytes) -> None:
    with connect(guarded) as connection:
        connection.sendall(head)
        assert answer(connection).startswith(b"HTTP/1.1 431 ")


def test_a_header_without_an_end_is_not_gathered(guarded: Served) -> None:
    with connect(guarded) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ")
        try:
            for _ in range(1_000):
                connection.sendall(b"y" * 10_000)
        except ConnectionError:
            pass
        else:
            pytest.fail("ten million bytes of one header were taken")
        assert answer(connection)[:13] in (b"HTTP/1.1 431 ", b"")


def test_what_is_no_http_is_a_400(guarded: Served) -> None:
    with connect(guarded) as connection:
        connection.sendall(b"\x16\x03\x01 no words\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 400 ")


def test_a_head_that_does_not_come_in_time(guarded: Served) -> None:
    begun = (b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nhost: local")
    with contextlib.ExitStack() as open_ones:
        connections = [open_ones.enter_context(connect(guarded)) for _ in begun]
        for connection, data in zip(connections, begun, strict=True):
            connection.sendall(data)
        assert [statuses(answer(connection)) for connection in connections] == [[], [408], [408]]


def test_the_time_counts_for_each_request_and_not_between_them(guarded: Served) -> None:
    whole = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with connect(guarded) as connection:
        connection.sendall(whole)
        assert b"200 OK" in connection.recv(4_096)
        time.sleep(2)  # longer than a head may take: a connection that is kept may rest
        connection.sendall(whole)
        assert b"200 OK" in connection.recv(4_096)
        connection.sendall(whole[:20])
        assert statuses(answer(connection)) == [408]


def test_more_connections_than_allowed(guarded: Served, caplog: pytest.LogCaptureFixture) -> None:
    many = [connect(guarded) for _ in range(20)]
    try:
        with connect(guarded) as one_more:
            one_more.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert answer(one_more) == b""
        wait_for(lambda: "count=<1>, most=<20> | connections were turned away" in caplog.text)
    finally:
        for one in many:
            one.close()

    def served_again() -> bool:
        with connect(guarded) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            return answer(connection).startswith(b"HTTP/1.1 200 ")

    wait_for(served_again)


def test_a_client_that_does_not_read_its_stream(guarded: Served, doubles: Upstreams) -> None:
    before = doubles.openai.responder
    doubles.openai.responder = lambda call: Said(text=("x" * 5_000 + " ") * 3_000)
    body = b'{"model":"turnout","stream":true,"messages":[{"role":"user","content":"hi"}]}'
    try:
        with connect(guarded, receive_buffer=4_096) as connection:
            connection.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(body), body)
            )
            guarded.wait_for_calls(1)
            assert guarded.events.calls[0].status == "cancelled"
    finally:
        doubles.openai.responder = before


def test_bodies_of_all_requests_are_bounded(guarded: Served) -> None:
    """Of two that fit alone the second has no room beside the first, and is told to ask again."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1500000\r\n\r\n"
    with connect(guarded) as first, connect(guarded) as second:
        first.sendall(head + b"{" * 1_400_000)
        time.sleep(0.3)
        second.sendall(head + b"{" * 1_400_000)
        assert b"429 Too Many Requests" in second.recv(4_096)
        assert b"408 " in first.recv(4_096)
    with guarded.http() as client:  # what was held is free again
        assert client.post("/v1/chat/completions", content=b"{" * 1_500_000).status_code == 400
