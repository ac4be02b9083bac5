"""What is looked at of a request: the query, the tools that are offered, a category if one is given, and the turns.

Tools come in three shapes: Converse's ``toolSpec``, the Chat Completions API's ``function``, and plain objects with
``name``, ``description`` and a JSON schema under ``parameters``, ``input_schema`` or ``inputSchema``. They are read
into one, so that a tool offered at any door is the same tool.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from turnout.messages.conversation import Conversation


class Parameter(NamedTuple):
    """A parameter of a tool: its name, description, type, allowed values, and whether a call needs it."""

    name: str
    description: str
    type: str
    values: tuple[str, ...]
    required: bool


class Tool(NamedTuple):
    """A tool as a model is told of it; hashable, so that what is computed of it is kept."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]


class Row(NamedTuple):
    """A request as features see it.

    Attributes:
        text: The newest user turn.
        tools: The tools that are offered.
        category: A category that is known before the request is answered; empty: none.
        turns: How many turns of the user there are, this one included.
    """

    text: str
    tools: tuple[Tool, ...] = ()
    category: str = ""
    turns: int = 1


def row_of(conversation: Conversation, category: str = "") -> Row:
    """A conversation as features see it."""
    turns = [text for role, text in conversation.turns() if role == "user"]
    return Row(turns[-1] if turns else "", tools_of(conversation.tools), category, max(len(turns), 1))


def tools_of(tools: Iterable[Mapping[str, Any]]) -> tuple[Tool, ...]:
    """The tools among these blocks, of any of the three shapes; others, such as cache points, are left out."""
    return tuple(found for block in tools if (found := _tool(block)) is not None)


def _tool(block: Mapping[str, Any]) -> Tool | None:
    spec: Any = block.get("toolSpec") or block.get("function") or block
    if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str):
        return None
    schema: Any = spec.get("parameters") or spec.get("inputSchema") or spec.get("input_schema")
    if isinstance(schema, Mapping) and isinstance(schema.get("json"), Mapping):
        schema = schema["json"]
    properties: Any = schema.get("properties") if isinstance(schema, Mapping) else None
    required: Any = schema.get("required") if isinstance(schema, Mapping) else None
    needed = {str(name) for name in required} if isinstance(required, (list, tuple)) else set()
    parameters = (
        tuple(_parameter(str(name), one, str(name) in needed) for name, one in properties.items())
        if isinstance(properties, Mapping)
        else ()
    )
    return Tool(spec["name"], _text(spec.get("description")), parameters)


def _parameter(name: str, schema: Any, required: bool) -> Parameter:
    if not isinstance(schema, Mapping):
        return Parameter(name, "", "", (), required)
    values: Any = schema.get("enum")
    kind: Any = schema.get("type")
    return Parameter(
        name,
        _text(schema.get("description")),
        str(kind[0] if isinstance(kind, list) and kind else kind or "").lower(),
        tuple(str(value) for value in values) if isinstance(values, (list, tuple)) else (),
        required,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
