"""Where one side's prompt caches are not as they were recorded.

A decision is stored with what was believed warm of its prompt. A side that decides otherwise leaves other prefixes
warm: those that it wrote, and not those that the recorded call wrote. Only these differences are kept, so that a side
that decides as recorded sees what was recorded, to the byte. A difference ends where both have the same again, or when
the longest TTL has passed since it was made.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from turnout.core.cache import TTL_MS, CacheEntry, CacheState

_LONGEST_MS = max(TTL_MS.values())


class _Own(NamedTuple):
    """What the side has of a prefix (none: nothing), and until when that may differ from what was recorded."""

    entry: CacheEntry | None
    until_ms: int


class Overlay:
    """The differences of one side, in bounded memory.

    Args:
        max_prefixes: How many prefixes may differ at once, for each model; the oldest are forgotten first.
    """

    def __init__(self, *, max_prefixes: int = 50_000) -> None:
        self._max_prefixes = max_prefixes
        self._own: dict[str, OrderedDict[str, _Own]] = {}

    def differs(self, model: str, hashes: Iterable[str], now_ms: int) -> bool:
        """Whether any of these prefixes is not as recorded on that model."""
        own = self._own.get(model)
        if not own:
            return False
        return any((one := own.get(key)) is not None and one.until_ms > now_ms for key in hashes)

    def state(self, model: str, recorded: CacheState, hashes: Sequence[str], now_ms: int) -> CacheState:
        """What the side believes warm on a model of a prompt with these prefixes."""
        if not self.differs(model, hashes, now_ms):
            return recorded
        own = self._own[model]
        changed = {key: one.entry for key in hashes if (one := own.get(key)) is not None and one.until_ms > now_ms}
        kept = [entry for entry in recorded.entries if entry.prefix_hash not in changed]
        return CacheState((*kept, *[entry for entry in changed.values() if entry is not None]))

    def settle(self, model: str, own: CacheState, recorded: CacheState, hashes: Iterable[str], now_ms: int) -> None:
        """Take in what a call left warm of its prompt: for the side, and as it was recorded."""
        mine, theirs = _by_hash(own, now_ms), _by_hash(recorded, now_ms)
        kept = self._own.setdefault(model, OrderedDict())
        for key in hashes:
            entry = mine.get(key)
            kept.pop(key, None)
            if entry != theirs.get(key):
                kept[key] = _Own(entry, now_ms + _LONGEST_MS)
        while kept and (len(kept) > self._max_prefixes or next(iter(kept.values())).until_ms <= now_ms):
            kept.popitem(last=False)


def _by_hash(state: CacheState, now_ms: int) -> Mapping[str, CacheEntry]:
    return state.warm_entries(now_ms)
