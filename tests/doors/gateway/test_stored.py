"""What a provider keeps of an answer, where that provider is slow, down, or streams; see `test_responses_door` too."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doors.gateway.support import served, wait_for

EVENTS = [b'event: a\ndata: {"n":%d}\n\n' % number for number in range(3)]
TEXT = """
[policy]
cheap = "openai/gpt-5-mini"
capable = "openai/gpt-5"
[calls]
stall_seconds = 1
[upstreams.openai]
base_url = "URL/v1"
key_env = "MY_OPENAI_KEY"
"""


@contextmanager
def keeper() -> Iterator[tuple[str, list[str]]]:
    """A provider that streams what is asked for with ``stream=true``, and says nothing where ``id`` is ``slow``."""
    paths: list[str] = []
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            paths.append(self.path)
            if "slow" in self.path:
                closing.wait(20)
            self.send_response(200)
            self.send_header("content-type", "text/event-stream; charset=utf-8")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for event in EVENTS:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", paths
    finally:
        closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_stream_comes_as_it_is(tmp_path: Path) -> None:
    with (
        keeper() as (url, paths),
        served(tmp_path, TEXT.replace("URL", url)) as gateway,
        gateway.http() as client,
    ):
        answer = client.get("/v1/responses/resp_1?stream=true&starting_after=4")
    assert answer.content == b"".join(EVENTS)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert paths == ["/v1/responses/resp_1?stream=true&starting_after=4"]


def test_one_that_says_nothing_is_waited_for_no_longer_than_allowed(tmp_path: Path) -> None:
    with (
        keeper() as (url, _),
        served(tmp_path, TEXT.replace("URL", url)) as gateway,
        gateway.http() as client,
    ):
        answer = client.get("/v1/responses/slow")
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")
        with pytest.raises(httpx.ReadTimeout):
            client.get("/v1/responses/slow", timeout=0.05)
        wait_for(lambda: gateway.gateway.busy == 0)


def test_one_that_is_down(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with served(tmp_path, TEXT.replace("URL", url)) as gateway, gateway.http() as client:
            answer = client.delete("/v1/responses/resp_1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")


def test_where_nobody_speaks_the_protocol(tmp_path: Path) -> None:
    text = TEXT.replace("URL", "http://127.0.0.1:1") + 'speaks = ["chat"]\n'
    with served(tmp_path, text) as gateway, gateway.http() as client:
        answer = client.get("/v1/responses/resp_1")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_response")
        assert "no provider keeps responses" in answer.json()["error"]["message"]
        answer = client.post("/v1/responses", json={"model": "turnout", "input": "hi"})
        assert "untranslatable:protocol" in answer.json()["error"]["message"]
        assert client.post("/v1/responses/resp_1").status_code == 405
