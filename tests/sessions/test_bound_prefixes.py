"""What is held of prefixes, how it expires, and what may be forgotten; in whole worlds: test_spend_bound.py."""

from __future__ import annotations

import pytest

from turnout.config import load_catalog
from turnout.config.pairs import PAIR_4
from turnout.core.warm_debt import Held, debt_prices
from turnout.sessions.bound_prefixes import BoundPrefixes

MODEL = load_catalog()[PAIR_4.capable]


def alike(name: str, until_ms: int) -> Held:
    """Held by the shadow and in fact for as long."""
    return Held(prefix_hash=name, tokens=1_000, shadow_ms=until_ms, fact_ms=until_ms)


def owed(name: str, until_ms: int, base: str = "") -> Held:
    """Held by the shadow alone."""
    return Held(prefix_hash=name, tokens=1_000, shadow_ms=until_ms, owed_tokens=1_000, base=base)


def test_what_is_owed_is_written_off_once_when_it_expires_in_the_shadow() -> None:
    prefixes = BoundPrefixes(10)
    prefixes.keep(MODEL, (alike("a", 100), owed("b", 200)), now_ms=0)
    assert (len(prefixes), set(prefixes.of(MODEL.id)), prefixes.of("another")) == (2, {"a", "b"}, {})
    assert list(prefixes.expired(99)) == []
    assert list(prefixes.expired(199)) == []
    assert set(prefixes.of(MODEL.id)) == {"b"}
    assert list(prefixes.expired(200)) == [1_000 * debt_prices(MODEL)["5m"]]
    assert list(prefixes.expired(10_000)) == []
    assert len(prefixes) == 0


def test_what_expires_in_fact_after_the_shadow_stays_until_then() -> None:
    prefixes = BoundPrefixes(10)
    prefixes.keep(MODEL, (Held(prefix_hash="a", tokens=9, shadow_ms=100, fact_ms=300, owed_tokens=5),), now_ms=0)
    assert len(list(prefixes.expired(100))) == 1
    assert prefixes.of(MODEL.id)["a"].owed_tokens == 0
    assert list(prefixes.expired(300)) == []
    assert len(prefixes) == 0


def test_too_many_are_forgotten_from_the_first_to_expire_and_that_is_known() -> None:
    prefixes = BoundPrefixes(8)
    prefixes.keep(MODEL, tuple(alike(f"p{number}", 100 + number) for number in range(9)), now_ms=0)
    assert set(prefixes.of(MODEL.id)) == {f"p{number}" for number in range(3, 9)}
    assert prefixes.blind_until_ms == 102


def test_what_is_owed_and_what_it_is_charged_from_are_never_forgotten() -> None:
    prefixes = BoundPrefixes(4)
    prefixes.keep(MODEL, (alike("base", 10), owed("b", 20, base="base"), owed("c", 30)), now_ms=0)
    prefixes.keep(MODEL, tuple(alike(f"p{number}", 1 + number) for number in range(4)), now_ms=0)
    assert {"base", "b", "c"} <= set(prefixes.of(MODEL.id))
    assert len(prefixes) == 3


@pytest.mark.parametrize(("more", "full"), [(6, False), (7, True)])
def test_half_of_the_memory_is_for_what_may_not_be_forgotten(more: int, full: bool) -> None:
    prefixes = BoundPrefixes(10)
    prefixes.keep(MODEL, (owed("a", 100), owed("b", 100)), now_ms=0)
    assert prefixes.full(more) is full
    # Once more the same: it counts once.
    prefixes.keep(MODEL, (owed("a", 150),), now_ms=0)
    assert prefixes.full(more) is full
