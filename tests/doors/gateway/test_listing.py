"""The list of models, in two shapes."""

from __future__ import annotations

from turnout.doors.gateway.listing import listed
from turnout.messages.wire.asked import WireProtocol


def test_shapes() -> None:
    names = ["turnout", "openai/gpt-5"]
    openai = listed(names, WireProtocol.OPENAI_CHAT)
    assert openai["object"] == "list"
    assert [(one["id"], one["owned_by"]) for one in openai["data"]] == [
        ("turnout", "turnout"),
        ("openai/gpt-5", "openai"),
    ]
    anthropic = listed(names, WireProtocol.ANTHROPIC)
    assert (anthropic["first_id"], anthropic["last_id"], anthropic["has_more"]) == ("turnout", "openai/gpt-5", False)
    assert [one["type"] for one in anthropic["data"]] == ["model", "model"]
