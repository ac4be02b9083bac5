"""Checks AWS' signature, version 4, as clients of Bedrock send it in the ``Authorization`` header.

What is signed: method, path, query, the headers that the client names, and the SHA-256 of the body. It is computed
anew from what came and compared in constant time. Beyond AWS' rules a request is refused

- if a header that could change what it means is there but not signed: host, content-type, ``x-amz-*``, ``x-turnout-*``;
- if one of the headers that the check itself reads came twice;
- if its path has empty or dot segments: they are signed as if they were not there.

Source: "Signature Version 4 signing process" in AWS' IAM guide, and ``botocore.auth.SigV4Auth`` of botocore 1.44.5.

Known limitations: a request that was overheard can be sent again within five minutes: use TLS where others can listen.
A proxy that rewrites ``Host`` or the path breaks signatures. Signatures in the query (presigned URLs) and bodies signed
in chunks are not taken.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import quote

import msgspec

from turnout.doors.gateway.access.denial import Denial

SERVICE = "bedrock"
"""What clients of Bedrock sign for."""

SKEW_S = 300
"""How many seconds the client's clock may be off; as at AWS."""

UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

ALGORITHM = b"AWS4-HMAC-SHA256"

_CREDENTIAL = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=([A-Za-z0-9]{1,128})/([0-9]{8})/([A-Za-z0-9-]{1,64})/([a-z0-9-]{1,64})/aws4_request"
    r", *"
    r"SignedHeaders=([a-z0-9!#$%&'*+.^_`|~-]+(?:;[a-z0-9!#$%&'*+.^_`|~-]+)*), *Signature=([0-9a-f]{64})"
)
_TIME = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_READ_HERE = (b"authorization", b"host", b"x-amz-date", b"x-amz-content-sha256", b"content-type")
_MUST_BE_SIGNED = (b"host", b"content-type")
_MUST_BE_SIGNED_PREFIX = (b"x-amz-", b"x-turnout-")


