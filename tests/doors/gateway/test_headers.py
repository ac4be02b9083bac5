"""Turnout's own headers and the members of the metadata that stand for them."""

from __future__ import annotations

import pytest

from turnout.doors.gateway.headers import NO_WISHES, WishError, Wishes, wishes_of


def test_nothing_is_asked() -> None:
    assert wishes_of([(b"content-type", b"application/json")], {}) is NO_WISHES


def test_headers_win_over_metadata() -> None:
    headers = [(b"x-turnout-pin", b" gpt-5 "), (b"x-turnout-tags", b"a, b,,c "), (b"x-turnout-query-id", b"q1")]
    wishes = wishes_of(headers, {"pin": "gpt-5-mini", "session_id": "s1"})
    assert wishes == Wishes(pin="gpt-5", session="s1", tags=("a", "b", "c"), query_id="q1")


def test_empty_ones_ask_nothing() -> None:
    assert wishes_of([(b"x-turnout-pin", b""), (b"x-turnout-session", b"")], {}) == Wishes()


@pytest.mark.parametrize(
    ("headers", "overrides", "said"),
    [
        (
            [(b"x-turnout-sesion", b"a")],
            {},
            "unknown header 'x-turnout-sesion'; the nearest known one is 'x-turnout-session'",
        ),
        ([], {"pins": "x"}, "unknown member of the metadata 'turnout_pins'; the nearest known one is 'turnout_pin'"),
        ([(b"x-turnout-session", b"a" * 513)], {}, "turnout_session is longer than 512 characters"),
    ],
)
def test_what_is_not_known(headers: list[tuple[bytes, bytes]], overrides: dict[str, str], said: str) -> None:
    with pytest.raises(WishError) as caught:
        wishes_of(headers, overrides)
    assert str(caught.value) == said
