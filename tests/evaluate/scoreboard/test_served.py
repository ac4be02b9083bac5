from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.doors.gateway.support import ANTHROPIC, settings_text, upstreams
from tests.doors.gateway.support import served as gateway_over
from tests.evaluate.outcomes.tables import answers, batch_of
from turnout.classify.keyword import KeywordClassifier
from turnout.evaluate.outcomes.content import conversations
from turnout.evaluate.outcomes.table import OutcomesError
from turnout.evaluate.scoreboard.served import KEY_VARIABLE, ServedRouter, chat_body

Answer = Callable[[dict[str, Any]], tuple[int, Any]]
BATCH = batch_of(
    {"prompt": "short", "model": "cheap", "score": 1},
    {"prompt": "much longer", "model": "cheap", "score": 1, "tools": [{"name": "f", "parameters": {"type": "dict"}}]},
)


class Server:
    """A server on a port of its own that answers as it is told and keeps what it was sent."""

    def __init__(self) -> None:
        self.answer: Answer = lambda body: (200, {})
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.bodies.append(body)
                outer.paths.append(self.path)
                outer.keys.append(self.headers["authorization"])
                status, answer = outer.answer(body)
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.close()


def router(server: Server, path: str = "") -> ServedRouter:
    return ServedRouter(server.url + path, cheap="cheap", capable="capable")


@pytest.mark.parametrize(
    ("answer", "scores"),
    [
        (lambda body: (200, {"score": len(body["messages"][-1]["content"]), "model": "cheap"}), [5.0, 11.0]),
        (lambda body: (200, {"candidates": [{"model": "cheap", "p": 0.75}, {"model": "capable", "p": 1}]}), [0.25] * 2),
        (lambda body: (200, {"model": "capable" if "tools" in body else "cheap"}), [0.0, 1.0]),
    ],
)
def test_what_servers_say(server: Server, answer: Answer, scores: list[float]) -> None:
    server.answer = answer
    assert router(server).scores(BATCH).tolist() == scores
    assert set(server.paths) == {"/v1/route"}


@pytest.mark.parametrize(("basis", "meaning"), [("outcome", "gains"), ("label", None), (None, None)])
def test_what_p_means_is_said_with_the_verdict(server: Server, basis: str | None, meaning: str | None) -> None:
    said = {"candidates": [{"model": "cheap", "p": 0.75}], "verdict": None if basis is None else {"basis": basis}}
    server.answer = lambda body: (200, said)
    found = router(server)
    assert found.scores(BATCH).tolist() == [0.25] * 2
    assert found.meaning == meaning


def test_the_key_and_the_path_of_the_url(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    server.answer = lambda body: (200, {"score": 1})
    router(server, "/route?x=1").scores(BATCH)
    assert (set(server.paths), set(server.keys)) == ({"/route?x=1"}, {"Bearer secret"})


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((500, {"error": "no"}), "answers 500"),
        ((200, b"[1]"), "no JSON object"),
        ((200, {"model": "other"}), "its model is 'other', neither 'cheap' nor 'capable'; give the names"),
    ],
)
def test_answers_that_say_nothing(server: Server, answer: tuple[int, Any], message: str) -> None:
    server.answer = lambda body: answer
    with pytest.raises(OutcomesError, match=message):
        router(server).scores(BATCH)


def test_a_server_that_is_not_there() -> None:
    one = Server()
    one.close()
    with pytest.raises(OutcomesError, match="does not answer"):
        router(one).scores(BATCH)


@pytest.mark.parametrize("url", ["ftp://host/x", "http://", "host:80"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(OutcomesError, match="must be http"):
        ServedRouter(url, cheap="a", capable="b")


def test_the_body_is_one_of_chat_completions() -> None:
    said = {
        "system": "be brief",
        "messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": [{"text": "two"}]}],
        "tools": [
            {"toolSpec": {"name": "a", "description": "d", "inputSchema": {"json": {"type": "object"}}}},
            {"type": "function", "function": {"name": "b"}},
            {"unknown": 1},
        ],
    }
    (conversation,) = conversations(batch_of({"conversation": said, "model": "m", "score": 1}))
    body = chat_body(conversation, "turnout")
    assert body["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
    ]
    assert [tool["function"]["name"] for tool in body["tools"]] == ["a", "b"]
    (bare,) = conversations(batch_of(answers("hi", 1, 1)[0]))
    assert chat_body(bare, "m") == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_the_gateways_own_route_is_such_a_server(tmp_path: Path) -> None:
    hard = (
        "Compare both offers step by step, prove which is cheaper over three years, and explain every assumption. " * 9
    )
    batch = batch_of(
        {"prompt": "hi", "model": "cheap", "score": 1},
        {"prompt": hard, "model": "cheap", "score": 1},
    )
    with (
        upstreams() as doubles,
        gateway_over(tmp_path, settings_text(doubles, *ANTHROPIC), classifier=KeywordClassifier()) as gateway,
    ):
        cheap, capable = ANTHROPIC
        scores = ServedRouter(gateway.url, cheap=cheap, capable=capable).scores(batch)
        easy, difficult = scores.tolist()
        assert 0 <= easy < difficult <= 1
        with pytest.raises(OutcomesError, match="--served-pair"):
            ServedRouter(gateway.url, cheap="cheap", capable="capable").scores(batch)
        assert not doubles.anthropic.calls
