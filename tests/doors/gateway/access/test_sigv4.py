from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
import pytest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.doors.gateway.access.support import HOST, signed, time_of
from turnout.doors.gateway.access.denial import Denial
from turnout.doors.gateway.access.sigv4 import SKEW_S, Head, Signed, read_signature

ID, SECRET = "TKIAABCDEFGHIJKLMNOP", "secret-of-256-bits"
PAIR = Credentials(ID, SECRET)
TEMPORARY = Credentials(ID, SECRET, "a-session-token")


def read(head: Head, now_s: float | None = None, *, unsigned_payload: bool = False) -> Signed | Denial:
    return read_signature(head, time_of(head) if now_s is None else now_s, unsigned_payload=unsigned_payload)


def verified(
    head: Head, body: bytes, secret: str = SECRET, *, unsigned_payload: bool = False, now_s: float | None = None
) -> bool:
    found = read(head, now_s, unsigned_payload=unsigned_payload)
    return isinstance(found, Signed) and found.verify(secret, body)


def why(head: Head, now_s: float | None = None) -> str:
    """Why a request is refused before its secret is asked for."""
    found = read(head, now_s)
    assert isinstance(found, Denial)
    assert found.status == 403
    assert found.code in ("invalid_signature", "clock_skew")
    assert SECRET not in found.message
    return found.message


def changed(head: Head, name: bytes, change: Callable[[bytes], bytes] | bytes) -> Head:
    """The head with another value of one header."""
    if isinstance(change, bytes):
        fields = [(known, change if known == name else value) for known, value in head.headers]
    else:
        fields = [(known, change(value) if known == name else value) for known, value in head.headers]
    return msgspec.structs.replace(head, headers=fields)


@pytest.mark.parametrize("credentials", [PAIR, TEMPORARY])
@pytest.mark.parametrize(
    "target",
    [
        "/model/global.anthropic.claude-haiku-5-5/converse",
        "/model/anthropic.claude-v2%3A1/converse-stream",
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fab/converse",
        "/model/mod%C3%A8le%20%E6%97%A5%2B/converse",
        "/model/a~b_c-d.e;f,g='(h)!*$&@/converse",
        "/model/%2541/%252F",
        "/model/x/",
        "/",
        "/model/m/converse?b=2&a=1&a=&a&=x&c=%20%C3%A9&d=a=b",
        "/model/m/converse?",
    ],
)
def test_what_botocore_signs_is_verified(credentials: Credentials, target: str) -> None:
    head, body = signed(credentials, target=target, body='{"prompt": "Grüße 日本"}'.encode())
    assert verified(head, body)
    assert not verified(head, body + b" ")
    assert not verified(head, body, "another-secret")


def test_any_region_will_do_and_the_service_not() -> None:
    assert verified(*signed(PAIR, region="eu-central-1"))
    head, _ = signed(PAIR, service="s3")
    assert "'s3'" in why(head)


_LATIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f\x85\xa0"), max_size=20)
# What quote() leaves and its escapes: what a client may put on the wire.
_SEGMENT = st.text(st.sampled_from("ab1~_-.;,=:@%E9%2F+"), min_size=1, max_size=8).filter(
    lambda text: text not in (".", "..") and "?" not in text
)


@st.composite
def _requests(draw: st.DrawFn) -> tuple[Head, bytes]:
    path = "/" + "/".join(draw(st.lists(_SEGMENT, min_size=1, max_size=4)))
    query = draw(st.text(st.sampled_from("ab=&%2F+"), max_size=10))
    return signed(
        draw(st.sampled_from([PAIR, TEMPORARY])),
        target=f"{path}?{query}" if query else path,
        body=draw(st.binary(max_size=40)),
        method=draw(st.sampled_from(["POST", "GET", "PUT"])),
        headers={"X-Amzn-Note": draw(_LATIN), "X-Turnout-Session": draw(_LATIN)},
    )


@given(_requests())
def test_whatever_botocore_signs_is_verified(request_: tuple[Head, bytes]) -> None:
    assert verified(*request_)


def _edited(draw: st.DrawFn, value: bytes, *, moves: bool = False) -> bytes:
    """A value with one byte exchanged, or if it may be also put in or taken out."""
    kind = draw(st.sampled_from(["exchange", "insert", "delete"] if moves and value else ["exchange"]))
    if not value or kind == "insert":
        place = draw(st.integers(0, len(value)))
        return value[:place] + bytes([draw(st.integers(0, 255))]) + value[place:]
    place = draw(st.integers(0, len(value) - 1))
    if kind == "delete":
        return value[:place] + value[place + 1 :]
    other = draw(st.integers(0, 255).filter(lambda byte: byte != value[place]))
    return value[:place] + bytes([other]) + value[place + 1 :]


