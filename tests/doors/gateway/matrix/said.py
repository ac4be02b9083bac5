"""What is asked in the cells of the matrix, and what came of it, whatever the client."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.doors.gateway.support import PIXEL

SYSTEM = "Be brief."
QUESTION = "How is the weather?"
PICTURE = "What is this?"
ANSWER = "The simulated model heard you and answers in a few words."
SEES = "I see an image."
TOOLS = ("weather", "time")
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
RESULT = "fine"
MAX_TOKENS = 60
NO_GOOD = "no good"
"""What the upstream says in the errors that are scripted."""

CALLED = [("weather", {"place": "Berlin 0"}), ("time", {"place": "Berlin 1"})]
"""Every tool once, in one answer."""


@dataclass(frozen=True, kw_only=True)
class Count:
    """Tokens of a usage report, in words that all protocols share.

    Attributes:
        prompt: The whole prompt, with what was read from a cache and written to it.
        read: What was read from a cache.
        output: The answer.
    """

    prompt: int
    read: int
    output: int


@dataclass(frozen=True, kw_only=True)
class Heard:
    """An answer, read off the client's own objects.

    Attributes:
        text: Its text.
        tools: The tools that it calls, with their parsed input.
        usage: Its usage; none where the client did not ask for it.
        model: The model that it names; none where its protocol names none.
        headers: Its headers; none where the client keeps them to itself.
        pieces: In how many pieces the text came; none where it came as a whole.
        cut: Whether it ended at the limit on its length.
    """

    text: str
    tools: list[tuple[str, Any]] = field(default_factory=list)
    usage: Count | None = None
    model: str | None = None
    headers: Mapping[str, str] | None = None
    pieces: int | None = None
    cut: bool = False


def shows_picture(request: Any) -> bool:
    """Whether a request, as an upstream got it, holds the picture."""
    return PIXEL in json.dumps(request)
