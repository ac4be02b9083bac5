"""Which path is which door."""

from __future__ import annotations

import pytest

from turnout.doors.gateway.routes import Route, match, paths
from turnout.messages.wire.asked import WireProtocol


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
        ("POST", b"/model/x/invoke", Route("unknown", WireProtocol.CONVERSE)),
        ("POST", b"/v1/messages/batches", Route("unknown", WireProtocol.ANTHROPIC)),
        ("GET", b"/", Route("unknown")),
    ],
)
def test_match(method: str, path: bytes, route: Route) -> None:
    assert match(method, path) == route


def test_every_fixed_path_is_told() -> None:
    assert {"/v1/chat/completions", "/v1/messages", "/model/{modelId}/converse", "/healthz"} < set(paths())
