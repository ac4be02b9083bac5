"""The gate: finds out who asks, by whatever a client shows, and lets him in or not.

==================================  ===========================================
what a client shows                 who sends it
==================================  ===========================================
``Authorization: Bearer tk-...``    openai, Claude Code, and boto3 with ``AWS_BEARER_TOKEN_BEDROCK`` (over TLS)
``x-api-key: tk-...``               anthropic
``Authorization: AWS4-HMAC-...``    boto3 with a signing pair, at the Bedrock door
nothing                             anybody on this machine, as long as no key was made
==================================  ===========================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from turnout.doors.gateway.access.denial import Denial
from turnout.doors.gateway.access.keys import ANYBODY, Key, KeyRing, usable
from turnout.doors.gateway.access.listening import Listening, check_local
from turnout.doors.gateway.access.sigv4 import ALGORITHM, Head, Signed, read_signature


class Unverified(msgspec.Struct, frozen=True, kw_only=True):
    """A signed request whose body has to come before it is known who asks: until then nothing may be done for it."""

    key: Key
    signed: Signed
    secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Unverified({self.key.id!r})"

    def verify(self, body: bytes) -> Key | Denial:
        """Who asks, now that the body is there."""
        if not self.signed.verify(self.secret, body):
            return Denial(
                status=403,
                code="invalid_signature",
                message="the signature is not that of this request: either the secret is another one, or the request "
                "was changed on its way",
            )
        return usable(self.key)


class Gate:
    """Finds out who asks.

    Args:
        keys: Gives the keys as they are now.
        listening: What is asked of clients where the gateway listens.
    """

    def __init__(self, keys: Callable[[], KeyRing], listening: Listening) -> None:
        self._keys = keys
        self._listening = listening

    def enter(self, head: Head, now_s: float, *, bedrock: bool = False) -> Key | Unverified | Denial:
        """Who asks, or why nobody is let in; a signed request is decided when its body is there.

        Args:
            head: The request up to its body.
            now_s: Seconds since the epoch.
            bedrock: Whether it came to the Bedrock door.

        Returns:
            The key (`ANYBODY` where none is needed), what is to be verified with the body, or the denial.
        """
        ring = self._keys()
        if self._listening.open and not len(ring):
            return check_local(head.headers) or ANYBODY
        shown = [field for field in head.headers if field[0] in _SHOWING]
        for name, value in shown:
            if name == b"authorization" and value.startswith(ALGORITHM):
                return self._signed(ring, head, now_s) if bedrock else _NO_SIGNATURES
        tokens = _tokens(shown)
        if not tokens:
            return _NOTHING_BEDROCK if bedrock else _NOTHING
        if len(tokens) > 1:
            return _TWO_KEYS
        if bedrock and not self._listening.bedrock_bearer:
            return _NO_TLS
        return ring.check(tokens[0])

    def _signed(self, ring: KeyRing, head: Head, now_s: float) -> Unverified | Denial:
        signed = read_signature(head, now_s, unsigned_payload=self._listening.unsigned_payload)
        if isinstance(signed, Denial):
            return signed
        pair = ring.pair(signed.access_key_id)
        if pair is None:
            return _NO_PAIR
        key, secret = pair
        return Unverified(key=key, signed=signed, secret=secret)


_SHOWING = (b"authorization", b"x-api-key")


def _tokens(headers: Sequence[tuple[bytes, bytes]]) -> list[str]:
    """The keys that a client shows, each once; what is no key of ours only where nothing else is shown."""
    found = []
    for name, value in headers:
        if name == b"x-api-key":
            found.append(value.decode("latin-1").strip())
        elif name == b"authorization":
            text = value.decode("latin-1").strip()
            scheme, _, rest = text.partition(" ")
            found.append(rest.strip() if scheme.lower() == "bearer" else text)
    if len(found) == 1:
        return found if found[0] else []
    shown = dict.fromkeys(one for one in found if one)
    # A client that is set up for its provider too shows that key in the other header.
    return list(dict.fromkeys(one for one in shown if one.startswith("tk-"))) or list(shown)[:1]


_NOTHING = Denial(
    status=401,
    code="no_key",
    message="the gateway needs a key: Authorization: Bearer tk-..., or x-api-key",
)
_NOTHING_BEDROCK = Denial(
    status=401,
    code="no_key",
    message="the gateway needs a key: AWS_BEARER_TOKEN_BEDROCK over TLS, or a signature with a pair from "
    "`turnout keys create NAME --aws`",
)
_TWO_KEYS = Denial(status=401, code="two_keys", message="the request shows two different keys: show one")
_NO_TLS = Denial(
    status=403,
    code="needs_tls",
    message="the Bedrock door takes a key as a bearer token over TLS only: start the gateway with --tls-cert, or sign "
    "with a pair from `turnout keys create NAME --aws`",
)
_NO_SIGNATURES = Denial(
    status=401,
    code="no_key",
    message="only the Bedrock door takes AWS' signature: show a key, Authorization: Bearer tk-..., or x-api-key",
)
_NO_PAIR = Denial(
    status=403,
    code="unknown_access_key",
    message="the gateway does not know this access key id: it takes pairs from `turnout keys create NAME --aws`, none "
    "of AWS",
)
