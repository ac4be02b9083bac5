"""Bills are worked out by hand; blocks have 1,000 tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.core.cache import CacheEntry, CachePlan, CacheRules, CacheState, Marker, Prompt, warm_prefixes, write_spans
from turnout.evaluate.replay.provider import Mark, SimulatedCache
from turnout.evaluate.replay.requests import Grain

RULES = CacheRules(floor_tokens=2000, ttls=("5m", "1h"))


def hashes(blocks: str) -> list[str]:
    return [blocks[: index + 1] for index in range(len(blocks))]


def send(cache: SimulatedCache, blocks: str, marks: list[Mark], at_s: float) -> tuple[int, int, int, int]:
    """Sends a prompt and gives what was read, written for 5 minutes and for 1 hour, and plain."""
    ends = [1000 * (index + 1) for index in range(len(blocks))]
    usage = cache.call(hashes(blocks), ends, marks, 10, round(at_s * 1000))
    assert usage.prompt_tokens == (ends[-1] if ends else 0)
    assert usage.output_tokens == 10
    return usage.cache_read_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens, usage.input_tokens


def cache(grain: Grain = "entries", rules: CacheRules = RULES) -> SimulatedCache:
    return SimulatedCache(rules, grain=grain)


@pytest.mark.parametrize("grain", ["entries", "blocks"])
def test_what_was_written_is_read_until_its_ttl_ends(grain: Grain) -> None:
    one = cache(grain)
    assert send(one, "abc", [(2, "5m")], 0) == (0, 3000, 0, 0)
    assert send(one, "abcd", [(3, "5m")], 299.999) == (3000, 1000, 0, 0)
    # The read renewed it.
    assert send(one, "abce", [(2, "5m")], 599.998) == (3000, 0, 0, 1000)
    assert send(one, "abc", [(2, "5m")], 900) == (0, 3000, 0, 0)


def test_without_a_cache_point_nothing_is_read_or_written() -> None:
    one = cache()
    send(one, "abc", [(2, "5m")], 0)
    assert send(one, "abc", [], 1) == (0, 0, 0, 3000)


def test_below_the_floor_nothing_is_cached() -> None:
    one = cache("blocks")
    assert send(one, "a", [(0, "5m")], 0) == (0, 0, 0, 1000)
    send(one, "abc", [(2, "5m")], 1)
    # The shared block is below the floor, though it is in the cache.
    assert send(one, "axy", [(2, "5m")], 2) == (0, 3000, 0, 0)


def test_entries_are_made_at_points_alone_and_blocks_everywhere() -> None:
    for grain, read in (("entries", 0), ("blocks", 3000)):
        one = cache("entries" if grain == "entries" else "blocks")
        send(one, "abcd", [(3, "5m")], 0)
        assert send(one, "abcx", [(3, "5m")], 1)[0] == read


def test_a_point_looks_back_so_many_blocks() -> None:
    short = CacheRules(floor_tokens=0, lookback_blocks=2)
    one = cache("entries", short)
    send(one, "ab", [(1, "5m")], 0)
    assert send(one, "abc", [(2, "5m")], 1)[0] == 2000
    one = cache("entries", short)
    send(one, "ab", [(1, "5m")], 0)
    assert send(one, "abcd", [(3, "5m")], 1)[0] == 0


def test_each_ttl_has_its_own_end() -> None:
    one = cache()
    assert send(one, "abcd", [(1, "1h"), (3, "5m")], 0) == (0, 2000, 2000, 0)
    assert send(one, "abcd", [(1, "1h"), (3, "5m")], 301) == (2000, 2000, 0, 0)


def test_points_that_no_provider_takes_are_refused() -> None:
    with pytest.raises(ValueError, match="must not rise"):
        send(cache(), "abcd", [(1, "5m"), (3, "1h")], 0)
    with pytest.raises(ValueError, match="5 cache points are more than the 4"):
        send(cache(), "abcdef", [(index, "5m") for index in range(5)], 0)


def test_the_reference_convention_asks_the_floor_of_the_prompt() -> None:
    one = SimulatedCache(RULES, grain="blocks", convention="reference")
    send(one, "abc", [(2, "5m")], 0)
    assert send(one, "axy", [(2, "5m")], 1) == (1000, 2000, 0, 0)
    assert send(one, "a", [(0, "5m")], 2) == (0, 0, 0, 1000)
    # The last millisecond of the TTL counts.
    assert send(one, "abc", [(2, "5m")], 300)[0] == 3000


def test_implicit_caches_need_no_point_and_read_in_steps() -> None:
    one = cache("entries", CacheRules(mode="implicit", floor_tokens=1024, step_tokens=128))
    assert send(one, "abc", [], 0) == (0, 0, 0, 3000)
    # 2,000 tokens are 1,024 and 7 whole steps of 128.
    assert send(one, "abx", [], 1) == (1920, 0, 0, 1080)
    assert send(cache("entries", CacheRules(mode="none")), "ab", [(1, "5m")], 0) == (0, 0, 0, 2000)
    assert send(cache(), "", [], 0) == (0, 0, 0, 0)


def test_a_lost_cache_reads_nothing_and_writes_again() -> None:
    one = SimulatedCache(RULES, grain="blocks", lost=1.0)
    for at_s in range(3):
        assert send(one, "abc", [(2, "5m")], at_s) == (0, 3000, 0, 0)


def test_what_expired_is_forgotten() -> None:
    one = cache("blocks", CacheRules(floor_tokens=0))
    for number in range(400):
        names = [f"{number} {index}" for index in range(200)]
        one.call(names, [10 * (index + 1) for index in range(200)], [(199, "5m")], 1, number * 60_000)
    assert len(one._warm) < 45_000  # 80,000 blocks were written, 1,000 are still warm.


@given(
    st.lists(
        st.tuples(st.text("abc", min_size=1, max_size=6), st.lists(st.integers(0, 5), max_size=3), st.integers(0, 400)),
        max_size=12,
    )
)
def test_it_bills_what_the_core_expects_of_the_same_entries(calls: list[tuple[str, list[int], int]]) -> None:
    """Two reckonings that share no code: the provider's, and the core's on the entries that the provider holds."""
    one = cache()
    now_s = 0
    for blocks, points, gap_s in calls:
        now_s += gap_s
        marks: list[Mark] = [(index, "5m") for index in sorted(set(points)) if index < len(blocks)]
        prompt = Prompt(tuple(1000 * (index + 1) for index in range(len(blocks))), tuple(hashes(blocks)))
        found = {name: one.warm(name, now_s * 1000) for name in prompt.prefix_hashes}
        state = CacheState(
            tuple(
                CacheEntry(prefix_hash=name, ttl=warm.ttl, expires_ms=warm.expires_ms)
                for name, warm in found.items()
                if warm is not None
            )
        )
        plan = CachePlan(tuple(Marker(index, ttl) for index, ttl in marks), "user" if marks else "none")
        warm = warm_prefixes(prompt, plan, RULES, state, now_s * 1000)
        read = warm[0].tokens if warm else 0
        spans = write_spans(prompt, plan, RULES)
        write = max(0, spans[-1].end - read) if spans else 0
        assert send(one, blocks, marks, now_s) == (read, write, 0, prompt.tokens - read - write)
