"""Cache points on the way to a target: at most as many as it takes, where it takes them, in an order that it takes.

The rules, from the prompt caching pages of Anthropic and Amazon Bedrock as read on 2026-11-23: at most four points;
TTLs must not rise from tools over system to messages; a prefix below the model's floor is not cached. A point may not
follow a reasoning block (anomalyco/opencode issue 36517: "Cache point cannot be inserted after reasoning block"), and
needs a block before it in its own message (strands-agents/harness-sdk pull request 3677). Where a model caches without
points, they say nothing to it and are left out.

``user`` touches no point that the target takes, and refuses where it would not take them. ``fill`` adds one at the end
of the head where there is none at all. ``manage`` follows the plan, and without one mends what the history brought.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from turnout.core.cache import CachePlan, Ttl
from turnout.core.catalog import Model
from turnout.messages.count import count_block
from turnout.messages.portability.draft import Draft, Item, Point
from turnout.messages.portability.protocols import protocol_of

MarkersMode = Literal["user", "fill", "manage"]
"""Whose the cache points are: see the glossary, "markers"."""


def place_points(draft: Draft, target: Model, mode: MarkersMode, plan: CachePlan | None) -> None:
    """Set the cache points of a draft for a target."""
    items = list(draft.items())
    if not protocol_of(target).claude or target.cache.mode != "explicit":
        draft.edits = [edit for edit in draft.edits if not edit.startswith("move_marker:")]
        for item in items:
            for point in item.points:
                draft.edit("drop_marker", str(point.path))
            item.points = []
        return
    _seat(draft, items)
    brought = any(item.points for item in items)
    if plan is not None and (mode == "manage" or (mode == "fill" and not brought)):
        _set(draft, items, target, _planned(draft, items, plan, target))
    elif mode == "manage":
        _set(draft, items, target, _mended(items, target))
    elif mode == "fill" and not brought:
        _set(draft, items, target, _filled(draft, items, target))
    else:
        _refuse_what_is_not_taken(draft, items, target)


def _seat(draft: Draft, items: Sequence[Item]) -> None:
    """Move points to the nearest block before them that may carry one."""
    seat: Item | None = None
    for item in items:
        if _may_carry(item):
            seat = item
        elif item.points:
            for point in item.points:
                draft.edit("move_marker" if seat else "drop_marker", str(point.path))
            if seat is not None:
                seat.points += item.points
            item.points = []


def _planned(draft: Draft, items: Sequence[Item], plan: CachePlan, target: Model) -> dict[int, Ttl]:
    """The plan's points by item; the plan counts blocks as the history had them."""
    seats: dict[int, Item] = {}
    seat: Item | None = None
    for item in items:
        seat = item if _may_carry(item) else seat
        if seat is not None:
            seats[id(item)] = seat
    reached = _reached(items, target)
    wanted: dict[int, Ttl] = {}
    for marker in sorted(plan.markers, key=lambda marker: marker.segment):
        found = seats.get(id(draft.order[marker.segment])) if marker.segment < len(draft.order) else None
        if found is not None and reached[id(found)] >= target.cache.floor_tokens:
            wanted[id(found)] = _offered(marker.ttl, target)
    return _fitting(items, wanted, target)


def _mended(items: Sequence[Item], target: Model) -> dict[int, Ttl]:
    """What the history brought, less what does nothing."""
    reached = _reached(items, target)
    wanted = {
        id(item): _offered(_ttl_of(item.points[0]), target)
        for item in items
        if item.points and reached[id(item)] >= target.cache.floor_tokens
    }
    return _fitting(items, wanted, target)


def _filled(draft: Draft, items: Sequence[Item], target: Model) -> dict[int, Ttl]:
    """One point at the end of the system, or of the tools where there is none, if that reaches the floor."""
    head = [item for item in (draft.system or draft.tools) if _may_carry(item)]
    if not head or not target.cache.max_markers or _reached(items, target)[id(head[-1])] < target.cache.floor_tokens:
        return {}
    return {id(head[-1]): target.cache.ttls[0]}


def _fitting(items: Sequence[Item], wanted: dict[int, Ttl], target: Model) -> dict[int, Ttl]:
    """As many as the target takes, the first (the head that others share) and the last; TTLs that do not rise."""
    order = [id(item) for item in items if id(item) in wanted]
    most = target.cache.max_markers
    kept = order if len(order) <= most else [*order[:1], *order[len(order) - most + 1 :]][:most]
    fitting: dict[int, Ttl] = {}
    short = False
    for key in kept:
        fitting[key] = "5m" if short else wanted[key]
        short = short or fitting[key] == "5m"
    return fitting


def _set(draft: Draft, items: Sequence[Item], target: Model, wanted: dict[int, Ttl]) -> None:
    for item in items:
        ttl = wanted.get(id(item))
        kept: list[Point] = []
        for point in item.points:
            if ttl is None or kept:
                draft.edit("drop_marker", str(point.path))
            elif _ttl_of(point) == ttl:
                kept = [point]
            else:
                kept = [Point(point.path, _point(ttl, target))]
                draft.edit("marker_ttl", str(point.path))
        if ttl is not None and not kept:
            kept = [Point(None, _point(ttl, target))]
            draft.edit("add_marker", item.path)
        item.points = kept


def _refuse_what_is_not_taken(draft: Draft, items: Sequence[Item], target: Model) -> None:
    rules = target.cache
    points = [point for item in items for point in item.points]
    if len(points) > rules.max_markers:
        draft.refuse(f"{len(points)}>{rules.max_markers}", "cache_markers")
    for ttl in sorted({_ttl_of(point) for point in points} - set(rules.ttls)):
        draft.refuse(ttl, "cache_ttl")
    short = False
    for point in points:
        if short and _ttl_of(point) == "1h":
            draft.refuse(str(point.path), "cache_ttl_order")
        short = short or _ttl_of(point) == "5m"


def _reached(items: Sequence[Item], target: Model) -> dict[int, float]:
    """The target's tokens from the start of the prompt to each block's end."""
    reached: dict[int, float] = {}
    tokens = 0.0
    for item in items:
        if item.block is not None:
            tokens += count_block(item.block) * target.tokenizer_ratio
        reached[id(item)] = tokens
    return reached


def _may_carry(item: Item) -> bool:
    return item.block is not None and "reasoningContent" not in item.block


def _ttl_of(point: Point) -> Ttl:
    return "1h" if point.block["cachePoint"].get("ttl") == "1h" else "5m"


def _offered(ttl: Ttl, target: Model) -> Ttl:
    return ttl if ttl in target.cache.ttls else target.cache.ttls[0]


def _point(ttl: Ttl, target: Model) -> dict[str, dict[str, str]]:
    return {"cachePoint": {"type": "default"} | ({} if ttl == target.cache.ttls[0] else {"ttl": ttl})}
