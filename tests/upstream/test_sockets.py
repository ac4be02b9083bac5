from __future__ import annotations

import contextlib
import contextvars
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config

from turnout.testing.bedrock import BedrockDouble, stall
from turnout.upstream.sockets import CallSocket, follow

SONNET = "global.anthropic.claude-sonnet-4-6"
HELLO: Any = [{"role": "user", "content": [{"text": "Hello"}]}]
_SESSION = BedrockDouble().session()


class Silent:
    """A server that answers with what it is given and then keeps still until its client goes away."""

    def __init__(self, answer: bytes) -> None:
        self.asked, self.left = threading.Event(), threading.Event()
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(self._answer)
                self.asked.set()
                while connection.recv(65536):
                    pass
                self.left.set()

    def close(self) -> None:
        self._listener.close()
        self._thread.join(5)


@pytest.fixture(params=[b"", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"])
def silent(request: pytest.FixtureRequest) -> Iterator[Silent]:
    server = Silent(request.param)
    yield server
    server.close()


def client_of(url: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, proxies={}, read_timeout=30)
    return _SESSION.client("bedrock-runtime", endpoint_url=url, config=config)


def in_thread(call: CallSocket, work: Any) -> tuple[threading.Thread, list[BaseException]]:
    failed: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except Exception as error:
            failed.append(error)

    with call.current():
        context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(run,))
    thread.start()
    return thread, failed


def read_all(client: Any) -> None:
    for _ in client.converse_stream(modelId=SONNET, messages=HELLO)["stream"]:
        pass


def test_a_call_that_waits_in_another_thread_ends_at_once_and_the_provider_sees_it(silent: Silent) -> None:
    client = client_of(silent.url)
    assert follow(client)
    call = CallSocket()
    thread, failed = in_thread(call, lambda: read_all(client))
    assert silent.asked.wait(5)
    call.shut()
    assert silent.left.wait(5)
    thread.join(5)
    assert not thread.is_alive()
    assert len(failed) == 1
    client.close()


def test_a_call_that_was_ended_before_it_went_out_does_not() -> None:
    with BedrockDouble() as double:
        client = client_of(double.url)
        follow(client)
        call = CallSocket()
        call.shut()
        thread, failed = in_thread(call, lambda: client.converse(modelId=SONNET, messages=HELLO))
        thread.join(5)
        assert len(failed) == 1
        assert not double.calls
        client.close()


def test_a_connection_that_serves_another_call_by_now_is_left_alone() -> None:
    with BedrockDouble() as double:
        client = client_of(double.url)
        follow(client)
        first, second = CallSocket(), CallSocket()
        thread, failed = in_thread(first, lambda: client.converse(modelId=SONNET, messages=HELLO))
        thread.join(5)
        double.faults.add(stall(0.2))
        thread, failed = in_thread(second, lambda: client.converse(modelId=SONNET, messages=HELLO))
        while len(double.faults) > 0:
            time.sleep(0.005)
        first.shut()
        first.close()
        thread.join(5)
        assert failed == []
        assert len(double.calls) == 2
        client.close()


def test_without_a_call_nothing_is_noted() -> None:
    with BedrockDouble() as double:
        client = client_of(double.url)
        assert follow(client)
        assert follow(client)
        assert client.converse(modelId=SONNET, messages=HELLO)["stopReason"] == "end_turn"
        client.close()


def test_clients_that_are_not_botocores_cannot_be_followed() -> None:
    assert not follow(None)
    assert not follow(object())
