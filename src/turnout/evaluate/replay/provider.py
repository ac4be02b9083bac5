"""A simulated provider's prompt cache: what a call really reads and writes, whatever was believed of it.

Written apart from `turnout.core.cache`, which it is there to check: it takes only the rules' figures from there.

- ``entries``: as Bedrock and Anthropic do it. An entry is made where a cache point stands; a call reads the longest
  entry that ends at one of the ``lookback_blocks`` blocks up to a cache point.
- ``blocks``: every block of what was written can be read again, up to the call's last cache point. It is what a trace
  of blocks can tell, and kinder than ``entries``.

Implicit caches need no cache point, hold every block and read in whole steps above the floor; their writes are plain
input.

Two conventions. ``strict``: a prefix must reach the floor to be written or read, which is the rule that providers
state, and is warm until just before its TTL ends. ``reference``: a prompt that reaches the floor may use any prefix,
and the TTL's last millisecond counts; simple reckonings on public traces are made so.

Known limitations: an entry can be read from the moment of the write; nothing is evicted before its time unless
``lost`` says so.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal, NamedTuple

from turnout.core.cache import TTL_MS, CacheRules, Ttl
from turnout.core.usage import Usage
from turnout.evaluate.replay.requests import Grain

Convention = Literal["strict", "reference"]
"""How floors and the end of a TTL are read."""

Mark = tuple[int, Ttl]
"""A cache point after the block with that index, for that long."""

_PURGE = 20_000


class Warm(NamedTuple):
    """A prefix in the cache: until when, in milliseconds, and what it was written for."""

    expires_ms: int
    ttl: Ttl


class SimulatedCache:
    """The prompt cache of one model.

    Args:
        rules: The model's figures.
        grain: What it holds.
        convention: How floors and the end of a TTL are read.
        lost: The chance that a call finds nothing warm, as on another of the provider's machines; what it would have
            read is gone then.
        seed: Of the calls that find nothing.
    """

    def __init__(
        self, rules: CacheRules, *, grain: Grain, convention: Convention = "strict", lost: float = 0.0, seed: int = 0
    ) -> None:
        self._rules = rules
        self._every_block = grain == "blocks" or rules.mode == "implicit"
        self._whole_prompt = convention == "reference"
        self._grace_ms = 1 if convention == "reference" else 0
        self._lost = lost
        self._random = random.Random(seed)
        self._warm: dict[str, Warm] = {}
        self._purge_at = _PURGE

    def call(
        self, hashes: Sequence[str], ends: Sequence[int], marks: Sequence[Mark], output_tokens: int, now_ms: int
    ) -> Usage:
        """Serve one call: what it read and wrote.

        Args:
            hashes: For each block, the hash of the prompt up to and with it.
            ends: For each block, the tokens from the start of the prompt to its end.
            marks: The cache points; their TTLs must not rise.
            output_tokens: The length of the answer.
            now_ms: Milliseconds.

        Raises:
            ValueError: A point for 1 hour stands behind one for 5 minutes, or there are too many: no provider takes it.
        """
        rules, tokens = self._rules, ends[-1] if ends else 0
        if rules.mode == "none" or not ends:
            return Usage(input_tokens=tokens, output_tokens=output_tokens)
        points = sorted(marks) if rules.mode == "explicit" else [(len(ends) - 1, rules.ttls[0])]
        if rules.mode == "explicit":
            self._require_valid(points)
        least = max(rules.floor_tokens, 1)
        points = [point for point in points if (tokens if self._whole_prompt else ends[point[0]]) >= least]
        if self._lost and self._random.random() < self._lost:
            self.drop(hashes)
        read_index = self._longest(hashes, ends, points, 0 if self._whole_prompt else least, now_ms)
        read = ends[read_index] if read_index >= 0 else 0
        self._renew(hashes, read_index, now_ms)
        written: dict[Ttl, int] = {"5m": 0, "1h": 0}
        start, first = read, read_index + 1
        for index, ttl in points:
            if index < first:
                continue
            written[ttl] += ends[index] - start
            kept = Warm(now_ms + TTL_MS[ttl] + self._grace_ms, ttl)
            for block in range(first, index + 1) if self._every_block else (index,):
                self._warm[hashes[block]] = kept
            start, first = ends[index], index + 1
        if len(self._warm) > self._purge_at:
            self._purge(now_ms)
        if rules.mode == "implicit":
            steps = read - (read - rules.floor_tokens) % rules.step_tokens if read else 0
            return Usage(input_tokens=tokens - steps, cache_read_tokens=steps, output_tokens=output_tokens)
        return Usage(
            input_tokens=tokens - start,
            cache_read_tokens=read,
            cache_write_5m_tokens=written["5m"],
            cache_write_1h_tokens=written["1h"],
            output_tokens=output_tokens,
        )

    def warm(self, prefix_hash: str, now_ms: int) -> Warm | None:
        """What is warm of that prefix now."""
        warm = self._warm.get(prefix_hash)
        return warm if warm is not None and warm.expires_ms > now_ms else None

    def drop(self, hashes: Sequence[str]) -> None:
        """Forget these prefixes: where a cache is only believed, and a report shows that they are gone."""
        for prefix_hash in hashes:
            self._warm.pop(prefix_hash, None)

    def _require_valid(self, points: Sequence[Mark]) -> None:
        if len(points) > self._rules.max_markers:
            raise ValueError(f"{len(points)} cache points are more than the {self._rules.max_markers} of the model")
        ttls = [ttl for _, ttl in points]
        if ttls != sorted(ttls):  # "1h" sorts before "5m".
            raise ValueError(f"the TTLs of cache points must not rise, got {ttls}")

    def _longest(
        self, hashes: Sequence[str], ends: Sequence[int], points: Sequence[Mark], least: int, now_ms: int
    ) -> int:
        """The last block of the longest prefix that can be read, or -1."""
        if not points:
            return -1
        for index in range(points[-1][0], -1, -1):
            if ends[index] < least:
                break
            warm = self._warm.get(hashes[index])
            if (
                warm is not None
                and warm.expires_ms > now_ms
                and (self._every_block or any(0 <= point - index < self._rules.lookback_blocks for point, _ in points))
            ):
                return index
        return -1

    def _renew(self, hashes: Sequence[str], read_index: int, now_ms: int) -> None:
        if not self._rules.renewed_by_read:
            return
        warm = self._warm
        for prefix_hash in hashes[: read_index + 1]:
            entry = warm.get(prefix_hash)
            if entry is not None and entry.expires_ms > now_ms:
                warm[prefix_hash] = Warm(now_ms + TTL_MS[entry.ttl] + self._grace_ms, entry.ttl)

    def _purge(self, now_ms: int) -> None:
        """Forget what expired, so that memory is that of what is warm."""
        self._warm = {prefix_hash: warm for prefix_hash, warm in self._warm.items() if warm.expires_ms > now_ms}
        self._purge_at = max(_PURGE, 2 * len(self._warm))
