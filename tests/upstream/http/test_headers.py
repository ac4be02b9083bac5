"""Which headers go through."""

from __future__ import annotations

from turnout.upstream.http.headers import IDENTITY, returned, sent_on


def test_of_a_request() -> None:
    kept = [
        (b"anthropic-version", b"2023-06-01"),
        (b"anthropic-beta", b"a"),
        (b"anthropic-beta", b"b"),
        (b"x-own", b"1"),
    ]
    dropped = [
        (b"host", b"localhost:4141"),
        (b"content-length", b"10"),
        (b"connection", b"keep-alive, x-hop"),
        (b"x-hop", b"1"),
        (b"authorization", b"Bearer client"),
        (b"x-api-key", b"client"),
        (b"api-key", b"client"),
        (b"cookie", b"a=b"),
        (b"x-amz-date", b"x"),
        (b"x-amz-security-token", b"x"),
        (b"openai-organization", b"org"),
        (b"x-turnout-pin", b"gpt-5"),
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"accept-encoding", b"gzip"),
        (b"transfer-encoding", b"chunked"),
        (b"expect", b"100-continue"),
    ]
    assert sent_on([*dropped, *kept]) == [*kept, IDENTITY]


def test_of_an_answer() -> None:
    kept = [(b"content-type", b"application/json"), (b"request-id", b"req_1"), (b"retry-after", b"3")]
    dropped = [
        (b"date", b"now"),
        (b"server", b"x"),
        (b"content-length", b"3"),
        (b"transfer-encoding", b"chunked"),
        (b"set-cookie", b"a=b"),
        (b"connection", b"close"),
        (b"x-turnout-simulated", b"true"),
    ]
    assert returned([*kept, *dropped]) == kept
