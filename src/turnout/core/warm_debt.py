"""What it would cost to bring a model back to the warmth that it had if it had served every call: the debt.

Two caches of one model are followed entry by entry, with the rules of `turnout.core.cache`. The *shadow* serves every
call. The *fact* serves those that were really given to the model. A prefix that is warm in the shadow and not, for as
long, in fact is *owed*: reading it later costs the shadow a read and fact a write. The debt is the sum over owed
prefixes of (dearest write − read) x the tokens that are charged for it. Two rules say how many those are.

- Where the cache has an entry at every block (implicit; traces of prefix blocks), a call on a prefix brings back all
  that is inside it. A prefix is charged for what it adds to the nearest one inside it.
- Where entries stand at cache points (explicit), a call brings back only what it marks. An owed prefix is a *root*,
  charged from the longest prefix inside it that fact holds for at least as long, or it hangs on a root inside it that
  lives at least as long, and is charged from there. A call that reads a hanging prefix marks its root too.

So the debt never grows between calls, since entries only expire; and a call that is served with the plan of
`plans_for` costs at most the shadow's call and what leaves the debt. The proof is in
``docs/decisions/0008-spend-bound.md``.

Known limitations: a prefix is taken to have the same tokens, and the same blocks, in every prompt that holds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from turnout.core.cache import (
    CacheEntry,
    CachePlan,
    CacheRules,
    CacheState,
    Marker,
    Prompt,
    Ttl,
    after_call,
    warm_prefixes,
    write_spans,
)
from turnout.core.catalog import Model
from turnout.core.expect import call_cost_pico
from turnout.core.price import Price

Side = Literal["shadow", "fact"]
"""Which of the two caches."""

NEEDED_MARKERS = 4
"""The cache points that a call needs at most to bring back what it read: what fact reads, a root, what the shadow
reads, and the one where writing ends."""

_LENGTH: dict[Ttl, int] = {"5m": 0, "1h": 1}


class Held(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One prefix of the model's caches.

    Attributes:
        prefix_hash: Its hash.
        tokens: Its length in the model's tokens, in whole steps where caching is implicit.
        ttl: What it was written for in the shadow.
        shadow_ms: Until when it is warm in the shadow, in milliseconds since the epoch; 0: it never was.
        fact_ttl: What it was written for in fact.
        fact_ms: Until when it is warm in fact; 0: it never was.
        owed_tokens: What is charged for it; 0 where fact holds it for as long.
        root: The hash of the root that it hangs on; empty for a root.
        base: The hash of the prefix that fact holds and that it is charged from; empty if there is none.
    """

    prefix_hash: str
    tokens: int
    ttl: Ttl = "5m"
    shadow_ms: int = 0
    fact_ttl: Ttl = "5m"
    fact_ms: int = 0
    owed_tokens: int = 0
    root: str = ""
    base: str = ""

    def secure(self) -> bool:
        """Whether fact holds it for at least as long as the shadow does."""
        return self.fact_ms >= self.shadow_ms and _LENGTH[self.fact_ttl] >= _LENGTH[self.ttl]


Path = tuple[Held, ...]
"""What is held of the prefixes of one prompt, from the shortest to the longest."""


