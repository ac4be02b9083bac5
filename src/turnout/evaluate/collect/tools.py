"""Tools in Converse's form, whichever of the three usual ones they come in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from turnout.evaluate.collect.errors import RequestFailedError


def converse_tools(tools: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The tools as ``{"toolSpec": {...}}``, with cache points as they stand.

    Args:
        tools: Each in the form of Converse, of OpenAI (``function`` with ``parameters``, or these at the top) or of
            Anthropic (``input_schema``).

    Raises:
        RequestFailedError: One is in none of these forms.
    """
    return [_tool(tool, number) for number, tool in enumerate(tools)]


def _tool(tool: Mapping[str, Any], number: int) -> dict[str, Any]:
    if "toolSpec" in tool or "cachePoint" in tool:
        return dict(tool)
    inner = tool.get("function")
    held: Mapping[str, Any] = inner if isinstance(inner, Mapping) else tool
    name = held.get("name")
    schema: Any = next((held[key] for key in ("parameters", "input_schema", "inputSchema") if key in held), {})
    if not isinstance(name, str) or not isinstance(schema, Mapping):
        raise RequestFailedError(f"tool {number} is in no form that is known here", again=False)
    spec: dict[str, Any] = {"name": name, "inputSchema": schema if "json" in schema else {"json": dict(schema)}}
    if held.get("description"):
        spec["description"] = str(held["description"])
    return {"toolSpec": spec}
