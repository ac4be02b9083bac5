from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from turnout.testing.loopback import (
    SIMULATED_HEADER,
    BodyError,
    ConnectionDropError,
    LoopbackDouble,
    LoopbackHandler,
    LoopbackServer,
)

SECRET = "a-secret-of-mine"


class Handler(LoopbackHandler):
    """Says how long a body is; fails, drops or waits where the path says so."""

    server_version = "turnout-simulated-echo"

    def do_POST(self) -> None:
        try:
            if self.path == "/drop":
                raise ConnectionDropError
            if self.path == "/fail":
                raise OverflowError("on purpose")
            if self.path == "/wait":
                self.server.closing.wait(60)
            body = self.read_body(self.headers.get("content-length", ""))
        except BodyError as error:
            self.write_json(error.status, {"message": error.message})
        except ConnectionDropError:
            self.drop()
        else:
            self.write_json(200, {"bytes": len(body)}, {"X-Extra": "1"})

    do_HEAD = do_POST


class EchoDouble(LoopbackDouble):
    """The smallest double there can be."""

    service = "Echo"

    def _listen(self, port: int) -> LoopbackServer:
        return LoopbackServer(port, Handler, 1000)


@pytest.fixture
def double() -> Iterator[EchoDouble]:
    with EchoDouble(0) as running:
        yield running


def _port(double: EchoDouble) -> int:
    return int(double.url.rpartition(":")[2])


@pytest.fixture
def connection(double: EchoDouble) -> Iterator[http.client.HTTPConnection]:
    made = http.client.HTTPConnection("127.0.0.1", _port(double), timeout=10)
    yield made
    made.close()


def _send(
    connection: http.client.HTTPConnection, path: str = "/", body: bytes = b"four", method: str = "POST"
) -> tuple[int, bytes]:
    connection.request(method, path, body, {"Authorization": SECRET})
    response = connection.getresponse()
    assert response.getheader(SIMULATED_HEADER) == "true"
    assert response.getheader("Server") == "turnout-simulated-echo"
    return response.status, response.read()


def _exchange(double: EchoDouble, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", _port(double)), timeout=10) as raw:
        raw.sendall(request)
        received = b""
        while part := raw.recv(65536):
            received += part
    return received


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "echo-double"]


def test_it_starts_and_stops_and_starts_again() -> None:
    double = EchoDouble(0)
    assert double.simulated
    with pytest.raises(RuntimeError, match=r"the Echo double is not running: use it in a with statement, or call st"):
        _ = double.url
    double.stop()
    port = _port(double.start())
    with pytest.raises(RuntimeError, match=rf"the Echo double is already running at http://127\.0\.0\.1:{port}"):
        double.start()
    assert len(_threads()) == 1
    double.stop()
    assert _threads() == []
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    with double:
        assert double.url.startswith("http://127.0.0.1:")


def test_a_chosen_port_and_a_taken_one() -> None:
    with EchoDouble(0) as first:
        port = _port(first)
        with pytest.raises(OSError, match="in use"):
            EchoDouble(port).start()
    with EchoDouble(port) as second:
        assert _port(second) == port


def test_a_connection_is_kept(connection: http.client.HTTPConnection) -> None:
    assert _send(connection) == (200, b'{"bytes": 4}')
    first = connection.sock
    assert _send(connection, body=b"") == (200, b'{"bytes": 0}')
    assert connection.sock is first


def test_head_gets_the_length_and_no_body(connection: http.client.HTTPConnection) -> None:
    assert _send(connection, method="HEAD") == (200, b"")
    assert _send(connection) == (200, b'{"bytes": 4}')


def test_a_body_above_the_limit_is_read_away_and_refused(connection: http.client.HTTPConnection) -> None:
    assert _send(connection, body=b" " * 1000) == (200, b'{"bytes": 1000}')
    status, answer = _send(connection, body=b" " * 1001)
    assert (status, json.loads(answer)["message"]) == (413, "The request is larger than 1000 bytes.")
    assert _send(connection)[0] == 200  # on a new connection


@pytest.mark.parametrize("header", [b"", b"Content-Length: many\r\n", b"Content-Length: -1\r\n"])
def test_a_body_without_a_length_is_refused_and_the_connection_closed(double: EchoDouble, header: bytes) -> None:
    answer = _exchange(double, b"POST / HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert b"Connection: close" in answer
    assert b"The request needs a Content-Length." in answer


def test_a_dropped_connection_has_no_answer(double: EchoDouble) -> None:
    assert _exchange(double, b"POST /drop HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n") == b""


def test_a_client_that_goes_away_is_no_error(
    double: EchoDouble, connection: http.client.HTTPConnection, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(("127.0.0.1", _port(double))) as gone:
        gone.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    assert _send(connection)[0] == 200
    double.stop()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_handlers_own_error_is_logged_without_the_request(
    connection: http.client.HTTPConnection, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(http.client.RemoteDisconnected):
        _send(connection, "/fail")
    assert "error=<OverflowError> | a request could not be handled" in caplog.text
    assert SECRET not in caplog.text
    assert capfd.readouterr().err == ""


def _handlers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if "process_request_thread" in thread.name}


def test_stopping_ends_what_a_handler_waits_for() -> None:
    before = _handlers()
    with ExitStack() as connections, EchoDouble(0) as double:
        waiting, idle = (
            connections.enter_context(socket.create_connection(("127.0.0.1", _port(double)), timeout=10))
            for _ in range(2)
        )
        waiting.sendall(b"POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        until = time.monotonic() + 10
        while len(_handlers() - before) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert len(_handlers() - before) == 2
        double.stop()
        assert _handlers() - before == set()
        # Both see the end of their connection; the one that waited may have been answered before.
        while waiting.recv(65536):
            pass
        assert idle.recv(1) == b""
