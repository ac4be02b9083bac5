"""What a Claude body sets that only some models take, and the body without it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from turnout.messages.wire.claude_parameters import claude_parameters, without

ADAPTIVE, CLEARS = {"type": "adaptive"}, {"type": "clear_thinking_20251015", "keep": "all"}


@pytest.mark.parametrize(
    ("thinking", "effort", "names"),
    [
        (None, None, ()),
        (ADAPTIVE, "high", ("thinking.adaptive", "effort")),
        ({"type": "enabled", "budget_tokens": 1}, None, ("thinking.enabled",)),
        ({"type": "disabled"}, "max", ("thinking.disabled", "thinking.disabled_above_high", "effort", "effort.max")),
        ({"type": "between_tools"}, "xhigh", ("thinking.between_tools", "effort", "effort.xhigh")),
        ({"type": ["x"]}, "endless", ("thinking.unknown", "effort", "effort.unknown")),
        ({}, None, ("thinking.unknown",)),
    ],
)
def test_names(thinking: dict[str, Any] | None, effort: str | None, names: tuple[str, ...]) -> None:
    assert claude_parameters(thinking, effort, manages_context=False) == names
    assert claude_parameters(thinking, effort, manages_context=True) == (*names, "context_management")


def left(members: dict[str, Any], *dropped: str) -> dict[str, Any]:
    raws = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in members.items()}
    changed = without(raws, dropped)
    kept = {name: json.loads(value) for name, value in changed.items() if value is not None}
    return {name: value for name, value in members.items() if name not in changed} | kept


def test_a_body_without_them() -> None:
    config = {"effort": "low", "format": {"type": "json_schema", "schema": {}}}
    body = {"thinking": ADAPTIVE, "output_config": config, "context_management": {"edits": []}, "x": 1}
    assert left(body) == body
    assert left(body, "temperature") == body
    assert left(body, "effort") == body | {"output_config": {"format": config["format"]}}
    assert left({"output_config": {"effort": "max"}}, "effort.max") == {}
    assert left(body, "thinking.adaptive", "context_management", "effort") == {
        "output_config": {"format": config["format"]},
        "x": 1,
    }


def test_what_clears_thinking_goes_with_it() -> None:
    clears = {"type": "clear_tool_uses_20250919"}
    body = {"thinking": ADAPTIVE, "context_management": {"edits": [CLEARS]}}
    assert left(body, "thinking.adaptive") == {}
    both = {"thinking": ADAPTIVE, "context_management": {"edits": [CLEARS, clears]}}
    assert left(both, "thinking.adaptive") == {"context_management": {"edits": [clears]}}
    more = {"thinking": ADAPTIVE, "context_management": {"edits": [CLEARS], "other": 1}}
    assert left(more, "thinking.adaptive") == {"context_management": {"edits": [], "other": 1}}
    odd: Any
    for odd in ({"edits": [clears]}, {"edits": 5}, [], 5):
        assert left({"thinking": ADAPTIVE, "context_management": odd}, "thinking.adaptive") == {
            "context_management": odd
        }
