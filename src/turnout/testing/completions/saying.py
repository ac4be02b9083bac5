"""What simulated models say, and how many tokens they report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model calls, and with what."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answer.

    Attributes:
        text: Its text.
        tools: The tools that it calls.
    """

    text: str = ""
    tools: tuple[ToolCall, ...] = ()

    def pieces(self) -> list[str]:
        """The text in the pieces in which it is streamed: words."""
        words = self.text.split(" ")
        return [word if index == 0 else f" {word}" for index, word in enumerate(words)] if self.text else []


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """The tokens of a usage report; they do not overlap."""

    fresh: int
    output: int
    read: int = 0
    write_5m: int = 0
    write_1h: int = 0


Responder = Callable[[Mapping[str, Any]], Said]
"""From the request's JSON to the answer."""

Counter = Callable[[Mapping[str, Any], Said], Tokens]
"""From the request's JSON and the answer to the tokens that are reported."""


def respond(request: Mapping[str, Any]) -> Said:
    """Call every tool that is offered once, in one answer; then, and without tools, say a sentence."""
    tools = request.get("tools") or []
    asked = request.get("messages") or request.get("input") or [{}]
    newest = json.dumps(asked if isinstance(asked, str) else asked[-1])
    if tools and not any(mark in newest for mark in ('"tool"', "tool_result", "call_output")):
        named = [(tool.get("function") or tool).get("name") for tool in tools]
        names = [str(name) for name in named if name is not None]
        return Said(tools=tuple(ToolCall(name, {"place": f"Berlin {index}"}) for index, name in enumerate(names)))
    seen = "I see an image. " if "image" in newest else ""
    return Said(text=f"{seen}The simulated model heard you and answers in a few words.")


def count(request: Mapping[str, Any], said: Said) -> Tokens:
    """A token for every four characters; where the request marks a prefix, half of the prompt is read from a cache."""
    prompt = 1 + len(json.dumps(request)) // 4
    output = 1 + (len(said.text) + sum(len(json.dumps(dict(tool.arguments))) for tool in said.tools)) // 4
    read = prompt // 2 if "cache_control" in json.dumps(request) else 0
    return Tokens(fresh=prompt - read, read=read, output=output)
