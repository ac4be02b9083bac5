"""Requests that are not relayed: refused in the client's own shape, or answered by the gateway itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.doors.gateway.support import BEDROCK, OPENAI, Served, Upstreams, served, settings_text

DOORS = [
    ("/v1/chat/completions", {}),
    ("/v1/messages", {"anthropic-version": "2023-06-01"}),
    ("/model/turnout/converse", {}),
]


def code_and_message(path: str, answer: Any) -> tuple[str, str]:
    body = answer.json()
    if path.startswith("/model"):
        return answer.headers["x-amzn-errortype"], body["message"]
    error = body["error"]
    return error["type"], error["message"]


@pytest.mark.parametrize(("path", "headers"), DOORS)
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "is no JSON"),
        (b"[]", "is not a JSON object"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"", "is no JSON"),
        (b'{"messages":[],"messages":[],"model":"turnout"}', "more than once"),
        (b'{"model":"turnout","max_tokens":1,"messages":' + b"[" * 300 + b"]" * 300 + b"}", "nested deeper than"),
        (b'{"model":"turnout","max_tokens":1,"messages":' + b"[" * 9000 + b"]" * 9000 + b"}", "nested"),
        (b'{"model":"turnout","max_tokens":1,"messages":{"a":1}}', "messages"),
    ],
)
def test_a_body_that_cannot_be_read_is_a_400_in_the_doors_shape(
    gateway: Served, path: str, headers: dict[str, str], body: bytes, said: str
) -> None:
    with gateway.http() as client:
        answer = client.post(path, content=body, headers=headers)
    kind, message = code_and_message(path, answer)
    assert answer.status_code == 400
    assert kind in ("invalid_request_error", "ValidationException")
    assert said in message
    assert gateway.events.events == []


@pytest.mark.parametrize(("path", "headers"), DOORS)
def test_an_unknown_model_is_a_404_in_the_doors_shape(gateway: Served, path: str, headers: dict[str, str]) -> None:
    body = {"model": "turnot", "max_tokens": 1, "messages": []}
    with gateway.http() as client:
        answer = client.post(path.replace("turnout", "turnot"), json=body, headers=headers)
    kind, message = code_and_message(path, answer)
    assert answer.status_code == 404
    assert kind in ("not_found_error", "ResourceNotFoundException")
    assert "'turnout'" in message


def test_a_body_that_is_too_large_is_a_413(doubles: Upstreams, tmp_path: Path) -> None:
    text = settings_text(doubles, OPENAI[0], extra="[gateway]\nmax_body_bytes = 2000\n")
    with served(tmp_path, text) as gateway, gateway.http() as client:
        for path, headers in DOORS:
            for size in (2_001, 100_000):
                answer = client.post(path, content=b"x" * size, headers=headers)
                assert answer.status_code in (413, 400), path
                assert "longer than 2,000 bytes" in code_and_message(path, answer)[1]
        answer = client.post(DOORS[0][0], content=b'{"a":"' + b"x" * 1_990 + b'"}')
        assert answer.status_code == 400  # of the size that is allowed


def test_more_requests_than_allowed_are_a_429(doubles: Upstreams, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from turnout.testing.completions import Fault

    text = settings_text(doubles, OPENAI[0], extra="[gateway]\nmax_requests = 1\n")
    body = {"model": "turnout", "messages": [{"role": "user", "content": "hi"}]}
    with served(tmp_path, text) as gateway, gateway.http() as client, ThreadPoolExecutor() as pool:
        doubles.clear()
        doubles.openai.faults.add(Fault(delay_s=1))
        first = pool.submit(client.post, "/v1/chat/completions", json=body)
        while not doubles.openai.calls:
            pass
        answer = client.post("/v1/chat/completions", json=body)
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["error"]["code"] == "too_many_requests"
        assert first.result().status_code == 200


def test_paths_and_methods(gateway: Served) -> None:
    with gateway.http() as client:
        answer = client.post("/v1/chat/completion")
        assert answer.status_code == 404
        assert "'/v1/chat/completions'" in answer.json()["error"]["message"]
        assert client.get("/v1/chat/completions").status_code == 405
        assert client.get("/v1/messages").json()["type"] == "error"
        assert client.post("/model/x/nothing").headers["x-amzn-errortype"] == "ResourceNotFoundException"
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json() == {"status": "ready", "busy": 0}


def test_not_ready_while_it_stops(gateway: Served) -> None:
    gateway.gateway.stopping = True
    try:
        with gateway.http() as client:
            assert client.get("/readyz").status_code == 503
            assert client.get("/healthz").status_code == 200
    finally:
        gateway.gateway.stopping = False


def test_unknown_wishes_are_told(gateway: Served) -> None:
    body = {"model": "turnout", "messages": []}
    with gateway.http() as client:
        answer = client.post("/v1/chat/completions", json=body, headers={"x-turnout-pinn": "gpt-5"})
        assert answer.status_code == 400
        assert "'x-turnout-pin'" in answer.json()["error"]["message"]
        answer = client.post("/v1/chat/completions", json={**body, "metadata": {"turnout_tag": "a"}})
        assert "'turnout_tags'" in answer.json()["error"]["message"]


def test_pages_of_the_web_may_not_use_it(gateway: Served) -> None:
    with gateway.http() as client:
        for headers in ({"origin": "https://evil.example"}, {"host": "evil.example"}, {"origin": "null"}):
            answer = client.get("/v1/models", headers=headers)
            assert answer.status_code == 403, headers
        for headers in ({"origin": "http://localhost:3000"}, {"host": "127.0.0.1:1"}, {"host": "[::1]:4141"}):
            assert client.get("/v1/models", headers=headers).status_code == 200, headers


class TestTheDecisionWithoutTheCall:
    def test_it_is_explained_and_leaves_no_trace(self, gateway: Served, doubles: Upstreams) -> None:
        body = {"model": "turnout", "messages": [{"role": "user", "content": "hi"}]}
        with gateway.http() as client:
            answer = client.post("/v1/route", json=body).json()
            again = client.post("/v1/route", json=body).json()
        assert answer == again
        assert answer["model"] == OPENAI[1]
        assert answer["reason"] == "no_verdict"
        by_model = {one["model"]: one for one in answer["candidates"]}
        assert by_model[BEDROCK[0]]["ineligible"] == ["history:untranslatable:protocol"]
        assert float(by_model[OPENAI[0]]["expected_cost_usd"]) < float(by_model[OPENAI[1]]["expected_cost_usd"])
        assert gateway.events.events == []
        assert not doubles.openai.calls

    def test_for_the_other_doors(self, gateway: Served) -> None:
        converse = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
        messages = {"model": "turnout", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        with gateway.http() as client:
            assert client.post("/v1/route?protocol=converse", json=converse).json()["model"] == BEDROCK[1]
            answer = client.post("/v1/route?protocol=anthropic", json=messages).json()
            assert answer["model"].startswith("anthropic/")
            assert client.post("/v1/route?protocol=antropic", json=messages).status_code == 400


def test_verdicts_of_the_keyword_classifier_choose(doubles: Upstreams, tmp_path: Path) -> None:
    from turnout.classify.keyword import KeywordClassifier

    with (
        served(tmp_path, settings_text(doubles, *OPENAI), classifier=KeywordClassifier()) as gateway,
        gateway.http() as client,
    ):
        found = {}
        for query in (
            "What are your opening hours?",
            "Analyze and compare these two contracts step by step, and argue.",
        ):
            body = {"model": "turnout", "messages": [{"role": "user", "content": query}]}
            answer = client.post("/v1/chat/completions", json=body)
            found[query] = answer.headers["x-turnout-model"]
            explained = client.post("/v1/route", json=body).json()
            assert explained["verdict"]["classifier"] == "keyword"
            assert explained["verdict"]["basis"] == "label"
            assert explained["model"] == found[query]
    assert list(found.values()) == list(OPENAI)


def test_tags_and_adapted_parameters(doubles: Upstreams, tmp_path: Path) -> None:
    listed = settings_text(
        doubles, *OPENAI, extra='[pins.tags]\nnightly = "openai/gpt-5-mini"\n[policy]\nadapt = true\n'
    )
    text = listed.replace("[policy]\nadapt = true\n", "")
    text = "[policy]\nadapt = true\n" + text
    body = b'{"temperature":0.2,"model":"turnout", "max_tokens" : 999999,"messages":[{"role":"user","content":"hi"}]}'
    doubles.clear()
    with served(tmp_path, text) as gateway, gateway.http() as client:
        answer = client.post("/v1/chat/completions", content=body, headers={"x-turnout-tags": "other, nightly"})
        assert answer.status_code == 200
        assert answer.headers["x-turnout-model"] == "openai/gpt-5-mini"
    sent = doubles.openai.calls[0].body
    assert sent == b'{"model":"gpt-5-mini", "max_tokens" : 128000,"messages":[{"role":"user","content":"hi"}]}'
    assert json.loads(sent)["max_tokens"] == 128_000