@settings(max_examples=500)
@given(_requests(), st.data())
def test_any_changed_byte_is_refused(request_: tuple[Head, bytes], data: st.DataObject) -> None:
    head, body = request_
    part = data.draw(st.sampled_from(["method", "raw_path", "query", "body", "name", "value"]))
    draw: st.DrawFn = data.draw  # type: ignore[assignment]  # the same call without its label
    if part == "body":
        assert not verified(head, _edited(draw, body, moves=True))
        return
    if part in ("name", "value"):
        fields = list(head.headers)
        place = data.draw(st.integers(0, len(fields) - 1))
        name, value = fields[place]
        if part == "name":
            fields[place] = (_edited(draw, name, moves=True), value)
        elif value.strip(b" "):
            fields[place] = (name, _edited(draw, value))
        else:
            fields[place] = (name, value + b"x")
        edited = msgspec.structs.replace(head, headers=fields)
    else:
        value = getattr(head, part)
        new: str | bytes
        if part == "method":
            new = _edited(draw, value.encode(), moves=True).decode("latin-1")
        elif part == "query" and not value:
            new = data.draw(st.sampled_from([b"a", b"=", b"&"]))
        else:
            new = _edited(draw, value, moves=part == "raw_path")
        edited = msgspec.structs.replace(head, **{part: new})
    assert edited != head
    assert not verified(edited, body, now_s=time_of(head))


@pytest.mark.parametrize("name", ["x-amz-target", "x-turnout-pin", "x-amz-security-token"])
def test_a_header_that_means_something_must_be_signed(name: str) -> None:
    head, body = signed(PAIR)
    assert verified(head, body)
    more = msgspec.structs.replace(head, headers=[*head.headers, (name.encode(), b"x")])
    assert f"the header {name} must be signed" in why(more)
    harmless = msgspec.structs.replace(head, headers=[*head.headers, (b"user-agent", b"x"), (b"x-amzn-trace-id", b"1")])
    assert verified(harmless, body)


@pytest.mark.parametrize("name", ["host", "content-type"])
def test_host_and_content_type_must_be_signed(name: str) -> None:
    head, _ = signed(PAIR)
    without = changed(
        head, b"authorization", lambda value: value.replace(f"{name};".encode(), b"").replace(f";{name}".encode(), b"")
    )
    assert without != head
    assert f"the header {name} must be signed" in why(without)


def test_a_host_that_is_not_there_cannot_be_left_out() -> None:
    head, _ = signed(PAIR)
    without = changed(head, b"authorization", lambda value: value.replace(b";host", b""))
    bare = msgspec.structs.replace(without, headers=[one for one in without.headers if one[0] != b"host"])
    assert "the header host must be signed" in why(bare)
    gone = msgspec.structs.replace(head, headers=[one for one in head.headers if one[0] != b"host"])
    assert "the header host is signed and not there" in why(gone)


@pytest.mark.parametrize("name", ["authorization", "host", "x-amz-date", "content-type", "x-amz-content-sha256"])
def test_a_header_that_counts_comes_once(name: str) -> None:
    head, _ = signed(PAIR, unsigned_payload=True)
    [value] = [value for known, value in head.headers if known == name.encode()]
    twice = msgspec.structs.replace(head, headers=[*head.headers, (name.encode(), value)])
    assert f"the header {name} came more than once" in why(twice)


def test_values_of_a_header_that_comes_twice_are_joined_in_their_order() -> None:
    head, body = signed(PAIR, headers={"X-Note": "one,two  three"})
    fields = [one for one in head.headers if one[0] != b"x-note"]
    split = msgspec.structs.replace(head, headers=[*fields, (b"x-note", b" one"), (b"x-note", b"two three ")])
    assert verified(split, body)
    turned = msgspec.structs.replace(head, headers=[*fields, (b"x-note", b"two three"), (b"x-note", b"one")])
    assert not verified(turned, body)


@pytest.mark.parametrize("path", [b"//model/m", b"/model//m", b"/./m", b"/a/../m", b"/m/..", b"/m/.", b"/.", b"m", b""])
def test_paths_that_are_signed_as_another_one_are_refused(path: bytes) -> None:
    head, _ = signed(PAIR, target="/model/m")
    assert "path" in why(msgspec.structs.replace(head, raw_path=path))


@pytest.mark.parametrize("off_s", [SKEW_S, -SKEW_S])
def test_the_clock_may_be_five_minutes_off(off_s: int) -> None:
    head, body = signed(PAIR)
    at_s = time_of(head)
    found = read(head, at_s + off_s)
    assert isinstance(found, Signed)
    assert found.verify(SECRET, body)
    message = why(head, at_s + off_s + (1 if off_s > 0 else -1))
    assert "set the clock" in message
    assert datetime.fromtimestamp(at_s, UTC).strftime("%Y%m%dT%H%M%SZ") in message


