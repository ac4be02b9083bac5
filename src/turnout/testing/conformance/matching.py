"""Compares what a layer sends with what a case expects.

In expected blocks a text may stand for others: ``$id:x`` for any id of a tool call that the target takes, the same for
the same letter and another for another; ``$contains:word`` for a text with that word; ``$matches:pattern`` for a text
that matches it as a whole. Cache points are compared apart from blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

PARTS = ("tools", "system", "messages")
"""The parts of a history, in the order that caches see."""


def difference(
    expected: Any, sent: Any, target: Mapping[str, Any], bound: dict[str, str], path: str = ""
) -> str | None:
    """The first place where a history without cache points is not as expected, in words; none if it is.

    Args:
        expected: From a case.
        sent: From the layer.
        target: The model, for the pattern of its ids.
        bound: The ids that letters stand for so far; filled on the way.
        path: Where both stand.
    """
    if isinstance(expected, str) and expected.startswith("$"):
        return _placeholder(expected, sent, target, bound, path)
    if isinstance(expected, Mapping) and isinstance(sent, Mapping):
        if set(expected) != set(sent):
            return f"{path or 'history'}: keys {sorted(expected)} expected, got {sorted(sent)}"
        pairs = [(f"{path}.{key}".lstrip("."), expected[key], sent[key]) for key in expected]
    elif _is_list(expected) and _is_list(sent):
        if len(expected) != len(sent):
            return f"{path}: {len(expected)} expected, got {len(sent)}"
        pairs = [(f"{path}.{index}", one, other) for index, (one, other) in enumerate(zip(expected, sent, strict=True))]
    else:
        return None if expected == sent else f"{path}: {_short(expected)} expected, got {_short(sent)}"
    found = (difference(one, other, target, bound, at) for at, one, other in pairs)
    return next((one for one in found if one is not None), None)


def without_points(history: Mapping[str, Any]) -> dict[str, Any]:
    """A history without its cache points; of messages only role and content."""
    bare: dict[str, Any] = {part: _bare(history.get(part) or ()) for part in ("tools", "system")}
    bare["messages"] = [
        {"role": message["role"], "content": _bare(message["content"])} for message in history.get("messages") or ()
    ]
    return bare


def cache_points(history: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any] | None]]:
    """Each cache point: the path, without cache points, of the block that it follows, its TTL, and that block.

    The block is none where the point stands first in its list.
    """
    for prefix, blocks in _lists(history):
        before: tuple[str, Mapping[str, Any] | None] = (prefix, None)
        count = 0
        for block in blocks:
            if "cachePoint" in block:
                yield before[0], block["cachePoint"].get("ttl", "5m"), before[1]
            else:
                before = (f"{prefix}.{count}", block)
                count += 1


def _lists(history: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    yield "tools", history.get("tools") or ()
    yield "system", history.get("system") or ()
    for index, message in enumerate(history.get("messages") or ()):
        yield f"messages.{index}.content", message["content"]


def _bare(blocks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [block for block in blocks if "cachePoint" not in block]


def _placeholder(expected: str, sent: Any, target: Mapping[str, Any], bound: dict[str, str], path: str) -> str | None:
    kind, _, detail = expected.partition(":")
    if not isinstance(sent, str):
        return f"{path}: a text expected, got {_short(sent)}"
    if kind == "$contains":
        return None if detail in sent.lower() else f"{path}: a text with {detail!r} expected, got {_short(sent)}"
    if kind == "$matches":
        return None if re.fullmatch(detail, sent) else f"{path}: {_short(sent)} does not match {detail}"
    if not re.fullmatch(target["tool_id"], sent):
        return f"{path}: the id {_short(sent)} does not match {target['tool_id']}"
    if bound.setdefault(detail, sent) != sent:
        return f"{path}: the id {bound[detail]!r} expected, as of the call, got {_short(sent)}"
    shared = [letter for letter, value in bound.items() if value == sent and letter != detail]
    return f"{path}: the id {_short(sent)} stands for two calls" if shared else None


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
