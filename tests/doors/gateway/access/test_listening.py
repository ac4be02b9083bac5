from __future__ import annotations

import itertools
from typing import get_args

import pytest

from tests.doors.gateway.access.support import headers
from turnout.config.errors import ConfigError
from turnout.doors.gateway.access.listening import Listening, Tls, check_local, is_loopback, listening

LOCAL = ("127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "LOCALHOST", "localhost.", "::ffff:127.0.0.1")
ELSEWHERE = ("0.0.0.0", "::", "", "192.168.1.7", "10.0.0.1", "8.8.8.8", "fe80::1", "gateway.example", "127.1")
ELSEWHERE_ODD = ("localhost.example", "127.0.0.1.example", "::ffff:10.0.0.1", "[", "0")
TLS: tuple[Tls, ...] = get_args(Tls)


@pytest.mark.parametrize("host", LOCAL)
def test_addresses_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ELSEWHERE + ELSEWHERE_ODD)
def test_addresses_that_others_reach(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(("host", "tls"), list(itertools.product(ELSEWHERE, TLS)))
def test_elsewhere_nobody_is_let_in_without_a_key_that_works(host: str, tls: Tls) -> None:
    with pytest.raises(ConfigError, match="there are no keys: make one with `turnout keys create NAME`, or listen on"):
        listening(host, tls=tls, issued=0, active=0)
    with pytest.raises(ConfigError, match="all keys are revoked"):
        listening(host, tls=tls, issued=2, active=0)
    assert not listening(host, tls=tls, issued=1, active=1).open


@pytest.mark.parametrize(
    ("host", "tls", "issued", "active", "expected", "warned"),
    [
        ("127.0.0.1", "none", 0, 0, (True, False, True), ["every program on this machine"]),
        ("127.0.0.1", "own", 0, 0, (True, True, True), ["every program on this machine"]),
        ("127.0.0.1", "none", 1, 1, (False, False, True), []),
        ("127.0.0.1", "none", 1, 0, (False, False, True), ["nobody gets in"]),
        ("127.0.0.1", "proxy", 1, 1, (False, True, True), []),
        ("0.0.0.0", "none", 1, 1, (False, False, False), ["no TLS"]),
        ("0.0.0.0", "own", 3, 1, (False, True, True), []),
        ("0.0.0.0", "proxy", 1, 1, (False, True, True), []),
    ],
)
def test_what_is_asked_of_clients(
    host: str, tls: Tls, issued: int, active: int, expected: tuple[bool, bool, bool], warned: list[str]
) -> None:
    found = listening(host, tls=tls, issued=issued, active=active)
    assert (found.open, found.bedrock_bearer, found.unsigned_payload) == expected
    assert len(found.warnings) == len(warned)
    assert all(part in warning for part, warning in zip(warned, found.warnings, strict=True))


def test_the_same_gives_the_same() -> None:
    assert listening("::1", tls="none", issued=0, active=0) == Listening(
        open=True,
        bedrock_bearer=False,
        unsigned_payload=True,
        warnings=("no keys: every program on this machine may use the gateway; `turnout keys create` ends that",),
    )


@pytest.mark.parametrize(
    "fields",
    [
        headers(),
        headers(("host", "127.0.0.1:4141"), ("content-type", "application/json")),
        headers(("host", "[::1]:4141"), ("sec-fetch-site", "none")),
        headers(("host", "localhost"), ("origin", "http://localhost:3000"), ("sec-fetch-site", "same-site")),
    ],
)
def test_programs_and_pages_of_this_machine_are_let_in(fields: list[tuple[bytes, bytes]]) -> None:
    assert check_local(fields) is None


@pytest.mark.parametrize(
    "fields",
    [
        headers(("host", "evil.example:4141")),
        headers(("host", "localhost.evil.example")),
        headers(("host", "127.0.0.1@evil.example")),
        headers(("host", "")),
        headers(("host", "[")),
        headers(("host", "127.0.0.1:4141"), ("origin", "https://evil.example")),
        headers(("host", "127.0.0.1:4141"), ("origin", "null")),
        headers(("host", "127.0.0.1:4141"), ("sec-fetch-site", "cross-site")),
        headers(("host", "127.0.0.1:4141"), ("host", "evil.example")),
    ],
)
def test_pages_of_elsewhere_are_not(fields: list[tuple[bytes, bytes]]) -> None:
    denial = check_local(fields)
    assert denial is not None
    assert (denial.status, denial.code) == (403, "foreign_page")
