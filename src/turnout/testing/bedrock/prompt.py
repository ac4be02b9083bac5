"""A request laid out as the model reads it: blocks in the order tools, system, messages, and the cache points between.

What a cached prefix covers, from Anthropic's table of what invalidates a cache: a tool that changes invalidates
everything after it; ``toolChoice``, thinking, effort, the answer's format, and whether there are images anywhere
invalidate the messages only (for thinking and effort that is the least that real models do).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from turnout.testing.bedrock.models import SimulatedModel
from turnout.testing.bedrock.thinking import thinking_of, thinking_setting, thinks
from turnout.testing.bedrock.tokens import block_tokens, canonical

Ttl = Literal["5m", "1h"]
Section = Literal["tools", "system", "messages"]


@dataclass(frozen=True, slots=True)
class CachePoint:
    """A cache point: how many blocks stand before it, its TTL, and where it stands in the request."""

    blocks_before: int
    ttl: Ttl
    path: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """The blocks of a request without their text.

    Attributes:
        offsets: For each block, the tokens from the start to its end; ascending.
        digests: For each block, the hash of everything up to and including it.
        cache_points: In the order of the prompt.
    """

    offsets: tuple[int, ...]
    digests: tuple[bytes, ...]
    cache_points: tuple[CachePoint, ...]

    @property
    def tokens(self) -> int:
        """The whole prompt."""
        return self.offsets[-1] if self.offsets else 0


def lay_out(model: SimulatedModel, request: Mapping[str, Any]) -> Prompt:
    """The prompt of a Converse request as that model reads it.

    Thinking blocks of other models are left out: they are neither read nor counted.
    """
    offsets: list[int] = []
    digests: list[bytes] = []
    cache_points: list[CachePoint] = []
    running = hashlib.sha256()
    section: Section | None = None
    tokens = 0
    for place, owner, path, block in _blocks(request):
        if place != section:
            section = place
            if place == "messages":
                running.update(_settings_of_messages(model, request))
        if "cachePoint" in block:
            cache_points.append(CachePoint(len(offsets), block["cachePoint"].get("ttl", "5m"), path))
            continue
        counted = _tokens(model, block)
        if counted is None:
            continue
        # Only the owner is hashed, not the path: cache points move through a conversation without changing it.
        running.update(f"\n{owner}\n{canonical(block)}".encode())
        tokens += counted
        offsets.append(tokens)
        digests.append(running.digest())
    return Prompt(tuple(offsets), tuple(digests), tuple(cache_points))


def _blocks(request: Mapping[str, Any]) -> Iterator[tuple[Section, str, str, Mapping[str, Any]]]:
    """Each block with its section, the list that owns it, and its path."""
    for index, tool in enumerate((request.get("toolConfig") or {}).get("tools", ())):
        yield "tools", "tools", f"tools.{index}", tool
    for index, block in enumerate(request.get("system", ())):
        yield "system", "system", f"system.{index}", block
    for index, message in enumerate(request.get("messages", ())):
        for part, block in enumerate(message["content"]):
            yield "messages", f"messages.{index}", f"messages.{index}.content.{part}", block


def _tokens(model: SimulatedModel, block: Mapping[str, Any]) -> int | None:
    if "reasoningContent" not in block:
        return block_tokens(block, model.token_ratio)
    thinking = thinking_of(block)
    return thinking.tokens if thinking and thinking.model_id == model.id else None


def _settings_of_messages(model: SimulatedModel, request: Mapping[str, Any]) -> bytes:
    fields = request.get("additionalModelRequestFields") or {}
    settings = {
        "toolChoice": (request.get("toolConfig") or {}).get("toolChoice") or {"auto": {}},
        "thinking": [thinks(model, request), thinking_setting(request).get("budget_tokens")],
        "output": [fields.get("output_config"), request.get("outputConfig")],
        "images": any("image" in block for _, _, _, block in _blocks(request)),
    }
    return canonical(settings).encode()
