from __future__ import annotations

from typing import Any

import pytest

from turnout.classify.learned.rows import Parameter, Row, row_of, tools_of
from turnout.messages.conversation import Conversation

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "Where."},
        "unit": {"type": ["string", "null"], "enum": ["km", "mi"]},
    },
    "required": ["city"],
}
PARAMETERS = (Parameter("city", "Where.", "string", (), True), Parameter("unit", "", "string", ("km", "mi"), False))


@pytest.mark.parametrize(
    "block",
    [
        {"toolSpec": {"name": "far", "description": "How far.", "inputSchema": {"json": SCHEMA}}},
        {"type": "function", "function": {"name": "far", "description": "How far.", "parameters": SCHEMA}},
        {"name": "far", "description": "How far.", "input_schema": SCHEMA},
        {"name": "far", "description": "How far.", "parameters": SCHEMA},
    ],
)
def test_a_tool_is_the_same_in_every_shape(block: dict[str, Any]) -> None:
    (tool,) = tools_of([block])
    assert (tool.name, tool.description, tool.parameters) == ("far", "How far.", PARAMETERS)


def test_what_is_no_tool_is_left_out() -> None:
    assert tools_of([{"cachePoint": {"type": "default"}}, {"name": 3}, {"toolSpec": "far"}]) == ()


def test_odd_schemas_are_read_as_far_as_they_go() -> None:
    found = tools_of([{"name": "a", "parameters": {"properties": {"x": True}, "required": "x"}}, {"name": "b"}])
    assert found[0].parameters == (Parameter("x", "", "", (), False),)
    assert found[1].parameters == ()


def test_a_conversation_is_its_newest_user_turn() -> None:
    said = [("user", "first"), ("assistant", "yes"), ("user", "second")]
    conversation = Conversation(messages=[{"role": role, "content": [{"text": text}]} for role, text in said])
    assert row_of(conversation, "talk") == Row("second", (), "talk", 2)
    assert row_of(Conversation(messages=[])) == Row("")
