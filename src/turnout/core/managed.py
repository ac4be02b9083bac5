"""Cache points as a decision may place them in ``manage`` mode: where reading and writing end, and for how long.

A write costs more than plain input and pays only if its prefix comes back inside its TTL, so the choice is priced and
not a habit. To read without writing, the last point stands at the end of what is warm. Explicit caches make an entry
only where a point stands, so every prefix that may come back on its own, inside what is written, gets a point too.
"""

from __future__ import annotations

from turnout.core.cache import CachePlan, Marker, Ttl, WarmPrompt
from turnout.core.horizon import Horizon


def managed_plans(held: WarmPrompt, horizon: Horizon) -> tuple[CachePlan, ...]:
    """The plans worth weighing for one model, the one that writes least first.

    They are: read what is warm and write nothing; and for each prefix that may come back and is longer than that,
    write up to it, for each TTL, or with what is inside it for the longer TTL and itself for the shorter one (a
    request's TTLs must not rise). Where caching is not explicit there is nothing to place.
    """
    prompt, rules = held.prompt, held.rules
    if rules.mode != "explicit" or not rules.max_markers or not prompt.offsets:
        return (CachePlan(),)
    read_end = held.read_end
    read_ttl: Ttl = "5m" if read_end < 0 else held.warm[read_end].ttl
    ends = [
        prefix.segment
        for prefix in horizon.prefixes
        if prefix.segment < len(prompt.offsets) and prompt.offsets[prefix.segment] >= max(rules.floor_tokens, 1)
    ]
    plans = [_plan([] if read_end < 0 else [Marker(read_end, read_ttl)])]
    long, short = ("1h" if "1h" in rules.ttls else rules.ttls[0]), rules.ttls[0]
    for end in ends:
        if end <= read_end:
            continue
        room = max(0, rules.max_markers - 2)
        inside = [other for other in ends if read_end < other < end][-room:] if room else []
        for inner, outer in dict.fromkeys([(short, short), (long, short), (long, long)]):
            if inner != outer and not inside:
                continue
            marks = [Marker(other, inner) for other in inside] + [Marker(end, outer)]
            # What is warm is read through a point of its own where no other one looks back as far.
            if read_end >= 0 and min(marker.segment for marker in marks) - read_end >= rules.lookback_blocks:
                marks.insert(0, Marker(read_end, _longer(read_ttl, inner)))
            plans.append(_plan(marks[-rules.max_markers :]))
    return tuple(dict.fromkeys(plans))


def _plan(marks: list[Marker]) -> CachePlan:
    return CachePlan(tuple(marks), "manage")


def _longer(one: Ttl, other: Ttl) -> Ttl:
    return "1h" if "1h" in (one, other) else "5m"
