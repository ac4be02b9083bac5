"""Simulated prompt caches with explicit cache points.

The rules, from Anthropic's prompt caching page and Bedrock's API reference (read in November 2026):

- A cache point writes one entry: the prefix that ends there, if it has at least the model's floor of tokens.
- A read looks from each cache point back, block by block, at most 20 blocks with the cache point's own as the first,
  for a prefix that an earlier call wrote. The longest one that is found anywhere is read; a read renews it.
- Tokens up to the longest read are read; from there to the last cache point at or above the floor they are written, for
  an hour up to the last 1 h cache point and for five minutes after it; the rest is fresh input.
- An entry lives 5 minutes or 1 hour from the start of the call that wrote or read it, and can be read only after that
  call's first byte.
- Caches of different models and inference profiles are apart.

Where the sources are silent: a read also renews the entries of the shorter prefixes that it covers, each for its own
TTL, and a cache point inside a prefix that was read leaves no entry of its own, since nothing was written there.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from turnout.testing.bedrock.models import FoundModel
from turnout.testing.bedrock.prompt import Prompt, Ttl

TTL_SECONDS: dict[Ttl, int] = {"5m": 300, "1h": 3600}
_SWEEP_ABOVE = 4096


@dataclass(frozen=True, slots=True)
class CacheUse:
    """How one call's prompt was divided, in the model's tokens; the parts add up to the whole prompt."""

    fresh: int
    read: int
    write_5m: int = 0
    write_1h: int = 0

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt."""
        return self.fresh + self.read + self.write_5m + self.write_1h

    def as_usage(self, output_tokens: int) -> dict[str, Any]:
        """Bedrock's ``usage``: ``inputTokens`` stands beside the cached tokens, ``totalTokens`` holds all of them."""
        usage: dict[str, Any] = {
            "inputTokens": self.fresh,
            "outputTokens": output_tokens,
            "totalTokens": self.prompt_tokens + output_tokens,
            "cacheReadInputTokens": self.read,
            "cacheWriteInputTokens": self.write_5m + self.write_1h,
        }
        details = [
            {"ttl": ttl, "inputTokens": tokens}
            for ttl, tokens in (("1h", self.write_1h), ("5m", self.write_5m))
            if tokens
        ]
        return {**usage, "cacheDetails": details} if details else usage


@dataclass(slots=True)
class _Entry:
    ttl: Ttl
    expires: float


class PromptCaches:
    """The prompt caches of one region, by model and profile. Safe for several threads."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, bytes], _Entry] = {}
        self._lock = threading.Lock()

    def look_up(self, found: FoundModel, prompt: Prompt, now: float) -> CacheUse:
        """How a call that starts at ``now`` (seconds) would divide its prompt. Changes nothing."""
        with self._lock:
            read = self._read_blocks(found, prompt, now)
        read_tokens = prompt.offsets[read - 1] if read else 0
        end_1h = end = read_tokens
        for point in prompt.cache_points:
            offset = _tokens_before(prompt, point.blocks_before)
            if offset >= found.model.floor_tokens:
                end = max(end, offset)
                if point.ttl == "1h":
                    end_1h = max(end_1h, offset)
        return CacheUse(
            fresh=prompt.tokens - end,
            read=read_tokens,
            write_5m=end - max(end_1h, read_tokens),
            write_1h=end_1h - read_tokens,
        )

    def commit(self, found: FoundModel, prompt: Prompt, now: float) -> None:
        """Keep what a call that started at ``now`` (seconds) wrote, and renew what it read."""
        with self._lock:
            read = self._read_blocks(found, prompt, now)
            for digest in prompt.digests[:read]:
                entry = self._warm(found, digest, now)
                if entry is not None:
                    entry.expires = max(entry.expires, now + TTL_SECONDS[entry.ttl])
            for point in prompt.cache_points:
                written = point.blocks_before > read
                if written and _tokens_before(prompt, point.blocks_before) >= found.model.floor_tokens:
                    digest = prompt.digests[point.blocks_before - 1]
                    self._entries[found.key, digest] = _Entry(point.ttl, now + TTL_SECONDS[point.ttl])
            if len(self._entries) > _SWEEP_ABOVE:
                self._entries = {key: entry for key, entry in self._entries.items() if entry.expires > now}

    def __len__(self) -> int:
        """How many prefixes are kept; some may have expired."""
        with self._lock:
            return len(self._entries)

    def clear(self) -> None:
        """Make every cache cold."""
        with self._lock:
            self._entries.clear()

    def _read_blocks(self, found: FoundModel, prompt: Prompt, now: float) -> int:
        """The blocks of the longest warm prefix that some cache point can see."""
        longest = 0
        for point in prompt.cache_points:
            for blocks in range(point.blocks_before, max(0, point.blocks_before - found.model.lookback_blocks), -1):
                if self._warm(found, prompt.digests[blocks - 1], now) is not None:
                    longest = max(longest, blocks)
                    break
        return longest

    def _warm(self, found: FoundModel, digest: bytes, now: float) -> _Entry | None:
        entry = self._entries.get((found.key, digest))
        return entry if entry is not None and entry.expires > now else None


def _tokens_before(prompt: Prompt, blocks: int) -> int:
    return prompt.offsets[blocks - 1] if blocks else 0
