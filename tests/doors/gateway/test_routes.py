"""Which path is which door."""

from __future__ import annotations

import pytest

from turnout.doors.gateway.routes import Route, match, paths
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