def test_the_time_must_be_there_be_one_and_agree_with_the_scope() -> None:
    head, _ = signed(PAIR)
    at_s = time_of(head)
    for value in (b"", b"20261332T000000Z", b"20261123T99", b"Mon, 23 Nov 2026 09:15:00 GMT"):
        assert "x-amz-date must say" in why(changed(head, b"x-amz-date", value), at_s)
    day = dict(head.headers)[b"x-amz-date"][:8]
    dated = changed(head, b"authorization", lambda value: value.replace(b"/" + day + b"/", b"/20200101/"))
    assert dated != head
    assert "not that of x-amz-date" in why(dated, at_s)
    without = msgspec.structs.replace(head, headers=[one for one in head.headers if one[0] != b"x-amz-date"])
    assert "x-amz-date must say" in why(without, at_s)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"AWS4-HMAC-SHA256",
        b"AWS4-HMAC-SHA512 Credential=x",
        b"AWS4-HMAC-SHA256 Credential=A/20261123/r/bedrock/aws4_request, SignedHeaders=host, Signature=" + b"g" * 64,
        b"AWS4-HMAC-SHA256 Credential=A/B/20261123/r/bedrock/aws4_request, SignedHeaders=host, Signature=" + b"0" * 64,
        b"AWS4-HMAC-SHA256 Credential=A/20261123/r/bedrock/aws4_request, SignedHeaders=;host, Signature=" + b"0" * 64,
        b"AWS4-HMAC-SHA256 Credential=A/20261123/r/bedrock/aws4_request, SignedHeaders=Host, Signature=" + b"0" * 64,
        "AWS4-HMAC-SHA256 Credential=Ä/20261123/r/bedrock/aws4_request".encode(),
    ],
)
def test_an_authorization_of_another_form_is_refused(value: bytes) -> None:
    head, _ = signed(PAIR)
    assert "not of the form" in why(changed(head, b"authorization", value))


def test_signed_headers_are_in_order_and_each_once() -> None:
    head, _ = signed(PAIR)
    assert b"content-type;host;" in dict(head.headers)[b"authorization"]
    for names in (b"host;content-type;", b"content-type;host;host;"):
        value = dict(head.headers)[b"authorization"].replace(b"content-type;host;", names)
        edited = changed(head, b"authorization", value)
        assert "in order, each once" in why(edited)


def test_a_body_may_be_left_out_only_where_that_is_allowed() -> None:
    head, body = signed(PAIR, unsigned_payload=True)
    assert verified(head, body, unsigned_payload=True)
    assert verified(head, b"another body", unsigned_payload=True)
    assert "body must be signed" in why(head)
    # It is said in a header that is signed itself: a body that was signed cannot be made one that was not.
    plain, body = signed(PAIR)
    added = msgspec.structs.replace(plain, headers=[*plain.headers, (b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD")])
    assert not verified(added, b"another body", unsigned_payload=True)


def test_a_hash_that_is_stated_must_be_the_bodys() -> None:
    body = b'{"a": 1}'
    head, _ = signed(PAIR, body=body, headers={"X-Amz-Content-SHA256": sha256(body).hexdigest()})
    assert verified(head, body)
    assert not verified(head, body + b" ")
    head, _ = signed(PAIR, body=body, headers={"X-Amz-Content-SHA256": sha256(b"other").hexdigest()})
    assert not verified(head, body)
    head, _ = signed(PAIR, body=body, headers={"X-Amz-Content-SHA256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"})
    assert "must be the SHA-256 of the body" in why(head)


def test_white_space_that_is_no_blank_is_not_folded() -> None:
    head, body = signed(PAIR, headers={"X-Note": "a  b"})
    assert verified(head, body)
    assert verified(changed(head, b"x-note", b" a b"), body)
    for other in (b"a\tb", b"a\xa0b", b"a\x0bb", b"ab"):
        assert not verified(changed(head, b"x-note", other), body)


@pytest.mark.parametrize("control", [b"\n", b"\r", b"\0", b"\x7f"])
def test_control_characters_are_refused(control: bytes) -> None:
    head, _ = signed(PAIR, headers={"X-Note": "a"})
    for edited in (
        changed(head, b"x-note", b"a" + control + b"x-turnout-pin:b"),
        msgspec.structs.replace(head, query=b"a" + control),
        msgspec.structs.replace(head, method="POST" + control.decode()),
    ):
        assert "control characters" in why(edited)


def test_the_host_is_part_of_it() -> None:
    head, body = signed(PAIR)
    assert (b"host", HOST.encode()) in head.headers
    assert not verified(changed(head, b"host", b"evil.test:4141"), body)


@given(st.binary(max_size=200), st.binary(max_size=40), st.binary(max_size=40))
def test_no_bytes_break_it(value: bytes, path: bytes, query: bytes) -> None:
    head, body = signed(PAIR)
    at_s = time_of(head)
    for edited in (
        changed(head, b"authorization", b"AWS4-HMAC-SHA256 " + value),
        changed(head, b"x-amz-date", value),
        msgspec.structs.replace(head, raw_path=b"/" + path, query=query),
    ):
        found = read_signature(edited, at_s, unsigned_payload=False)
        assert isinstance(found, Denial) or not found.verify(SECRET, body)


def test_no_secret_and_no_signature_is_shown() -> None:
    head, _ = signed(PAIR)
    found = read(head)
    assert isinstance(found, Signed)
    assert repr(found) == f"Signed({ID!r})"
