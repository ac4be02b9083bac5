from __future__ import annotations

import http.client
import json
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from turnout.testing.bedrock import SIMULATED_HEADER, BedrockDouble

MODEL = "global.anthropic.claude-sonnet-4-6"
PATH = f"/model/{MODEL}/converse"
HELLO = {"messages": [{"role": "user", "content": [{"text": "Hello"}]}]}
SIGNED = {"Authorization": "Bearer a-secret-of-mine", "Content-Type": "application/json"}


@pytest.fixture
def connection(double: BedrockDouble) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(double.url.removeprefix("http://"), timeout=10)
    yield connection
    connection.close()


def send(
    connection: http.client.HTTPConnection,
    method: str = "POST",
    path: str = PATH,
    body: Any = HELLO,
    headers: dict[str, str] = SIGNED,
) -> tuple[int, str | None, dict[str, Any]]:
    """Status, error type, body."""
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, encoded, headers)
    response = connection.getresponse()
    assert response.getheader(SIMULATED_HEADER) == "true"
    assert response.getheader("x-amzn-RequestId")
    raw = response.read()
    return response.status, response.getheader("x-amzn-errortype"), json.loads(raw or b"{}")


def test_a_connection_is_kept(connection: http.client.HTTPConnection) -> None:
    assert send(connection)[0] == 200
    first = connection.sock
    assert send(connection, body=b"{")[0] == 400
    assert send(connection, path="/nowhere")[0] == 404
    assert send(connection, headers={})[0] == 403
    assert send(connection)[0] == 200
    assert connection.sock is first


def test_a_connection_is_kept_after_a_stream(connection: http.client.HTTPConnection) -> None:
    for _ in range(2):
        connection.request("POST", f"{PATH}-stream", json.dumps(HELLO), SIGNED)
        response = connection.getresponse()
        assert response.getheader("Content-Type") == "application/vnd.amazon.eventstream"
        assert response.getheader("Transfer-Encoding") == "chunked"
        assert response.getheader(SIMULATED_HEADER) == "true"
        assert response.read().count(b":event-type") == 9
        first = connection.sock
    assert connection.sock is first


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (b"[" * 200_000, "not valid JSON"),
        (b"[]", "a JSON list, not an object"),
        (b"null", "a JSON NoneType, not an object"),
        (b"", "must start with a user message"),
    ],
)
def test_bodies_that_cannot_be_read(connection: http.client.HTTPConnection, body: bytes, message: str) -> None:
    status, kind, answer = send(connection, body=body)
    assert (status, kind) == (400, "ValidationException")
    assert message in answer["message"]


@pytest.mark.parametrize("path", ["/", "/model/x", "/model//converse", "/model/x/async-invoke", "/models/x/converse"])
def test_wrong_paths(connection: http.client.HTTPConnection, path: str) -> None:
    status, kind, answer = send(connection, path=path)
    assert (status, kind) == (404, "UnknownOperationException")
    assert "/model/{modelId}/converse-stream" in answer["message"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
def test_wrong_methods(connection: http.client.HTTPConnection, method: str) -> None:
    status, kind, _ = send(connection, method=method)
    assert (status, kind) == (501 if method == "BREW" else 405, "UnknownOperationException")


def test_without_credentials(connection: http.client.HTTPConnection, double: BedrockDouble) -> None:
    assert send(connection, headers={}) == (403, "AccessDeniedException", {"message": "Missing Authentication Token"})
    assert not double.calls


def test_credentials_are_neither_logged_nor_kept(
    connection: http.client.HTTPConnection, double: BedrockDouble, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert send(connection)[0] == 200
        assert send(connection, body=b"{")[0] == 400
    assert PATH in caplog.text
    assert "secret" not in caplog.text
    assert "secret" not in repr(double.calls)


def test_bodies_that_are_too_large() -> None:
    with BedrockDouble(body_limit=1000) as small:
        connection = http.client.HTTPConnection(small.url.removeprefix("http://"), timeout=10)
        assert send(connection, body=b"{" + b" " * 998 + b"}")[1] == "ValidationException"
        status, kind, answer = send(connection, body=b" " * 1001)
        assert (status, kind) == (413, "RequestEntityTooLargeException")
        assert answer["message"] == "The request is larger than 1000 bytes."
        assert send(connection)[0] == 200  # on a new connection
        connection.close()


def _exchange(double: BedrockDouble, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", int(double.url.rpartition(":")[2])), timeout=10) as raw:
        raw.sendall(request)
        received = b""
        while part := raw.recv(65536):
            received += part
    return received


def test_a_request_without_a_length(double: BedrockDouble) -> None:
    answer = _exchange(double, f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: y\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 411 ")
    assert b"needs a Content-Length" in answer


@pytest.mark.parametrize("request_line", [b"nonsense", b"POST / HTTP/9.9"])
def test_requests_that_are_not_http(double: BedrockDouble, request_line: bytes) -> None:
    answer = _exchange(double, request_line + b"\r\n\r\n")
    assert b"x-amzn-errortype: ValidationException" in answer
    assert b'{"message": ' in answer


def test_an_old_client_gets_a_stream_without_chunks(double: BedrockDouble) -> None:
    body = json.dumps(HELLO).encode()
    head = f"POST {PATH}-stream HTTP/1.0\r\nAuthorization: y\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    answer = _exchange(double, head + body)
    headers, _, stream = answer.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in headers
    assert b"Connection: close" in headers
    # The first frame's first four bytes are its length.
    assert int.from_bytes(stream[:4]) < len(stream)
    assert stream.count(b":event-type") == 9


@pytest.mark.parametrize("complete", [True, False])
def test_clients_that_go_away_disturb_nobody(
    complete: bool, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    body = json.dumps(HELLO).encode()
    length = len(body) if complete else len(body) + 10
    head = f"POST {PATH}-stream HTTP/1.1\r\nHost: x\r\nAuthorization: y\r\nContent-Length: {length}\r\n\r\n".encode()
    long_answer = "many words " * 10_000
    with BedrockDouble(lambda model_id, request: [{"text": long_answer}]) as double:
        with socket.create_connection(("127.0.0.1", int(double.url.rpartition(":")[2]))) as gone:
            gone.sendall(head + body)
            if complete:
                assert gone.recv(1000)
        client = double.client()
        assert client.converse(modelId=MODEL, **HELLO)["stopReason"] == "end_turn"
        client.close()
    assert capfd.readouterr().err == ""
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [call.operation for call in double.calls] == (["ConverseStream", "Converse"] if complete else ["Converse"])


def test_a_handlers_own_error_is_logged(double: BedrockDouble, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> float:
        raise OverflowError("the clock is broken")

    with BedrockDouble(clock=broken) as own:
        connection = http.client.HTTPConnection(own.url.removeprefix("http://"), timeout=10)
        with pytest.raises(http.client.RemoteDisconnected):
            send(connection)
        connection.close()
    assert "error=<OverflowError> | a request could not be handled" in caplog.text
    assert "secret" not in caplog.text
