"""Which headers go through, both ways: all that are not listed here, each with its reason.

Of a request are left out: what belongs to the hop (RFC 9110, section 7.6.1), what names or proves the client towards
Turnout (the provider sees Turnout's own credentials), what is meant for Turnout, what tells of the way that the request
came, and the wish for compression, since usage has to be read. Of an answer: what belongs to the hop, cookies, and what
the server of the door writes by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

_HOP = {
    b"connection",
    b"expect",
    b"http2-settings",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
_FRAMING = {b"content-length", b"host"}
_CREDENTIALS = {
    b"api-key",
    b"authorization",
    b"cookie",
    # With which of its accounts the client would be served.
    b"openai-organization",
    b"openai-project",
    b"x-api-key",
    # AWS' signature
    b"x-amz-content-sha256",
    b"x-amz-date",
    b"x-amz-security-token",
}
_WAY = {b"forwarded", b"origin", b"referer", b"via", b"x-real-ip"}
_OURS = (b"x-turnout-", b"x-forwarded-", b"sec-fetch-")
_NOT_SENT = frozenset(_HOP | _FRAMING | _CREDENTIALS | _WAY | {b"accept-encoding"})
_NOT_RETURNED = frozenset(
    _HOP | _FRAMING | {b"alt-svc", b"date", b"server", b"set-cookie", b"strict-transport-security"}
)

IDENTITY = (b"accept-encoding", b"identity")
"""Asks for an answer that is not compressed."""


def sent_on(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of a request that go to the provider; names are in small letters."""
    kept = [field for field in headers if field[0] not in _NOT_SENT and not field[0].startswith(_OURS)]
    named = _named_by_connection(headers)
    if named:
        kept = [field for field in kept if field[0] not in named]
    kept.append(IDENTITY)
    return kept


def returned(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of a provider's answer that go to the client; names are in small letters."""
    kept = [field for field in headers if field[0] not in _NOT_RETURNED and not field[0].startswith(b"x-turnout-")]
    named = _named_by_connection(headers)
    return [field for field in kept if field[0] not in named] if named else kept


def _named_by_connection(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """Headers that the sender says belong to the hop."""
    for name, value in headers:
        if name == b"connection" and value.lower() not in (b"keep-alive", b"close"):
            return frozenset(part.strip().lower() for part in value.split(b","))
    return frozenset()