class Plans(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the cache points of one call stand in the shadow and in fact.

    ``ours``: they are Turnout's to place. A request's own points are never touched.
    """

    shadow: CachePlan
    fact: CachePlan
    ours: bool = True


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a call does to one of the caches: what is then held, and what its prompt cost, in pico-USD."""

    path: Path
    cost_pico: int


class Call(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call: the prompt in the model's own tokens, its cache points on both sides, the cache, and when it is.

    ``every_block``: an explicit cache holds every block up to the last point, as traces of prefix blocks tell it.
    """

    prompt: Prompt
    plans: Plans
    rules: CacheRules
    now_ms: int
    every_block: bool = False


def debt_prices(model: Model) -> dict[Ttl, int]:
    """What one owed token costs at most, in pico-USD, by the TTL that it is written for: the dearest tier's."""
    tiers = model.price.tiers
    return {
        "5m": max(0, *(tier.cache_write_5m_pico - tier.cache_read_pico for tier in tiers)),
        "1h": max(0, *(tier.cache_write_1h_pico - tier.cache_read_pico for tier in tiers)),
    }


def can_be_restored(model: Model) -> bool:
    """Whether the rules and prices of a model are those that the proof stands on.

    A read renews an entry; reading costs no more than writing; and there is room for the points that are needed.
    """
    rules = model.cache
    if rules.mode == "none":
        return True
    dearer_reads = any(
        tier.cache_read_pico > min(tier.cache_write_5m_pico, tier.cache_write_1h_pico) for tier in model.price.tiers
    )
    room = rules.mode == "implicit" or rules.max_markers >= NEEDED_MARKERS
    return rules.renewed_by_read and room and not dearer_reads and len(set(rules.ttls)) <= _most_ttls(rules)


def debt_pico(path: Path, prices: Mapping[Ttl, int]) -> int:
    """What is owed of these prefixes, in pico-USD."""
    return sum(held.owed_tokens * prices[held.ttl] for held in path)


def path_of(held: Mapping[str, Held], prompt: Prompt) -> Path:
    """What is held of a prompt's prefixes."""
    return tuple([held[key] for key in dict.fromkeys(prompt.prefix_hashes) if key in held])


def state_of(path: Path, side: Side) -> CacheState:
    """One of the two caches, as far as these prefixes go."""
    if side == "shadow":
        entries = [CacheEntry(prefix_hash=one.prefix_hash, ttl=one.ttl, expires_ms=one.shadow_ms) for one in path]
    else:
        entries = [CacheEntry(prefix_hash=one.prefix_hash, ttl=one.fact_ttl, expires_ms=one.fact_ms) for one in path]
    return CacheState(tuple(entries))


def plans_for(
    plan: CachePlan,
    prompt: Prompt,
    rules: CacheRules,
    path: Path,
    now_ms: int,
    *,
    every_block: bool = False,
    most_behind: int = NEEDED_MARKERS,
) -> Plans:
    """The cache points of a call, given those that the policy would set in the shadow.

    In fact they are: where fact's reading ends; the root that the prefix hangs on; what the shadow reads; and the
    policy's points behind that, the last ones where there is no room for all. The policy's points inside what the
    shadow reads would write nothing there, so they are left out; and no point asks for a longer TTL than the prefix
    before it has, since a request's TTLs must not rise. Where every block is held, the last one of a longer TTL takes
    the place of the root.

    Args:
        plan: The policy's points.
        prompt: The prompt.
        rules: The cache.
        path: What is held of the prompt's prefixes.
        now_ms: Milliseconds since the epoch.
        every_block: Whether an explicit cache holds every block up to the last point.
        most_behind: How many points there may be behind what the shadow reads; the last ones stay.
    """
    if rules.mode != "explicit":
        return Plans(plan, plan)
    if plan.origin == "user":
        return Plans(plan, plan, ours=False)
    if rules.max_markers < NEEDED_MARKERS:
        # Such a model is never left (`can_be_restored`), so there is nothing to bring back.
        return Plans(plan, plan)
    held = {one.prefix_hash: one for one in path}
    read = _deepest(prompt, rules, held, now_ms, "shadow", plan)
    if read < 0:
        plan = CachePlan(tuple(sorted(plan.markers, key=lambda marker: marker.segment)[-most_behind:]), plan.origin)
        return Plans(plan, plan)
    end = held[prompt.prefix_hashes[read]]
    behind = [
        Marker(marker.segment, marker.ttl if _LENGTH[marker.ttl] <= _LENGTH[end.ttl] else end.ttl)
        for marker in sorted(plan.markers, key=lambda marker: marker.segment)
        if prompt.offsets[marker.segment] > end.tokens
    ]
    warm = _deepest(prompt, rules, held, now_ms, "fact", None, before=read)
    marks = [Marker(read, end.ttl)]
    if every_block:
        longer = [one for one in path if one.shadow_ms > now_ms and one.tokens < end.tokens]
        root = next((one for one in reversed(longer) if _LENGTH[one.ttl] > _LENGTH[end.ttl]), None)
    else:
        root = held.get(end.root) if end.root else None
    if warm < read and root is not None:
        place = prompt.prefix_hashes.index(root.prefix_hash)
        if place > warm:
            marks.insert(0, Marker(place, root.ttl))
    if 0 <= warm < read and marks[0].segment - warm >= rules.lookback_blocks:
        own = held[prompt.prefix_hashes[warm]].fact_ttl
        marks.insert(0, Marker(warm, own if _LENGTH[own] >= _LENGTH[marks[0].ttl] else marks[0].ttl))
    behind = behind[-min(most_behind, rules.max_markers - len(marks)) :]
    return Plans(
        CachePlan((Marker(read, end.ttl), *behind), plan.origin),
        CachePlan((*marks, *behind), plan.origin),
    )


def step(path: Path, call: Call, price: Price, side: Side) -> Step:
    """A call on one of the caches; what is owed is not reckoned anew (`recharged`)."""
    prompt, rules, now_ms = call.prompt, call.rules, call.now_ms
    plan = call.plans.shadow if side == "shadow" else call.plans.fact
    if call.every_block:
        plan = _at_every_block(plan, rules)
    state = state_of(path, side)
    warm = warm_prefixes(prompt, plan, rules, state, now_ms)
    spans = write_spans(prompt, plan, rules)
    cost_pico = call_cost_pico(price.tier_for(prompt.tokens), prompt.tokens, spans, warm[0].tokens if warm else 0, 0)
    before = {one.prefix_hash: one for one in path}
    left = {entry.prefix_hash: entry for entry in after_call(prompt, plan, rules, state, now_ms).entries}
    after: list[Held] = []
    for key, offset in dict(zip(prompt.prefix_hashes, prompt.offsets, strict=True)).items():
        one, entry = before.get(key), left.get(key)
        if entry is not None:
            one = one or Held(prefix_hash=key, tokens=_in_steps(offset, rules), ttl=entry.ttl, fact_ttl=entry.ttl)
            if side == "shadow":
                one = msgspec.structs.replace(one, ttl=entry.ttl, shadow_ms=entry.expires_ms)
            else:
                one = msgspec.structs.replace(one, fact_ttl=entry.ttl, fact_ms=entry.expires_ms)
        if one is not None:
            after.append(one)
    return Step(tuple(after), cost_pico)


def nothing_ahead(path: Path, now_ms: int) -> bool:
    """Whether fact holds nothing that the shadow does not hold for as long; the proof needs that."""
    return all(
        one.fact_ms <= now_ms or (one.fact_ms <= one.shadow_ms and _LENGTH[one.fact_ttl] <= _LENGTH[one.ttl])
        for one in path
    )


def not_ahead(path: Path, now_ms: int) -> Path:
    """The same prefixes, with fact holding none for longer than the shadow: what it holds beyond that is left out."""
    if nothing_ahead(path, now_ms):
        return path
    return tuple(
        [
            msgspec.structs.replace(
                one,
                fact_ms=min(one.fact_ms, one.shadow_ms),
                fact_ttl=one.fact_ttl if _LENGTH[one.fact_ttl] <= _LENGTH[one.ttl] else one.ttl,
            )
            for one in path
        ]
    )


def recharged(before: Path, after: Path, call: Call) -> Path:
    """The same prefixes with what is owed of each, reckoned anew for those that changed.

    With a request's own cache points, which are never touched, what a point brings back is not known beforehand: a
    prefix with a point is charged as a whole, and one without is written off: where a later prompt only grows, and has
    its points at the same places or behind them, it is not read again.

    Args:
        before: What was held before the call.
        after: What is held after it.
        call: The call.
    """
    known = {one.prefix_hash: one for one in before}
    given_marks = not call.plans.ours and not call.every_block
    marked = {call.prompt.prefix_hashes[marker.segment] for marker in call.plans.shadow.markers}
    done: list[Held] = []
    for one in after:
        last = known.get(one.prefix_hash)
        left_behind = given_marks and one.prefix_hash not in marked
        if one.shadow_ms <= call.now_ms or one.secure() or left_behind:
            charged = msgspec.structs.replace(one, owed_tokens=0, root="", base="")
        elif last is not None and not last.secure() and _alike(last, one):
            charged = one
        else:
            was_root = last is not None and last.shadow_ms > call.now_ms and last.owed_tokens > 0 and not last.root
            charged = _charged(one, () if given_marks else done, call, may_hang=not was_root)
        done.append(charged)
    return tuple(done)


def _charged(one: Held, inside: Sequence[Held], call: Call, *, may_hang: bool) -> Held:
    """What is owed of a prefix that is warm in the shadow alone, given those inside it."""
    for other in reversed(inside):
        outlives_in_fact = other.fact_ms >= one.shadow_ms and _LENGTH[other.fact_ttl] >= _LENGTH[one.ttl]
        if outlives_in_fact:
            return _from(one, other, base=other.prefix_hash)
        outlives = other.shadow_ms >= one.shadow_ms and _LENGTH[other.ttl] >= _LENGTH[one.ttl]
        if not outlives:
            continue
        if call.every_block or call.rules.mode == "implicit":
            return _from(one, other, base=other.prefix_hash)
        if may_hang and other.owed_tokens and not other.root:
            return _from(one, other, root=other.prefix_hash)
    return msgspec.structs.replace(one, owed_tokens=one.tokens, root="", base="")


def _from(one: Held, other: Held, *, root: str = "", base: str = "") -> Held:
    return msgspec.structs.replace(one, owed_tokens=max(0, one.tokens - other.tokens), root=root, base=base)


def _alike(one: Held, other: Held) -> bool:
    return (one.shadow_ms, one.ttl, one.fact_ms, one.fact_ttl) == (
        other.shadow_ms,
        other.ttl,
        other.fact_ms,
        other.fact_ttl,
    )


def _deepest(
    prompt: Prompt,
    rules: CacheRules,
    held: Mapping[str, Held],
    now_ms: int,
    side: Side,
    plan: CachePlan | None,
    *,
    before: int | None = None,
) -> int:
    """The index of the longest prefix that is warm on that side and, where a plan is given, reached by it; or -1."""
    last = len(prompt.offsets) - 1 if before is None else before
    for index in range(last, -1, -1):
        one = held.get(prompt.prefix_hashes[index])
        if one is None or (one.shadow_ms if side == "shadow" else one.fact_ms) <= now_ms:
            continue
        if prompt.offsets[index] < max(rules.floor_tokens, 1):
            continue
        if plan is None or any(0 <= marker.segment - index < rules.lookback_blocks for marker in plan.markers):
            return index
    return -1


def _at_every_block(plan: CachePlan, rules: CacheRules) -> CachePlan:
    """A point at each block up to the last one of the plan, for the TTL that the block is written for."""
    if rules.mode != "explicit":
        return plan
    points: list[Marker] = []
    for marker in sorted(plan.markers, key=lambda marker: marker.segment):
        points += [Marker(index, marker.ttl) for index in range(len(points), marker.segment + 1)]
    return CachePlan(tuple(points), plan.origin)


def _in_steps(tokens: int, rules: CacheRules) -> int:
    if rules.mode != "implicit":
        return tokens
    return tokens - (tokens - rules.floor_tokens) % rules.step_tokens


def _most_ttls(rules: CacheRules) -> int:
    """Implicit caches have one TTL; where they had two, a prefix written for one would hide the other."""
    return 1 if rules.mode == "implicit" else len(_LENGTH)
