from __future__ import annotations

import socket

import httpx
import pytest

from turnout.testing.langfuse import SIMULATED_HEADER, LangfuseDouble


def test_every_answer_says_that_it_is_simulated(http: httpx.Client) -> None:
    for response in (http.get("/api/public/health"), http.get("/nowhere"), http.put("/api/public/scores")):
        assert response.headers[SIMULATED_HEADER] == "true"
        assert response.headers["server"] == "turnout-simulated-langfuse"
    assert http.get("/nowhere").json() == {"message": "there is nothing at this path", "error": "ApiError"}


def test_head_has_no_body(http: httpx.Client) -> None:
    assert http.head("/nowhere").content == b""


def test_a_body_that_is_too_large() -> None:
    with LangfuseDouble(body_limit=100) as double:
        auth = double.public_key, double.secret_key
        response = httpx.post(double.url + "/api/public/scores", content=b"x" * 101, auth=auth)
        assert response.status_code == 413


def raw(double: LangfuseDouble, text: bytes) -> bytes:
    host, port = double.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(text)
        return connection.recv(65536)


def test_a_length_that_is_no_number(double: LangfuseDouble) -> None:
    answer = raw(double, b"POST /api/public/scores HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 411 ")


def test_a_client_that_goes_away_is_no_error(double: LangfuseDouble, caplog: pytest.LogCaptureFixture) -> None:
    host, port = double.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"POST /api/public/scores HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
    assert httpx.get(double.url + "/api/public/health").status_code == 200
    assert "could not be handled" not in caplog.text


def test_many_requests_over_one_connection(http: httpx.Client) -> None:
    assert [http.get("/api/public/health").status_code for _ in range(5)] == [200] * 5
