"""Turnout's own headers: what a request asks of it, and what an answer tells of the decision.

In: ``x-turnout-pin``, ``x-turnout-session``, ``x-turnout-tags`` (a list with commas), ``x-turnout-query-id``. The same
may stand in the request's metadata as ``turnout_pin`` and so on; a header wins. Out: ``x-turnout-model``, ``-reason``,
``-request-id``, and ``-cost-usd`` where the cost is known before the answer is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from turnout.core.catalog import unknown
from turnout.router import Routed

_IN = {
    b"x-turnout-pin": "pin",
    b"x-turnout-session": "session",
    b"x-turnout-tags": "tags",
    b"x-turnout-query-id": "query_id",
}
_PREFIX = b"x-turnout-"
_LONGEST = 512


class WishError(ValueError):
    """A header or a member of the metadata that is meant for Turnout and is none that it knows."""


class Wishes(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a request asks of Turnout.

    Attributes:
        pin: The model that it insists on.
        session: Its session.
        tags: Its tags.
        query_id: What joins it to other records of the caller's.
    """

    pin: str | None = None
    session: str | None = None
    tags: tuple[str, ...] = ()
    query_id: str = ""


NO_WISHES = Wishes()
"""Nothing is asked."""


def wishes_of(headers: Iterable[tuple[bytes, bytes]], overrides: Mapping[str, str]) -> Wishes:
    """What headers and metadata ask.

    Args:
        headers: The request's, names in small letters.
        overrides: Members of the metadata that begin with ``turnout_``, without that.

    Raises:
        WishError: One is not known, or too long.
    """
    found = dict(overrides)
    if "session_id" in found:
        found.setdefault("session", found.pop("session_id"))
    for name, value in headers:
        if name.startswith(_PREFIX):
            if name not in _IN:
                raise WishError(unknown("header", name.decode("latin-1"), [known.decode() for known in _IN]))
            found[_IN[name]] = value.decode("latin-1").strip()
    if not found:
        return NO_WISHES
    for key, text in found.items():
        if key not in _IN.values():
            raise WishError(unknown("member of the metadata", f"turnout_{key}", [f"turnout_{k}" for k in _IN.values()]))
        if len(text) > _LONGEST:
            raise WishError(f"turnout_{key} is longer than {_LONGEST} characters")
    tags = tuple(tag for part in found.get("tags", "").split(",") if (tag := part.strip()))
    return Wishes(
        pin=found.get("pin") or None,
        session=found.get("session") or None,
        tags=tags,
        query_id=found.get("query_id", ""),
    )


def about(routed: Routed) -> list[tuple[bytes, bytes]]:
    """What is known of an answer before it comes."""
    return [
        (b"x-turnout-model", routed.model.id.encode()),
        (b"x-turnout-reason", routed.decision.reason.encode()),
        (b"x-turnout-request-id", routed.event_id.encode()),
    ]
