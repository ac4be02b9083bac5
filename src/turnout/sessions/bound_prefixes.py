"""What the two caches of the spend bound hold of each reference's prefixes: the shadow's and fact's, in bounded memory.

What may be forgotten: an entry that has expired on both sides; and one that the shadow and fact hold alike, that
nothing owed is charged from. Then, until it must have expired, `blind_until_ms` says so. What the shadow alone holds is
never forgotten while it is warm.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping

import msgspec

from turnout.core.cache import Ttl
from turnout.core.catalog import Model
from turnout.core.warm_debt import Held, Path, debt_prices


class BoundPrefixes:
    """The prefixes of all references. Not safe for threads: whoever keeps the account keeps the lock.

    Args:
        most: How many are remembered for all references together.

    Attributes:
        blind_until_ms: Until then something that was forgotten may still be warm, in milliseconds since the epoch.
    """

    def __init__(self, most: int) -> None:
        self.blind_until_ms = 0
        self._most = most
        self._held: dict[str, dict[str, Held]] = {}
        self._expiries: list[tuple[int, str, str]] = []
        self._prices: dict[str, dict[Ttl, int]] = {}
        self._owed = 0

    def __len__(self) -> int:
        """How many prefixes are remembered."""
        return sum(len(held) for held in self._held.values())

    def of(self, model_id: str) -> Mapping[str, Held]:
        """What is held of a reference's prefixes, by their hash."""
        return self._held.get(model_id, {})

    def full(self, more: int) -> bool:
        """Whether so many more, if they are owed, would fill half of the memory with what may not be forgotten."""
        return self._owed * 2 + more > self._most

    def keep(self, reference: Model, path: Path, now_ms: int) -> None:
        """Remember what a call left."""
        self._prices[reference.id] = dict(debt_prices(reference))
        held = self._held.setdefault(reference.id, {})
        for one in path:
            before = held.get(one.prefix_hash)
            self._owed += bool(one.owed_tokens) - bool(before is not None and before.owed_tokens)
            held[one.prefix_hash] = one
            if before is None:
                due = max(_due(one, now_ms), now_ms + 1)
                heapq.heappush(self._expiries, (due, reference.id, one.prefix_hash))
        if len(self) > self._most:
            self._forget()

    def expired(self, now_ms: int) -> Iterator[int]:
        """Forget what has expired; each debt that is written off by that, in pico-USD."""
        while self._expiries and self._expiries[0][0] <= now_ms:
            _, model_id, key = heapq.heappop(self._expiries)
            held = self._held[model_id]
            one = held.get(key)
            if one is None:
                continue
            due = _due(one, now_ms)
            if due > now_ms:
                heapq.heappush(self._expiries, (due, model_id, key))
            if one.shadow_ms <= now_ms and one.owed_tokens:
                self._owed -= 1
                held[key] = msgspec.structs.replace(one, owed_tokens=0, root="", base="")
                yield one.owed_tokens * self._prices[model_id][one.ttl]
            if due <= now_ms:
                del held[key]

    def _forget(self) -> None:
        """Forget prefixes that both sides hold alike, those that expire first, down to three quarters of the room."""
        surplus = len(self) - self._most * 3 // 4
        loose = []
        for model_id, held in self._held.items():
            used = {one.base for one in held.values() if one.owed_tokens}
            used |= {one.root for one in held.values() if one.owed_tokens}
            loose += [
                (one.shadow_ms, model_id, key)
                for key, one in held.items()
                if not one.owed_tokens and one.secure() and key not in used
            ]
        for expires_ms, model_id, key in heapq.nsmallest(surplus, loose):
            self.blind_until_ms = max(self.blind_until_ms, expires_ms)
            del self._held[model_id][key]


def _due(one: Held, now_ms: int) -> int:
    """When something happens to a prefix next: it expires in the shadow, or in fact."""
    return one.shadow_ms if one.shadow_ms > now_ms else one.fact_ms
