"""Prompt caches: what a model caches, what is believed warm, and what a call would read and write.

Everything here is counted in the model's own tokens. Sources of the rules: the prompt caching pages of Amazon Bedrock,
Anthropic and OpenAI, read 2026-11; floors are in the catalog with their sources.

Known limitations: whether an entry was evicted early is known only from the next usage report; an entry is taken as
readable from the moment of the write, although a provider makes it readable after the writer's first byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

Ttl = Literal["5m", "1h"]
"""How long a cached prefix stays warm after its last use."""

TTL_MS: dict[Ttl, int] = {"5m": 300_000, "1h": 3_600_000}
"""Milliseconds of each TTL."""


class CacheRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one model's prompt cache behaves.

    Attributes:
        mode: ``explicit`` caches where a marker stands, ``implicit`` by itself, ``none`` never.
        floor_tokens: The fewest tokens that are cached.
        step_tokens: Implicit caches match in steps of that many tokens above the floor.
        lookback_blocks: From a marker back, how many blocks are searched for a warm prefix, the marker's own block
            counted as the first (explicit caches).
        max_markers: The most markers that a request may carry.
        ttls: The durations that may be asked for; the first is the default.
        renewed_by_read: Whether a read starts the TTL anew.

    Raises:
        ValueError: A count is out of range, or there is no TTL.
    """

    mode: Literal["explicit", "implicit", "none"] = "explicit"
    floor_tokens: int = 0
    step_tokens: int = 1
    lookback_blocks: int = 20
    max_markers: int = 4
    ttls: tuple[Ttl, ...] = ("5m",)
    renewed_by_read: bool = True

    def __post_init__(self) -> None:
        for name, least in (("floor_tokens", 0), ("step_tokens", 1), ("lookback_blocks", 1), ("max_markers", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or more, got {getattr(self, name)}")
        if not self.ttls:
            raise ValueError("ttls must name at least one duration")


NO_CACHE = CacheRules(mode="none")
"""The rules of a model without a prompt cache."""


class Marker(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A cache point after the segment with that index."""

    segment: int
    ttl: Ttl = "5m"


class CachePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Where a request's cache points stand, and whose they are.

    ``origin`` is ``user`` for markers that the request brought, ``fill`` for markers that were placed because it had
    none, ``manage`` for a plan that takes the place of whatever the request brought (also if it has no markers),
    ``none`` where there are no markers.
    """

    markers: tuple[Marker, ...] = ()
    origin: Literal["user", "fill", "manage", "none"] = "none"


NO_PLAN = CachePlan()
"""A request without markers."""


class CacheEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One prefix that is believed warm until ``expires_ms`` (milliseconds since the epoch), with that ``chance``."""

    prefix_hash: str
    ttl: Ttl
    expires_ms: int
    chance: float = 1.0


class CacheState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The prefixes of one (provider, account, region or profile, model) that are believed warm.

    The state that a decision is given may be cut down to the prefixes of its request.
    """

    entries: tuple[CacheEntry, ...] = ()

    def warm(self, prefix_hash: str, now_ms: int) -> CacheEntry | None:
        """The entry of that prefix, unless it has expired."""
        return self.warm_entries(now_ms).get(prefix_hash)

    def warm_entries(self, now_ms: int) -> dict[str, CacheEntry]:
        """The entries that have not expired, by prefix; the surest where a prefix stands there twice."""
        warm: dict[str, CacheEntry] = {}
        for entry in self.entries:
            if entry.expires_ms > now_ms and entry.chance > 0:
                before = warm.get(entry.prefix_hash)
                if before is None or before.chance < entry.chance:
                    warm[entry.prefix_hash] = entry
        return warm


COLD = CacheState()
"""A cache in which nothing is warm."""


class Prompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A request's prompt as one model sees it.

    Attributes:
        offsets: For each segment, the model's tokens from the start of the prompt to the segment's end; ascending.
        prefix_hashes: For each segment, the hash of the prompt up to and including it.
    """

    offsets: tuple[int, ...]
    prefix_hashes: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """The whole prompt in the model's tokens."""
        return self.offsets[-1] if self.offsets else 0


class WarmPrefix(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A prefix of a prompt that a call could read: its tokens, and the chance that it really is warm."""

    tokens: int
    chance: float


class WriteSpan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A stretch of the prompt, from 0 or the span before to ``end`` tokens, that a cold call writes for that TTL."""

    end: int
    ttl: Ttl


def write_spans(prompt: Prompt, plan: CachePlan, rules: CacheRules) -> tuple[WriteSpan, ...]:
    """What a cold call would write, in ascending order; the last span's end is where caching ends.

    A marker below the floor writes nothing: its tokens belong to the next marker at or above the floor. Implicit
    caches write the whole prompt, without a fee, once it reaches the floor.
    """
    if rules.mode != "explicit" or not plan.markers:
        return unmarked_spans(prompt.tokens, rules)
    least = max(rules.floor_tokens, 1)
    marks = sorted([(marker.segment, marker.ttl) for marker in plan.markers])
    offsets = prompt.offsets
    return tuple([WriteSpan(offsets[index], ttl) for index, ttl in marks if offsets[index] >= least])


def unmarked_spans(tokens: int, rules: CacheRules) -> tuple[WriteSpan, ...]:
    """`write_spans` of a prompt of so many tokens without markers: only implicit caches write it."""
    if rules.mode != "implicit" or tokens < max(rules.floor_tokens, 1):
        return ()
    return (WriteSpan(tokens, rules.ttls[0]),)


class WarmPrompt:
    """A prompt held against one model's cache: what of it is warm, and what calls with different plans make of that.

    Worked out once, and asked for each plan that is weighed.

    Args:
        prompt: The prompt in the model's own tokens; no two of its prefixes have the same hash.
        rules: How the cache behaves.
        state: What is believed warm; entries of other prompts are passed over.
        now_ms: Milliseconds since the epoch.

    Attributes:
        entries: The entries that are warm, of other prompts too, by prefix.
        warm: Those of this prompt, by the index of the segment that their prefix ends with, longest first.
    """

    __slots__ = ("_renewed", "_stepped", "_written", "entries", "now_ms", "prompt", "rules", "warm")

    def __init__(self, prompt: Prompt, rules: CacheRules, state: CacheState, now_ms: int) -> None:
        self.prompt = prompt
        self.rules = rules
        self.now_ms = now_ms
        self.entries = state.warm_entries(now_ms) if state.entries else {}
        self.warm: dict[int, CacheEntry] = {}
        if entries := self.entries:
            found = [(index, entries[key]) for index, key in enumerate(prompt.prefix_hashes) if key in entries]
            self.warm.update(reversed(found))
        self._stepped: Sequence[int] | None = None
        self._renewed: list[tuple[int, int, CacheEntry]] | None = None
        self._written: dict[tuple[int, Ttl], CacheEntry] = {}

    @property
    def read_end(self) -> int:
        """The index of the segment that the longest warm prefix at or above the floor ends with; -1 where none is."""
        return next(self._above_floor(), -1)

    def readable(self, plan: CachePlan) -> tuple[WarmPrefix, ...]:
        """The warm prefixes that a call with that plan could read, longest first (see `warm_prefixes`)."""
        return tuple(self._reachable(plan))

    def reads(self, plan: CachePlan) -> tuple[WarmPrefix, ...]:
        """Those of the `readable` prefixes that a call might really read: up to the longest one that is surely warm."""
        found: list[WarmPrefix] = []
        for prefix in self._reachable(plan):
            found.append(prefix)
            if prefix.chance == 1.0:
                break
        return tuple(found)

    def after(self, plan: CachePlan) -> dict[int, CacheEntry]:
        """What is warm of the prompt after a successful call with that plan, by index (see `after_call`)."""
        prompt, rules = self.prompt, self.rules
        left = dict(self.warm)
        if rules.mode == "none" or prompt.tokens < rules.floor_tokens:
            return left
        longest = next(self._reachable(plan), None)
        read_tokens, sure = (0, False) if longest is None else (longest.tokens, longest.chance == 1.0)
        if rules.renewed_by_read and read_tokens:
            left.update([(index, entry) for index, tokens, entry in self._renewals() if tokens <= read_tokens])
        # What was surely read was not written: it keeps the TTL that it has. A longer read leaves no shorter entry
        # behind where caching is explicit; implicit caches match any part of what they hold.
        implicit, stepped = rules.mode == "implicit", self._in_steps()
        for index, ttl in _written(prompt, plan, rules):
            surely_read = sure and stepped[index] <= read_tokens
            if not surely_read or (implicit and index not in left):
                left[index] = self._entry(index, ttl)
        return left

    def _in_steps(self) -> Sequence[int]:
        """What a read gives of each prefix, in tokens."""
        if self._stepped is None:
            self._stepped = _in_steps(self.prompt.offsets, self.rules)
        return self._stepped

    def _above_floor(self) -> Iterator[int]:
        """Where the warm prefixes that are long enough to be read end, longest first."""
        if self.rules.mode != "none":
            least, offsets = max(self.rules.floor_tokens, 1), self.prompt.offsets
            yield from (index for index in self.warm if offsets[index] >= least)

    def _reachable(self, plan: CachePlan) -> Iterator[WarmPrefix]:
        """The prefixes that a call with that plan could read, longest first."""
        rules, offsets = self.rules, self.prompt.offsets
        for index in self._above_floor():
            if _reachable(index, plan, rules):
                [tokens] = _in_steps((offsets[index],), rules)
                yield WarmPrefix(tokens, self.warm[index].chance)

    def _renewals(self) -> list[tuple[int, int, CacheEntry]]:
        """What is warm as a read would renew it: index, tokens that can be read of it, entry."""
        if self._renewed is None:
            ends_ms = {ttl: self.now_ms + lasts_ms for ttl, lasts_ms in TTL_MS.items()}
            stepped = self._in_steps()
            self._renewed = [
                (
                    index,
                    tokens,
                    CacheEntry(
                        prefix_hash=entry.prefix_hash,
                        ttl=entry.ttl,
                        expires_ms=ends_ms[entry.ttl],
                        chance=entry.chance,
                    ),
                )
                for index, entry in self.warm.items()
                if (tokens := stepped[index]) > 0
            ]
        return self._renewed

    def _entry(self, index: int, ttl: Ttl) -> CacheEntry:
        """The entry that a write up to that segment makes."""
        entry = self._written.get((index, ttl))
        if entry is None:
            entry = CacheEntry(
                prefix_hash=self.prompt.prefix_hashes[index], ttl=ttl, expires_ms=self.now_ms + TTL_MS[ttl]
            )
            self._written[index, ttl] = entry
        return entry


def warm_prefixes(
    prompt: Prompt, plan: CachePlan, rules: CacheRules, state: CacheState, now_ms: int
) -> tuple[WarmPrefix, ...]:
    """The warm prefixes that a call could read, longest first.

    Explicit caches read only through a marker: a prefix is reachable if it ends at one of the ``lookback_blocks``
    blocks up to and including a marker's. Implicit caches read the longest warm prefix in whole steps above the floor.
    """
    return WarmPrompt(prompt, rules, state, now_ms).readable(plan)


def after_call(prompt: Prompt, plan: CachePlan, rules: CacheRules, state: CacheState, now_ms: int) -> CacheState:
    """The state that a successful call leaves: what it wrote is warm, what it read is renewed, what expired is gone.

    Correct a state by the call's report (`after_report`) before this, not after it: what the call wrote was not read.
    """
    held = WarmPrompt(prompt, rules, state, now_ms)
    kept = held.entries  # nobody else has it
    for index, entry in held.after(plan).items():
        kept[prompt.prefix_hashes[index]] = entry
    return CacheState(tuple(kept.values()))


def after_report(
    state: CacheState,
    prompt: Prompt,
    plan: CachePlan,
    rules: CacheRules,
    read_tokens: int,
    *,
    tolerance: float = 0.1,
) -> CacheState:
    """The state corrected by what a provider reported to have read.

    Of the prefixes that the call could have read, those of up to ``read_tokens`` are confirmed and the longer ones are
    evicted, within ``tolerance``, since our counts are estimates. The report says nothing of the others.
    """
    if not state.entries:
        return state
    bound, least = read_tokens * (1 + tolerance), max(rules.floor_tokens, 1)
    offsets, stepped = prompt.offsets, _in_steps(prompt.offsets, rules)
    ends = {prefix_hash: index for index, prefix_hash in enumerate(prompt.prefix_hashes)}
    kept = []
    for entry in state.entries:
        index = ends.get(entry.prefix_hash)
        if index is None or offsets[index] < least or not _reachable(index, plan, rules):
            kept.append(entry)
        elif stepped[index] <= bound:
            kept.append(entry if entry.chance == 1.0 else msgspec.structs.replace(entry, chance=1.0))
    return CacheState(tuple(kept))


def _reachable(index: int, plan: CachePlan, rules: CacheRules) -> bool:
    if rules.mode == "implicit":
        return True
    return any(0 <= marker.segment - index < rules.lookback_blocks for marker in plan.markers)


def _in_steps(offsets: Sequence[int], rules: CacheRules) -> Sequence[int]:
    """What a read gives of prefixes of so many tokens."""
    if rules.mode != "implicit":
        return offsets
    floor, step = rules.floor_tokens, rules.step_tokens
    return [tokens - (tokens - floor) % step for tokens in offsets]


def _written(prompt: Prompt, plan: CachePlan, rules: CacheRules) -> list[tuple[int, Ttl]]:
    least = max(rules.floor_tokens, 1)
    if rules.mode == "implicit":
        return [(index, rules.ttls[0]) for index, tokens in enumerate(prompt.offsets) if tokens >= least]
    offsets = prompt.offsets
    return [(marker.segment, marker.ttl) for marker in plan.markers if offsets[marker.segment] >= least]
