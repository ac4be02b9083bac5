from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.doors.agentcore.support import ONE, SESSION, routed_model, serving, wait_until
from tests.doors.strands.support import Events
from turnout.doors.agentcore import Limits
from turnout.testing.bedrock import BedrockDouble, stall

LIMITS = Limits(max_prompt_chars=200)


@pytest.fixture
def url(double: BedrockDouble, events: Events) -> Iterator[str]:
    with routed_model(double, events) as model, serving(model, limits=LIMITS) as address:
        yield address


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"", "invalid_json", "not JSON"),
        (b"{", "invalid_json", "not JSON"),
        (b"\x00\xff", "invalid_json", "not JSON"),
        (b"[" * 50_000, "invalid_json", "not JSON"),
        (b"{}", "invalid_payload", 'no "prompt"'),
        (b"null", "invalid_payload", "must be an object"),
        (b'{"prompt": 7}', "invalid_payload", "must be text, got int"),
        (b'{"prompt": " "}', "invalid_payload", "empty"),
        (b'{"prompt": "\\ud800"}', "invalid_payload", "not text"),
        (b'{"prompt": "x", "stream": "yes"}', "invalid_payload", "true or false"),
        (json.dumps({"prompt": "x" * 201}).encode(), "too_large", "at most 200"),
        (json.dumps({"prompt": "x" * 3_000_000}).encode(), "too_large", "longer than 67,936 bytes"),
    ],
)
def test_bad_input_is_400_in_the_services_form_and_asks_no_model(
    url: str, double: BedrockDouble, body: bytes, code: str, message: str
) -> None:
    reply = httpx.post(f"{url}/invocations", content=body, timeout=30)
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, code)
    assert message in reply.json()["error"]["message"]
    assert len(double.calls) == 0


def test_a_session_that_cannot_be_one_is_400(url: str) -> None:
    reply = httpx.post(f"{url}/invocations", json={"prompt": "hello"}, headers={SESSION: "x" * 257})
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_session")


def test_what_the_service_does_not_have_is_not_there(url: str) -> None:
    assert httpx.get(f"{url}/invocations").status_code == 405
    assert httpx.post(f"{url}/other", json={"prompt": "hello"}).status_code == 404
    assert httpx.post(f"{url}/runtimes//invocations", json={"prompt": "hello"}).status_code == 404


def test_the_path_of_the_data_plane_is_the_services(url: str) -> None:
    arn = "arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A123456789012%3Aruntime%2Fshop-1"
    reply = httpx.post(f"{url}/runtimes/{arn}/invocations", json={"prompt": "hello"}, timeout=30)
    assert reply.status_code == 200


def head(length: int) -> bytes:
    return (
        f"POST /invocations HTTP/1.1\r\nHost: shop\r\n{SESSION}: {ONE}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def connect(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)))


def test_a_caller_who_leaves_before_the_end_of_the_body_asks_nothing(url: str, double: BedrockDouble) -> None:
    with connect(url) as caller:
        caller.sendall(head(1000) + b'{"prompt":')
    assert httpx.get(f"{url}/ping").json()["status"] == "Healthy"
    assert len(double.calls) == 0


def test_a_caller_who_leaves_before_a_json_answer_ends_the_call(
    url: str, double: BedrockDouble, events: Events
) -> None:
    double.faults.add(stall(0.5))
    with connect(url) as caller:
        caller.sendall(head(19) + b'{"prompt": "hello"}')
        wait_until(lambda: events.decisions)
        assert httpx.get(f"{url}/ping").json()["status"] == "HealthyBusy"
    wait_until(lambda: events.calls)
    assert [call.status for call in events.calls] == ["cancelled"]
    wait_until(lambda: httpx.get(f"{url}/ping").json()["status"] == "Healthy")
