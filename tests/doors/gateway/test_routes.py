"""Which path is which door."""

from __future__ import annotations

import pytest

from tests.doors.gateway.support import Served
from turnout.doors.gateway.routes import Route, allowed, match, paths, unknown_path
from turnout.messages.wire.asked import WireProtocol

RESPONSES = WireProtocol.OPENAI_RESPONSES


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("POST", b"/v1/chat/completions", Route("answer", WireProtocol.OPENAI_CHAT)),
        ("POST", b"/v1/messages", Route("answer", WireProtocol.ANTHROPIC)),
        ("POST", b"/v1/messages/count_tokens", Route("count", WireProtocol.ANTHROPIC)),
        ("POST", b"/model/turnout%2Feconomy/converse", Route("answer", WireProtocol.CONVERSE, "turnout/economy")),
        ("POST", b"/model/a%3A0/converse-stream", Route("answer", WireProtocol.CONVERSE, "a:0", True)),
        ("POST", b"/model/turnout/quality/converse", Route("answer", WireProtocol.CONVERSE, "turnout/quality")),
        ("HEAD", b"/healthz", Route("health")),
        ("HEAD", b"/v1/models", Route("models")),
        ("HEAD", b"/v1/models/turnout", Route("model", model="turnout")),
        ("HEAD", b"/v1/messages", Route("method", WireProtocol.ANTHROPIC)),
        ("HEAD", b"/v1/responses/resp_1", Route("method", RESPONSES, "resp_1")),
        ("GET", b"/v1/models/turnout/quality", Route("model", model="turnout/quality")),
        ("GET", b"/v1/messages", Route("method", WireProtocol.ANTHROPIC)),
        ("GET", b"/model/x/converse", Route("method", WireProtocol.CONVERSE)),
        ("POST", b"/v1/models/x", Route("method")),
        ("POST", b"/model/x/invoke", Route("answer", WireProtocol.INVOKE, "x")),
        ("POST", b"/model/x/invoke-with-response-stream", Route("answer", WireProtocol.INVOKE, "x", True)),
        ("POST", b"/model/turnout%2Fbalanced/count-tokens", Route("count", WireProtocol.CONVERSE, "turnout/balanced")),
        (
            "POST",
            b"/model/arn%3Aaws%3Abedrock%3Aeu-west-1%3A1%3Ainference-profile%2Fglobal.x-v1%3A0/invoke",
            Route("answer", WireProtocol.INVOKE, "arn:aws:bedrock:eu-west-1:1:inference-profile/global.x-v1:0"),
        ),
        ("GET", b"/model/x/invoke", Route("method", WireProtocol.INVOKE)),
        ("POST", b"/model/x/apply-guardrail", Route("unknown", WireProtocol.CONVERSE)),
        ("POST", b"/v1/responses", Route("answer", RESPONSES)),
        ("GET", b"/v1/responses", Route("method", RESPONSES)),
        ("POST", b"/v1/responses/input_tokens", Route("count", RESPONSES)),
        ("GET", b"/v1/responses/resp_1", Route("stored", RESPONSES, "resp_1")),
        ("DELETE", b"/v1/responses/resp_1", Route("stored", RESPONSES, "resp_1")),
        ("POST", b"/v1/responses/resp_1/cancel", Route("stored", RESPONSES, "resp_1", rest="/cancel")),
        ("GET", b"/v1/responses/resp_1/input_items", Route("stored", RESPONSES, "resp_1", rest="/input_items")),
        ("GET", b"/v1/responses/resp_1/cancel", Route("method", RESPONSES, "resp_1", rest="/cancel")),
        ("POST", b"/v1/responses/compact", Route("method", RESPONSES, "compact")),
        ("GET", b"/v1/responses/..%2F..%2Fkeys", Route("unknown")),
        ("GET", b"/v1/responses/../files", Route("unknown")),
        ("POST", b"/v1/messages/batches", Route("unknown", WireProtocol.ANTHROPIC)),
        ("GET", b"/", Route("unknown")),
    ],
)
def test_match(method: str, path: bytes, route: Route) -> None:
    assert match(method, path) == route


def test_every_fixed_path_is_told() -> None:
    known = {"/v1/chat/completions", "/v1/messages", "/v1/responses/{id}", "/model/{modelId}/invoke", "/healthz"}
    assert known < set(paths())


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (b"/v1/messages", ("POST",)),
        (b"/readyz", ("GET", "HEAD")),
        (b"/v1/models/x", ("GET", "HEAD")),
        (b"/v1/responses/resp_1", ("GET", "DELETE")),
        (b"/v1/responses/resp_1/cancel", ("POST",)),
        (b"/model/x/converse", ("POST",)),
        (b"/nothing", ()),
    ],
)
def test_what_a_path_takes(path: bytes, methods: tuple[str, ...]) -> None:
    assert allowed(path) == methods
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        assert (match(method, path).kind in ("method", "unknown")) == (method not in methods)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/chat/completion", "/v1/chat/completions"),
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/response", "/v1/responses"),
        ("/v1/messages/count_token", "/v1/messages/count_tokens"),
        ("/health", "/healthz"),
    ],
)
def test_a_path_that_is_like_another_one(path: str, meant: str) -> None:
    assert unknown_path(path) == f"unknown path {path!r}; did you mean {meant!r}?"


@pytest.mark.parametrize("path", ["/", "/favicon.ico", "/v1/embeddings", "/admin/keys", "/v1/audio/speech"])
def test_a_path_that_is_like_none(path: str) -> None:
    assert unknown_path(path) == f"unknown path {path!r}; there are {', '.join(paths())}"


def test_wrong_methods_and_head_at_the_socket(gateway: Served) -> None:
    with gateway.http() as client:
        answer = client.put("/v1/models")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
        answer = client.get("/v1/responses")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert client.get("/model/x/converse").headers["allow"] == "POST"
        for path in ("/healthz", "/readyz", "/v1/models", "/v1/models/turnout", "/openapi.json"):
            whole, head = client.get(path), client.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == str(len(whole.content))
            assert head.headers["content-type"] == whole.headers["content-type"]
