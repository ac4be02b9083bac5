"""Clients that send too much, too slowly, or do not read: on real sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.doors.gateway.support import OPENAI, Served, Upstreams, served, settings_text, wait_for
from turnout.testing.completions import Said

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
def running(doubles: Upstreams, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("gateway"), settings_text(doubles, OPENAI[0], extra=LIMITS)) as found:
        yield found


def connect(gateway: Served, receive_buffer: int | None = None) -> socket.socket:
    parts = urlsplit(gateway.url)
    assert parts.hostname is not None
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(10)
    connection.connect((parts.hostname, parts.port or 80))
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
def test_a_head_that_is_too_large_is_a_431(gateway: Served, head: bytes) -> None:
    with connect(gateway) as connection:
        connection.sendall(head)
        assert answer(connection).startswith(b"HTTP/1.1 431 ")


def test_a_header_without_an_end_is_not_gathered(gateway: Served) -> None:
    with connect(gateway) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ")
        try:
            for _ in range(1_000):
                connection.sendall(b"y" * 10_000)
        except ConnectionError:
            pass
        else:
            pytest.fail("ten million bytes of one header were taken")
        assert answer(connection)[:13] in (b"HTTP/1.1 431 ", b"")


def test_what_is_no_http_is_a_400(gateway: Served) -> None:
    with connect(gateway) as connection:
        connection.sendall(b"\x16\x03\x01 no words\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nhost: local"])
def test_a_head_that_does_not_come_in_time(gateway: Served, begun: bytes) -> None:
    with connect(gateway) as connection:
        connection.sendall(begun)
        assert answer(connection) == b""


def test_the_time_counts_for_each_request_and_not_between_them(gateway: Served) -> None:
    whole = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with connect(gateway) as connection:
        connection.sendall(whole)
        assert b"200 OK" in connection.recv(4_096)
        time.sleep(2)  # longer than a head may take: a connection that is kept may rest
        connection.sendall(whole)
        assert b"200 OK" in connection.recv(4_096)
        connection.sendall(whole[:20])
        assert answer(connection) == b""


def test_more_connections_than_allowed(gateway: Served) -> None:
    many = [connect(gateway) for _ in range(20)]
    try:
        with connect(gateway) as one_more:
            one_more.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert answer(one_more) == b""
    finally:
        for one in many:
            one.close()

    def served_again() -> bool:
        with connect(gateway) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            return answer(connection).startswith(b"HTTP/1.1 200 ")

    wait_for(served_again)


def test_a_client_that_does_not_read_its_stream(gateway: Served, doubles: Upstreams) -> None:
    before = doubles.openai.responder
    doubles.openai.responder = lambda call: Said(text=("x" * 5_000 + " ") * 3_000)
    body = b'{"model":"turnout","stream":true,"messages":[{"role":"user","content":"hi"}]}'
    try:
        with connect(gateway, receive_buffer=4_096) as connection:
            connection.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                b"content-length: %d\r\n\r\n%b" % (len(body), body)
            )
            gateway.wait_for_calls(1)
            assert gateway.events.calls[0].status == "cancelled"
    finally:
        doubles.openai.responder = before


def test_bodies_of_all_requests_are_bounded(gateway: Served) -> None:
    """Of two that fit alone the second has no room beside the first, and is told to ask again."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1500000\r\n\r\n"
    with connect(gateway) as first, connect(gateway) as second:
        first.sendall(head + b"{" * 1_400_000)
        time.sleep(0.3)
        second.sendall(head + b"{" * 1_400_000)
        assert b"429 Too Many Requests" in second.recv(4_096)
        assert b"408 " in first.recv(4_096)
    with gateway.http() as client:  # what was held is free again
        assert client.post("/v1/chat/completions", content=b"{" * 1_500_000).status_code == 400