class Head(msgspec.Struct, frozen=True):
    """What came before a request's body, as it was on the wire.

    Attributes:
        method: Such as ``POST``.
        raw_path: The path before percent-decoding, without the query.
        query: What follows the question mark, or nothing.
        headers: Names in small letters and values, in the order in which they came.
    """

    method: str
    raw_path: bytes
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A signature and all of what it is over but the body; not verified yet.

    Attributes:
        access_key_id: Who says to have signed.
        date: The day of the scope, such as ``20261123``.
        region: The scope's region; any will do.
        time: When it was signed, as in ``x-amz-date``.
        canonical: The canonical request up to the body's hash.
        covers_body: Whether the body is signed too.
        signature: 64 hexadecimal digits.
    """

    access_key_id: str
    date: str
    region: str
    time: str
    canonical: str
    covers_body: bool
    signature: str

    def __repr__(self) -> str:
        """Without the signature and what it is over."""
        return f"Signed({self.access_key_id!r})"

    def verify(self, secret: str, body: bytes) -> bool:
        """Whether whoever has the secret signed exactly this request with this body."""
        # A hash that the client states in a header is signed as that header; what counts here is the body that came.
        payload = sha256(body).hexdigest() if self.covers_body else UNSIGNED_PAYLOAD
        request = sha256(f"{self.canonical}\n{payload}".encode()).hexdigest()
        scope = f"{self.date}/{self.region}/{SERVICE}/aws4_request"
        key = _hmac(b"AWS4" + secret.encode(), self.date)
        for part in (self.region, SERVICE, "aws4_request"):
            key = _hmac(key, part)
        computed = _hmac(key, f"AWS4-HMAC-SHA256\n{self.time}\n{scope}\n{request}").hex()
        return hmac.compare_digest(computed, self.signature)


def read_signature(head: Head, now_s: float, *, unsigned_payload: bool) -> Signed | Denial:
    """Read a request's signature, and refuse what cannot be verified whatever the secret is.

    Args:
        head: The request up to its body.
        now_s: Seconds since the epoch.
        unsigned_payload: Whether the body may be left out of the signature.
    """
    values: dict[bytes, list[str]] = {}
    for name, value in head.headers:
        values.setdefault(name, []).append(_text(value))
    doubled = [name.decode() for name in _READ_HERE if len(values.get(name, ())) > 1]
    if doubled:
        return _malformed(f"the header {doubled[0]} came more than once")
    once = {name: values[name][0] for name in _READ_HERE if name in values}
    form = _CREDENTIAL.fullmatch(once.get(b"authorization", ""))
    if form is None:
        return _malformed("the Authorization header is not of the form that AWS' signature, version 4, has")
    access_key_id, date, region, service, names, signature = form.groups()
    if service != SERVICE:
        return _malformed(f"it is signed for the service {service!r}, and this door is {SERVICE!r}")
    time = once.get(b"x-amz-date", "")
    signed_s = _seconds(time)
    if signed_s is None:
        return _malformed("x-amz-date must say when it was signed, such as 20261123T091500Z")
    if time[:8] != date:
        return _malformed("the day in Credential is not that of x-amz-date")
    if abs(now_s - signed_s) > SKEW_S:
        return Denial(
            status=403,
            code="clock_skew",
            message=f"the request was signed at {time}, and here it is {_written(now_s)}: more than five minutes "
            "apart; set the clock",
        )
    signed = names.encode().split(b";")
    denial = _check_names(signed, values) or _check_path(head.raw_path) or _check_characters(head)
    if denial is not None:
        return denial
    payload = once.get(b"x-amz-content-sha256")
    if payload == UNSIGNED_PAYLOAD:
        if not unsigned_payload:
            return _malformed("the body must be signed where there is no TLS")
    elif payload is not None and _SHA256.fullmatch(payload) is None:
        return _malformed("x-amz-content-sha256 must be the SHA-256 of the body, or UNSIGNED-PAYLOAD")
    return Signed(
        access_key_id=access_key_id,
        date=date,
        region=region,
        time=time,
        canonical=_canonical(head, signed, names, values),
        covers_body=payload != UNSIGNED_PAYLOAD,
        signature=signature,
    )


def _check_names(signed: Sequence[bytes], there: Collection[bytes]) -> Denial | None:
    if list(signed) != sorted(set(signed)):
        return _malformed("SignedHeaders must be in order, each once")
    missing = [name for name in signed if name not in there]
    if missing:
        return _malformed(f"the header {_text(missing[0])} is signed and not there")
    if b"host" not in signed:
        return _malformed("the header host must be signed")
    for name in there:
        if (name in _MUST_BE_SIGNED or name.startswith(_MUST_BE_SIGNED_PREFIX)) and name not in signed:
            return _malformed(f"the header {_text(name)} must be signed")
    return None


def _check_path(path: bytes) -> Denial | None:
    first, *segments = path.split(b"/")
    if first or not segments or any(segment in (b"", b".", b"..") for segment in segments[:-1]):
        return _malformed("the path must begin with / and have no empty or dot segments")
    if segments[-1] in (b".", b".."):
        return _malformed("the path must have no dot segments")
    return None


def _check_characters(head: Head) -> Denial | None:
    # A line's end in a value would let it stand for another header. Servers refuse it; this does not rest on that.
    if any(
        _CONTROL.search(value) for value in (head.method.encode(), head.query, *(value for _, value in head.headers))
    ):
        return _malformed("it holds control characters")
    return None


def _canonical(head: Head, signed: Sequence[bytes], names: str, headers: Mapping[bytes, Sequence[str]]) -> str:
    """The canonical request up to the body's hash."""
    pairs = sorted(pair.partition(b"=")[::2] for pair in head.query.split(b"&")) if head.query else []
    query = "&".join(f"{_text(name)}={_text(value)}" for name, value in pairs)
    lines = []
    for name in signed:
        # Only blanks are folded; a client that folds other white space too would let it be exchanged unseen.
        values = [" ".join(filter(None, value.split(" "))) for value in headers[name]]
        lines.append(f"{_text(name)}:{','.join(values)}\n")
    return f"{head.method}\n{quote(head.raw_path)}\n{query}\n{''.join(lines)}\n{names}"


def _seconds(time: str) -> float | None:
    form = _TIME.fullmatch(time)
    if form is None:
        return None
    try:
        year, month, day, hour, minute, second = map(int, form.groups())
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None  # there is no such day or hour


def _written(now_s: float) -> str:
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _hmac(key: bytes, message: str) -> bytes:
    return hmac.digest(key, message.encode(), "sha256")


def _malformed(why: str) -> Denial:
    return Denial(status=403, code="invalid_signature", message=f"the request's signature cannot be checked: {why}")
