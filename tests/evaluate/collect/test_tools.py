from __future__ import annotations

from typing import Any

import pytest

from turnout.evaluate.collect.errors import RequestFailedError
from turnout.evaluate.collect.tools import converse_tools

SCHEMA = {"type": "object", "properties": {"of": {"type": "string"}}}
SPEC = {"toolSpec": {"name": "price", "description": "A price.", "inputSchema": {"json": SCHEMA}}}


@pytest.mark.parametrize(
    "tool",
    [
        SPEC,
        {"type": "function", "function": {"name": "price", "description": "A price.", "parameters": SCHEMA}},
        {"type": "function", "name": "price", "description": "A price.", "parameters": SCHEMA},
        {"name": "price", "description": "A price.", "input_schema": SCHEMA},
        {"name": "price", "description": "A price.", "inputSchema": {"json": SCHEMA}},
    ],
)
def test_every_form_becomes_one(tool: dict[str, Any]) -> None:
    assert converse_tools([tool]) == [SPEC]


def test_what_is_no_tool() -> None:
    assert converse_tools([{"cachePoint": {"type": "default"}}]) == [{"cachePoint": {"type": "default"}}]
    with pytest.raises(RequestFailedError, match="tool 0 is in no form"):
        converse_tools([{"title": "price"}])
