"""The cache point that a decision places in a body that has none (policy ``markers = "fill"``).

It stands at the end of the head: after the system, or after the tools where there is no system
(`turnout.core.decide.cache_plan`). Nothing but the point is written; every other byte stays.

Known limitations: servers with OpenAI's API have no form for a point, whatever the model behind them caches.
"""

from __future__ import annotations

from typing import Any

import msgspec

from turnout.core.cache import Ttl
from turnout.messages.wire.asked import Asked, WireProtocol
from turnout.messages.wire.splice import Body
from turnout.router import Routed

_CLAUDE = (WireProtocol.ANTHROPIC, WireProtocol.INVOKE)
_ANY_DEPTH = 10_000
"""The client's body was held against the limit when it came."""


def with_cache_point(data: bytes, protocol: WireProtocol, asked: Asked, routed: Routed) -> bytes:
    """A body as it is sent, with the point where the decision places one.

    Where a provider would refuse a point, after a blank text or beside tools that are loaded later, there is none; nor
    where the client leaves it to the provider (``cache_control`` beside the messages).

    Args:
        data: The body in the provider's protocol, relayed or translated.
        protocol: The provider's.
        asked: The request.
        routed: The decision.
    """
    plan = routed.decision.cache_plan
    if plan.origin != "fill" or not plan.markers or routed.model.cache.mode != "explicit":
        return data
    (marker,) = plan.markers
    ttl = None if marker.ttl == routed.model.cache.ttls[0] else marker.ttl
    body = Body(data, max_depth=_ANY_DEPTH)
    if not body.is_null("cache_control"):
        return data
    if routed.given.request.segments[marker.segment].kind != "system":
        return body.edited(replace=_after_tools(body, protocol, ttl))
    if _is_blank(asked.conversation.system):
        return data
    return body.edited(replace=_after_system(body, protocol, ttl))


def _after_system(body: Body, protocol: WireProtocol, ttl: Ttl | None) -> dict[str, bytes]:
    raw = bytes(body.raws.get("system", b""))
    if protocol in _CLAUDE and raw[:1] == b'"':
        return {"system": b'[{"type":"text","text":%s,"cache_control":%s}]' % (raw, _control(ttl))}
    if raw[:1] != b"[":
        return {}
    if protocol in _CLAUDE:
        return {"system": _in_last_object(raw, ttl)}
    return {"system": _appended(raw, ttl)} if protocol is WireProtocol.CONVERSE else {}


def _after_tools(body: Body, protocol: WireProtocol, ttl: Ttl | None) -> dict[str, bytes]:
    if protocol in _CLAUDE:
        raw = bytes(body.raws.get("tools", b""))
        return {"tools": _in_last_object(raw, ttl)} if raw[:1] == b"[" and b'"defer_loading"' not in raw else {}
    if protocol is WireProtocol.CONVERSE and not body.is_null("toolConfig"):
        config = Body(bytes(body.raws["toolConfig"]))
        raw = bytes(config.raws.get("tools", b""))
        return {"toolConfig": config.edited(replace={"tools": _appended(raw, ttl)})} if raw[:1] == b"[" else {}
    return {}


def _is_blank(system: Any) -> bool:
    return not system or not str(system[-1].get("text", "")).strip()


def _in_last_object(raw: bytes, ttl: Ttl | None) -> bytes:
    """A list of objects whose last one has the point: only the list's end stands after its brace."""
    end = raw.rindex(b"}")
    return b'%s,"cache_control":%s%s' % (raw[:end], _control(ttl), raw[end:])


def _appended(raw: bytes, ttl: Ttl | None) -> bytes:
    """A list of blocks with the point after the last one."""
    end = raw.rindex(b"]")
    return b"%s,%s%s" % (raw[:end], _encoded({"cachePoint": {"type": "default", **_lasting(ttl)}}), raw[end:])


def _control(ttl: Ttl | None) -> bytes:
    return _encoded({"type": "ephemeral", **_lasting(ttl)})


def _lasting(ttl: Ttl | None) -> dict[str, str]:
    return {} if ttl is None else {"ttl": ttl}


_encoded = msgspec.json.encode
