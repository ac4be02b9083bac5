from __future__ import annotations

from turnout.core.cache import COLD, CacheEntry, CacheState
from turnout.evaluate.plan.overlay import Overlay

HOUR_MS = 3_600_000


def state(*hashes: str, until_ms: int = 10_000) -> CacheState:
    return CacheState(tuple([CacheEntry(prefix_hash=one, ttl="5m", expires_ms=until_ms) for one in hashes]))


def test_without_a_difference_it_is_what_was_recorded_itself() -> None:
    overlay, recorded = Overlay(), state("head")
    assert overlay.state("m", recorded, ["head", "query"], 0) is recorded
    overlay.settle("m", state("head"), state("head"), ["head", "query"], 0)
    assert overlay.state("m", recorded, ["head", "query"], 0) is recorded
    assert not overlay.differs("m", ["head"], 0)


def test_what_the_side_wrote_is_there_and_what_it_did_not_write_is_not() -> None:
    overlay = Overlay()
    overlay.settle("own", state("head", "query"), COLD, ["head", "query"], 0)
    overlay.settle("theirs", COLD, state("head"), ["head"], 0)
    assert overlay.state("own", COLD, ["head", "query"], 5) == state("head", "query")
    assert overlay.state("own", COLD, ["other"], 5) == COLD
    # The recorded state of a later decision holds the head, another session's prefix too: that one stands.
    assert overlay.state("theirs", state("head", "other"), ["head", "other"], 5) == state("other")


def test_it_ends_where_both_have_the_same_again() -> None:
    overlay = Overlay()
    overlay.settle("m", COLD, state("head"), ["head"], 0)
    assert overlay.differs("m", ["head"], 1)
    overlay.settle("m", state("head", until_ms=20_000), state("head", until_ms=20_000), ["head"], 5)
    assert not overlay.differs("m", ["head"], 6)


def test_it_ends_after_the_longest_ttl() -> None:
    overlay = Overlay()
    overlay.settle("m", COLD, state("head"), ["head"], 0)
    assert overlay.differs("m", ["head"], HOUR_MS - 1)
    assert not overlay.differs("m", ["head"], HOUR_MS)
    assert overlay.state("m", state("head", until_ms=2 * HOUR_MS), ["head"], HOUR_MS).entries


def test_a_prefix_that_expires_otherwise_is_a_difference() -> None:
    overlay = Overlay()
    overlay.settle("m", state("head", until_ms=9_000), state("head"), ["head"], 0)
    assert overlay.state("m", state("head"), ["head"], 1) == state("head", until_ms=9_000)


def test_it_forgets_the_oldest_first() -> None:
    overlay = Overlay(max_prefixes=2)
    for place, name in enumerate(("a", "b", "c")):
        overlay.settle("m", COLD, state(name), [name], place)
    assert [overlay.differs("m", [name], 5) for name in ("a", "b", "c")] == [False, True, True]
