"""Parts that the tests of the AgentCore door share: agents, a server on a real socket, and what is asked of it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

import boto3
import httpx
import pytest
import uvicorn
from botocore.config import Config
from starlette.types import ASGIApp
from strands import Agent
from strands.models import BedrockModel, Model

from tests.doors.strands.support import CAPABLE, CHEAP, Events, agent
from tests.doors.strands.support import routed as routed_by
from turnout.doors.agentcore import AgentService, FromFactory, create_app, listen
from turnout.doors.strands import RoutedModel
from turnout.testing.bedrock import BedrockDouble

SESSION = "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"
ONE, TWO = "session-" + "1" * 32, "session-" + "2" * 32

# botocore leaves the connection of a stream that broke or was left to the garbage collector. Each test that breaks one
# collects it itself, so that the warning does not come up in a test that did not.
leaves_a_connection = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@cache
def boto_session() -> boto3.Session:
    """One for all doubles: it names none of them, and each new one reads botocore's service model anew."""
    return BedrockDouble().session()


def bedrock(double: BedrockDouble, model_id: str, url: str = "") -> BedrockModel:
    """A model on the double, or on what stands before it."""
    return BedrockModel(
        model_id=model_id.removeprefix("bedrock/"),
        boto_session=boto_session(),
        endpoint_url=url or double.url,
        boto_client_config=Config(retries={"total_max_attempts": 1}),
        max_tokens=500,
    )


def pair(double: BedrockDouble) -> dict[str, Model]:
    return {model_id: bedrock(double, model_id) for model_id in (CHEAP, CAPABLE)}


def routed(
    double: BedrockDouble, events: Events, *, models: dict[str, Model] | None = None, **more: Any
) -> RoutedModel:
    return routed_by(double, events, models=models or pair(double), **more)


def wait_until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


async def come_about(condition: Callable[[], object]) -> None:
    """Wait for what other tasks do."""
    async with asyncio.timeout(30):
        while True:
            if condition():
                return
            await asyncio.sleep(0.005)


def factory(model: RoutedModel, made: list[str] | None = None) -> Callable[[str], Agent]:
    """Makes an agent a session, and notes for which."""

    def make(session_id: str) -> Agent:
        if made is not None:
            made.append(session_id)
        return agent(model, name="shop")

    return make


@contextmanager
def routed_model(double: BedrockDouble, events: Events, **options: Any) -> Iterator[RoutedModel]:
    """A routed model whose connections are closed in the end."""
    model = routed(double, events, **options)
    yield model
    close(model)


def close(model: RoutedModel) -> None:
    for candidate in model.candidates.values():
        if isinstance(candidate, BedrockModel):
            candidate.client.close()


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """An app on a real socket; the address of its server."""
    listening = listen("127.0.0.1", 0)
    config = uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@contextmanager
def serving(model: RoutedModel, **options: Any) -> Iterator[str]:
    """The service of a routed model's agents, on a real socket."""
    service = AgentService(FromFactory(factory(model), name="shop"), **options)
    with served(create_app(service)) as url:
        yield url


def ask(url: str, prompt: str, session: str | None = None, **headers: str) -> httpx.Response:
    return httpx.post(
        f"{url}/invocations",
        json={"prompt": prompt},
        headers={**({SESSION: session} if session else {}), **headers},
        timeout=30,
    )


def stream(url: str, prompt: str, session: str | None = None, **headers: str) -> list[dict[str, Any]]:
    """The parts of a streamed answer."""
    reply = ask(url, prompt, session, Accept="text/event-stream", **headers)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"].startswith("text/event-stream")
    return parts_of(reply.text)


def parts_of(text: str) -> list[dict[str, Any]]:
    lines = [line for line in text.split("\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines]


class Relay:
    """Passes bytes between a client and a server, and knows whether the client broke the connection off.

    Attributes:
        left: Set when a client closed its connection.
    """

    def __init__(self, to: str) -> None:
        self.left = threading.Event()
        host, _, port = to.removeprefix("http://").partition(":")
        self._to = host, int(port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listening]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def close(self) -> None:
        for one in self._sockets:
            with suppress(OSError):  # it is closed already
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()

    def _start(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._to)
            self._sockets += [client, server]
            self._start(self._pump, client, server, self.left)
            self._start(self._pump, server, client, threading.Event())

    def _pump(self, source: socket.socket, sink: socket.socket, ended: threading.Event) -> None:
        with suppress(OSError):  # one of the two is gone
            while data := source.recv(65_536):
                sink.sendall(data)
        ended.set()
