"""The real boto3 data client over a real socket; what the server answers is scripted."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.deploy.agentcore.support import RUNTIME_ARN, session
from turnout.deploy.agentcore.errors import DeployError
from turnout.deploy.agentcore.invoke import (
    LOCAL_ARN,
    Answer,
    check_session_id,
    data_client,
    events,
    invoke,
    new_session_id,
)

SESSION = "s" * 33


class Service:
    """Keeps what it was sent and answers as scripted."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.status, self.type, self.body = 200, "application/json", b'{"response": "hello"}'
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.requests.append({"path": self.path, "headers": dict(self.headers), "body": json.loads(body)})
                self.send_response(service.status)
                self.send_header("Content-Type", service.type)
                self.send_header("Content-Length", str(len(service.body)))
                self.end_headers()
                self.wfile.write(service.body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    thread = threading.Thread(target=service.server.serve_forever, daemon=True)
    thread.start()
    yield service
    service.server.shutdown()
    service.server.server_close()
    thread.join()


def ask(service: Service, **options: Any) -> list[Answer]:
    client = data_client(session(), local=service.url + "/")
    try:
        return list(invoke(client, LOCAL_ARN, "hi", SESSION, **options))
    finally:
        client.close()


def test_a_question_and_its_answer(service: Service) -> None:
    assert ask(service) == [Answer(session_id=SESSION, data={"response": "hello"})]
    [request] = service.requests
    assert request["body"] == {"prompt": "hi"}
    assert request["headers"]["X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"] == SESSION
    assert request["headers"]["Accept"] == "application/json"
    assert request["path"].endswith("/invocations")
    # Nothing is signed: a service on this machine needs no credentials, and is shown none.
    assert "Authorization" not in request["headers"]


def test_streaming(service: Service) -> None:
    service.type, service.body = (
        "text/event-stream",
        b'data: {"text": "hel"}\n\ndata: {"text": "lo"}\n\ndata: plain\n\n',
    )
    found = ask(service, stream=True)
    assert [one.data for one in found] == [{"text": "hel"}, {"text": "lo"}, "plain"]
    assert all(one.streamed for one in found)
    assert service.requests[0]["body"] == {"prompt": "hi", "stream": True}
    assert service.requests[0]["headers"]["Accept"] == "text/event-stream"


def test_an_answer_that_is_no_json_is_told(service: Service) -> None:
    service.body = b"<html>"
    with pytest.raises(DeployError, match="the agent's answer is no JSON: '<html>'"):
        ask(service)


def test_a_refusal_is_told_and_not_asked_again(service: Service) -> None:
    service.status, service.body = 500, b'{"message": "no"}'
    with pytest.raises(DeployError, match=r"the agent answered with an error \(500\): no"):
        ask(service)
    assert len(service.requests) == 1


def test_nothing_is_there() -> None:
    client = data_client(session(), local="http://127.0.0.1:9")
    with pytest.raises(DeployError, match="nothing answers at its address"):
        list(invoke(client, LOCAL_ARN, "hi", SESSION))
    client.close()


def test_a_deployed_agent_is_asked_with_a_signature() -> None:
    from botocore import UNSIGNED

    client = data_client(session())
    assert client.meta.config.signature_version != UNSIGNED
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert client.meta.config.read_timeout == 900
    assert "us-west-2" in client.meta.endpoint_url
    client.close()
    assert RUNTIME_ARN.count(":") == LOCAL_ARN.count(":")


def test_sessions() -> None:
    assert check_session_id(new_session_id())
    assert new_session_id() != new_session_id()
    with pytest.raises(DeployError, match="33 to 256 characters, got 5"):
        check_session_id("short")


@pytest.mark.parametrize(
    ("lines", "data"),
    [
        ([b"data: 1", b"", b"data: 2"], [1, 2]),
        ([b"event: x", b'data: {"a":', b"data: 1}", b""], [{"a": 1}]),
        ([b": comment", b"", b"data:text", b""], ["text"]),
        ([], []),
    ],
)
def test_events_of_a_stream(lines: list[bytes], data: list[Any]) -> None:
    assert list(events(iter(lines))) == data
