"""Pins: a caller or a configuration insists on one model, and Turnout serves it or refuses.

A pin may stand on a request, on its session or on a tag that it carries. The narrower one wins: that of the request,
then that of the session, then that of the first of its tags in the order of the configuration. What comes out is
`turnout.core.request.Request.pin`, which `turnout.core.decide` obeys; nothing is decided here.

Known limitation: a decision stores the pinned model, not whose pin it was.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

import msgspec

from turnout.core.catalog import UnknownModelError, unknown
from turnout.core.policy import Policy
from turnout.core.request import Request

PinSource = Literal["request", "session", "tag"]
"""Whose pin it is, from the narrowest to the widest."""


class Pinned(NamedTuple):
    """A pin that holds for a request.

    Attributes:
        model: Catalog id of the model.
        source: Whose pin it is.
        tag: The tag that it comes from; none with another source.
    """

    model: str
    source: PinSource
    tag: str | None = None

    def __str__(self) -> str:
        return f"{self.model}, pinned by the {self.source}" + (f" {self.tag!r}" if self.tag is not None else "")


NO_TAGS: Mapping[str, str] = {}
"""No tag is pinned."""


def pinned(
    *,
    request: str | None = None,
    session: str | None = None,
    tags: Collection[str] = (),
    pinned_tags: Mapping[str, str] = NO_TAGS,
) -> Pinned | None:
    """The pin that holds, or none.

    Args:
        request: The model that the request itself is pinned to.
        session: The model that its session is pinned to.
        tags: The tags that the request carries; one that is not pinned says nothing.
        pinned_tags: For each pinned tag the catalog id of its model; the first that the request carries holds.
    """
    if request is not None:
        return Pinned(request, "request")
    if session is not None:
        return Pinned(session, "session")
    for tag, model in pinned_tags.items():
        if tag in tags:
            return Pinned(model, "tag", tag)
    return None


def with_pin(request: Request, pin: Pinned | None) -> Request:
    """The request with that pin in place of its own; without a pin as it is."""
    return request if pin is None else msgspec.structs.replace(request, pin=pin.model)


def check_pin(model: str, policy: Policy) -> str:
    """A pin's model, if it is one of the policy's candidates.

    Raises:
        UnknownModelError: It is none; the message names the nearest one.
    """
    candidates = [candidate.model for candidate in policy.candidates]
    if model not in candidates:
        raise UnknownModelError(unknown("candidate", model, candidates))
    return model
