"""Prompt caches: floors, lookback, TTLs, renewal, steps."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.strategies import HASHES, NOW_MS, TTLS, cache_rules, cache_states
from turnout.core.cache import (
    COLD,
    NO_CACHE,
    NO_PLAN,
    CacheEntry,
    CachePlan,
    CacheRules,
    CacheState,
    Marker,
    Prompt,
    Ttl,
    WarmPrefix,
    WarmPrompt,
    WriteSpan,
    after_call,
    after_report,
    warm_prefixes,
    write_spans,
)

MINUTES_5 = 300_000
HOUR = 3_600_000
EXPLICIT = CacheRules(floor_tokens=1_024, ttls=("5m", "1h"))
IMPLICIT = CacheRules(mode="implicit", floor_tokens=1_024, step_tokens=128)


def prompt_of(*lengths: int) -> Prompt:
    """A prompt of blocks of these lengths; the prefix that ends with block 0 is ``h0``, and so on."""
    return Prompt(tuple(itertools.accumulate(lengths)), tuple(f"h{index}" for index in range(len(lengths))))


def marked(*segments: int, ttl: Ttl = "5m") -> CachePlan:
    return CachePlan(tuple(Marker(segment, ttl) for segment in segments), "user")


def entry(prefix_hash: str, *, ttl: Ttl = "5m", expires_ms: int = NOW_MS + 1, chance: float = 1.0) -> CacheEntry:
    return CacheEntry(prefix_hash=prefix_hash, ttl=ttl, expires_ms=expires_ms, chance=chance)


def state_of(*entries: CacheEntry | str) -> CacheState:
    return CacheState(tuple(entry(one) if isinstance(one, str) else one for one in entries))


def expiries(state: CacheState) -> dict[str, int]:
    """For each prefix, milliseconds from now until it expires."""
    return {one.prefix_hash: one.expires_ms - NOW_MS for one in state.entries}


class TestWriteSpans:
    @pytest.mark.parametrize(("floor", "written"), [(1_024, 1_030), (1_030, 1_030), (1_031, 0), (4_096, 0)])
    def test_a_prefix_is_cached_only_at_or_above_the_floor(self, floor: int, written: int) -> None:
        spans = write_spans(prompt_of(1_030, 5_000), marked(0), CacheRules(floor_tokens=floor))
        assert spans == ((WriteSpan(written, "5m"),) if written else ())

    def test_tokens_of_a_marker_below_the_floor_belong_to_the_next_one(self) -> None:
        plan = CachePlan((Marker(0, "1h"), Marker(1, "5m")), "user")
        assert write_spans(prompt_of(500, 1_000, 70), plan, EXPLICIT) == (WriteSpan(1_500, "5m"),)

    def test_each_span_has_the_ttl_of_the_marker_that_ends_it(self) -> None:
        plan = CachePlan((Marker(0, "1h"), Marker(2, "5m")), "user")
        assert write_spans(prompt_of(2_000, 300, 200, 70), plan, EXPLICIT) == (
            WriteSpan(2_000, "1h"),
            WriteSpan(2_500, "5m"),
        )

    def test_the_order_in_which_markers_are_named_does_not_matter(self) -> None:
        plan = CachePlan((Marker(2, "5m"), Marker(0, "1h")), "user")
        assert [span.end for span in write_spans(prompt_of(2_000, 300, 200), plan, EXPLICIT)] == [2_000, 2_500]

    def test_nothing_is_written_without_a_marker_a_cache_or_a_token(self) -> None:
        prompt = prompt_of(9_000)
        assert write_spans(prompt, NO_PLAN, EXPLICIT) == ()
        assert write_spans(prompt, marked(0), NO_CACHE) == ()
        assert write_spans(prompt_of(0), marked(0), CacheRules()) == ()
        assert write_spans(Prompt((), ()), NO_PLAN, IMPLICIT) == ()
        assert write_spans(prompt_of(0), NO_PLAN, CacheRules(mode="implicit")) == ()

    @pytest.mark.parametrize(("tokens", "written"), [(1_023, 0), (1_024, 1_024), (1_500, 1_500)])
    def test_an_implicit_cache_writes_the_whole_prompt_from_its_floor_on(self, tokens: int, written: int) -> None:
        spans = write_spans(prompt_of(tokens - 10, 10), NO_PLAN, IMPLICIT)
        assert spans == ((WriteSpan(written, "5m"),) if written else ())


class TestWarmPrefixes:
    def read(
        self, prompt: Prompt, plan: CachePlan, state: CacheState, rules: CacheRules = EXPLICIT, now_ms: int = NOW_MS
    ) -> list[int]:
        """The lengths that a call could read, longest first."""
        return [prefix.tokens for prefix in warm_prefixes(prompt, plan, rules, state, now_ms)]

    def test_a_warm_prefix_is_read_through_its_marker(self) -> None:
        assert self.read(prompt_of(2_000, 500), marked(0), state_of("h0")) == [2_000]
        assert self.read(prompt_of(2_000, 500), NO_PLAN, state_of("h0")) == []
        assert self.read(prompt_of(2_000, 500), marked(0), state_of("of-another-prompt")) == []

    def test_nothing_is_read_behind_the_last_marker(self) -> None:
        assert self.read(prompt_of(2_000, 500), marked(0), state_of("h0", "h1")) == [2_000]

    def test_nothing_is_read_below_the_floor(self) -> None:
        assert self.read(prompt_of(1_023, 1, 500), marked(1), state_of("h0", "h1")) == [1_024]

    def test_the_longest_comes_first_with_its_own_chance(self) -> None:
        state = state_of(entry("h0", chance=0.9), entry("h1", chance=0.5))
        assert warm_prefixes(prompt_of(2_000, 500), marked(0, 1), EXPLICIT, state, NOW_MS) == (
            WarmPrefix(2_500, 0.5),
            WarmPrefix(2_000, 0.9),
        )

    def test_a_lookback_of_20_blocks_counts_the_markers_own(self) -> None:
        # The provider's example: a marker on block 35 finds an entry at block 16 and misses one at block 15. Blocks
        # are numbered from 1 there and from 0 here.
        prompt = prompt_of(*[2_000] * 35)
        assert self.read(prompt, marked(34), state_of("h15")) == [16 * 2_000]
        assert self.read(prompt, marked(34), state_of("h14")) == []

    def test_a_second_marker_starts_a_second_lookback(self) -> None:
        prompt = prompt_of(*[2_000] * 35)
        assert self.read(prompt, marked(14, 34), state_of("h14")) == [15 * 2_000]

    def test_a_lookback_of_one_reads_at_the_marker_alone(self) -> None:
        rules = CacheRules(floor_tokens=1_024, lookback_blocks=1)
        prompt = prompt_of(2_000, 500, 500)
        assert self.read(prompt, marked(2), state_of("h1"), rules) == []
        assert self.read(prompt, marked(2), state_of("h1", "h2"), rules) == [3_000]

    @pytest.mark.parametrize(("now_ms", "lengths"), [(NOW_MS, [2_000]), (NOW_MS + 1, []), (NOW_MS + 2, [])])
    def test_an_entry_is_cold_from_the_millisecond_in_which_it_expires(self, now_ms: int, lengths: list[int]) -> None:
        state = state_of(entry("h0", expires_ms=NOW_MS + 1))
        assert self.read(prompt_of(2_000), marked(0), state, now_ms=now_ms) == lengths

    def test_an_entry_without_a_chance_is_cold(self) -> None:
        assert self.read(prompt_of(2_000), marked(0), state_of(entry("h0", chance=0))) == []

    @pytest.mark.parametrize(
        ("tokens", "read"), [(1_023, []), (1_024, [1_024]), (1_151, [1_024]), (1_152, [1_152]), (1_500, [1_408])]
    )
    def test_an_implicit_cache_reads_whole_steps_above_its_floor(self, tokens: int, read: list[int]) -> None:
        # 1,024 + 128 = 1,152; 1,024 + 3 x 128 = 1,408; 1,024 + 4 x 128 = 1,536.
        assert self.read(prompt_of(tokens, 700), NO_PLAN, state_of("h0"), IMPLICIT) == read

    @pytest.mark.parametrize(("tokens", "read"), [(1_127, 1_000), (1_128, 1_128), (1_255, 1_128), (1_256, 1_256)])
    def test_steps_begin_at_the_floor(self, tokens: int, read: int) -> None:
        rules = CacheRules(mode="implicit", floor_tokens=1_000, step_tokens=128)
        assert self.read(prompt_of(tokens, 700), NO_PLAN, state_of("h0"), rules) == [read]

    def test_a_model_without_a_cache_reads_nothing(self) -> None:
        assert self.read(prompt_of(2_000), marked(0), state_of("h0"), NO_CACHE) == []


class TestAfterCall:
    def after(
        self, prompt: Prompt, plan: CachePlan, state: CacheState = COLD, rules: CacheRules = EXPLICIT
    ) -> CacheState:
        return after_call(prompt, plan, rules, state, NOW_MS)

    def test_a_cold_call_leaves_its_marked_prefixes_warm_for_their_ttl(self) -> None:
        plan = CachePlan((Marker(0, "1h"), Marker(2, "5m")), "user")
        assert expiries(self.after(prompt_of(2_000, 300, 200, 70), plan)) == {"h0": HOUR, "h2": MINUTES_5}

    def test_a_marker_below_the_floor_leaves_nothing_warm(self) -> None:
        assert self.after(prompt_of(1_000, 1_000), marked(0)) == COLD
        assert expiries(self.after(prompt_of(1_000, 1_000), marked(0, 1))) == {"h1": MINUTES_5}
        assert self.after(prompt_of(500), marked(0)) == COLD

    def test_a_prompt_of_exactly_the_floor_is_left_warm(self) -> None:
        assert expiries(self.after(prompt_of(1_024), marked(0))) == {"h0": MINUTES_5}
        assert expiries(self.after(prompt_of(1_024), NO_PLAN, rules=IMPLICIT)) == {"h0": MINUTES_5}

    def test_a_read_renews_what_it_read_for_its_own_ttl(self) -> None:
        state = state_of(entry("h0", ttl="1h", expires_ms=NOW_MS + 5), entry("h1", expires_ms=NOW_MS + 5))
        prompt = prompt_of(2_000, 500, 100)
        assert expiries(self.after(prompt, marked(1), state)) == {"h0": HOUR, "h1": MINUTES_5}

    def test_a_read_renews_nothing_longer_than_itself(self) -> None:
        state = state_of(entry("h0", expires_ms=NOW_MS + 5), entry("h2", expires_ms=NOW_MS + 5))
        assert expiries(self.after(prompt_of(2_000, 500, 100), marked(0), state)) == {"h0": MINUTES_5, "h2": 5}

    def test_without_renewal_a_read_leaves_the_expiry_as_it_is(self) -> None:
        rules = CacheRules(floor_tokens=1_024, renewed_by_read=False)
        state = state_of(entry("h0", expires_ms=NOW_MS + 5))
        assert expiries(self.after(prompt_of(2_000, 500), marked(0), state, rules)) == {"h0": 5}
        # What is written behind it is new.
        assert expiries(self.after(prompt_of(2_000, 500), marked(0, 1), state, rules)) == {"h0": 5, "h1": MINUTES_5}

    def test_what_was_surely_read_keeps_its_ttl(self) -> None:
        state = state_of(entry("h0", ttl="5m"))
        after = self.after(prompt_of(2_000), marked(0, ttl="1h"), state)
        assert after == state_of(entry("h0", ttl="5m", expires_ms=NOW_MS + MINUTES_5))

    def test_what_was_perhaps_read_is_surely_warm_afterwards(self) -> None:
        after = self.after(prompt_of(2_000), marked(0), state_of(entry("h0", chance=0.5)))
        assert after == state_of(entry("h0", expires_ms=NOW_MS + MINUTES_5, chance=1.0))

    def test_a_longer_read_leaves_no_shorter_entry_behind(self) -> None:
        after = self.after(prompt_of(2_000, 500), marked(0, 1), state_of("h1"))
        assert expiries(after) == {"h1": MINUTES_5}

    def test_what_expired_is_forgotten_and_what_belongs_to_other_prompts_is_kept(self) -> None:
        state = state_of(entry("old", expires_ms=NOW_MS), entry("other", expires_ms=NOW_MS + 9))
        assert expiries(self.after(prompt_of(2_000), NO_PLAN, state)) == {"other": 9}
        assert expiries(self.after(prompt_of(2_000), marked(0), state, NO_CACHE)) == {"other": 9}

    def test_an_implicit_cache_holds_every_prefix_from_its_floor_on(self) -> None:
        after = self.after(prompt_of(1_000, 24, 476, 100), NO_PLAN, rules=IMPLICIT)
        assert expiries(after) == {"h1": MINUTES_5, "h2": MINUTES_5, "h3": MINUTES_5}

    def test_an_implicit_cache_renews_what_it_read_in_steps(self) -> None:
        # 1,500 tokens are read as 1,408, and 1,430 lie inside the same step.
        state = state_of(entry("h1", expires_ms=NOW_MS + 5))
        after = self.after(prompt_of(1_430, 70, 600), NO_PLAN, state, IMPLICIT)
        assert expiries(after) == {"h0": MINUTES_5, "h1": MINUTES_5, "h2": MINUTES_5}

    def test_an_implicit_cache_without_renewal_renews_nothing_that_it_read(self) -> None:
        rules = CacheRules(mode="implicit", floor_tokens=1_024, step_tokens=128, renewed_by_read=False)
        state = state_of(entry("h1", expires_ms=NOW_MS + 5))
        after = self.after(prompt_of(1_430, 70, 600), NO_PLAN, state, rules)
        assert expiries(after)["h1"] == 5


class TestAfterReport:
    PROMPT = prompt_of(2_000, 1_000, 1_000)
    STATE = state_of(
        entry("h0", chance=0.5), entry("h1", chance=0.5), entry("h2", chance=0.5), entry("other", chance=0.5)
    )

    def chances(self, read_tokens: int, plan: CachePlan | None = None, **options: float) -> dict[str, float]:
        after = after_report(self.STATE, self.PROMPT, plan or marked(2), EXPLICIT, read_tokens, **options)
        return {one.prefix_hash: one.chance for one in after.entries}

    def test_a_read_of_nothing_evicts_the_prompts_prefixes_and_no_others(self) -> None:
        assert self.chances(0) == {"other": 0.5}

    def test_a_read_confirms_what_it_covers_and_evicts_the_rest(self) -> None:
        assert self.chances(3_000) == {"h0": 1.0, "h1": 1.0, "other": 0.5}
        assert self.chances(4_000) == {"h0": 1.0, "h1": 1.0, "h2": 1.0, "other": 0.5}

    def test_counts_are_estimates_and_need_not_match(self) -> None:
        # 1,818.2 x 1.1 = 2,000: a report of 1,819 covers a prefix that we count as 2,000, one of 1,818 does not.
        assert self.chances(1_819) == {"h0": 1.0, "other": 0.5}
        assert self.chances(1_818) == {"other": 0.5}
        assert self.chances(1_999, tolerance=0.0) == {"other": 0.5}
        assert self.chances(2_000, tolerance=0.0) == {"h0": 1.0, "other": 0.5}

    def test_a_report_says_nothing_of_what_the_call_could_not_read(self) -> None:
        # Without a cache point nothing is read; with one after the second block the third is out of reach.
        assert self.chances(0, NO_PLAN) == {"h0": 0.5, "h1": 0.5, "h2": 0.5, "other": 0.5}
        assert self.chances(0, marked(1)) == {"h2": 0.5, "other": 0.5}

    def test_implicit_caches_are_read_in_steps(self) -> None:
        rules = CacheRules(mode="implicit", floor_tokens=1_024, step_tokens=128)
        state = state_of(entry("h0", chance=0.5))
        # 1,150 tokens are read as 1,024, the last whole step: the entry is confirmed, not evicted.
        confirmed = after_report(state, prompt_of(1_150), NO_PLAN, rules, 1_024, tolerance=0.0)
        assert [one.chance for one in confirmed.entries] == [1.0]
        assert after_report(state, prompt_of(1_150), NO_PLAN, rules, 0).entries == ()

    def test_what_a_call_wrote_stays_if_the_report_comes_first(self) -> None:
        reported = after_report(COLD, self.PROMPT, marked(1), EXPLICIT, 0)
        assert expiries(after_call(self.PROMPT, marked(1), EXPLICIT, reported, NOW_MS)) == {"h1": MINUTES_5}


class TestCacheState:
    def test_a_state_knows_its_entries_until_they_expire(self) -> None:
        one = entry("h0", expires_ms=NOW_MS + 1)
        assert CacheState((one,)).warm("h0", NOW_MS) == one
        assert CacheState((one,)).warm("h0", NOW_MS + 1) is None
        assert CacheState((one,)).warm("h1", NOW_MS) is None

    @pytest.mark.parametrize("chances", [(0.2, 0.7, 0.5), (0.7, 0.2, 0.5)])
    def test_the_surest_of_two_entries_for_one_prefix_counts(self, chances: tuple[float, ...]) -> None:
        found = state_of(*(entry("h0", chance=chance) for chance in chances)).warm("h0", NOW_MS)
        assert found is not None
        assert found.chance == 0.7


class TestCacheRules:
    def test_what_is_not_stated_is_what_bedrock_and_anthropic_document(self) -> None:
        rules = CacheRules()
        assert (rules.mode, rules.lookback_blocks, rules.max_markers, rules.ttls) == ("explicit", 20, 4, ("5m",))
        assert (rules.floor_tokens, rules.step_tokens, rules.renewed_by_read) == (0, 1, True)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"floor_tokens": -1}, "floor_tokens must be 0 or more, got -1"),
            ({"step_tokens": 0}, "step_tokens must be 1 or more, got 0"),
            ({"lookback_blocks": 0}, "lookback_blocks must be 1 or more, got 0"),
            ({"max_markers": -1}, "max_markers must be 0 or more, got -1"),
            ({"ttls": ()}, "ttls must name at least one duration"),
        ],
    )
    def test_rules_out_of_range_are_refused(self, options: dict[str, object], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            CacheRules(**options)  # type: ignore[arg-type]  # The types are right; the values are not.


def prompts() -> st.SearchStrategy[Prompt]:
    lengths = st.one_of(st.integers(0, 2_000), st.sampled_from([512, 1_024]))
    return st.lists(lengths, min_size=1, max_size=len(HASHES)).map(lambda drawn: prompt_of(*drawn))


def plans(prompt: Prompt) -> st.SearchStrategy[CachePlan]:
    markers = st.builds(Marker, st.integers(0, len(prompt.offsets) - 1), st.sampled_from(TTLS))
    return st.lists(markers, max_size=4, unique_by=lambda marker: marker.segment).map(
        lambda drawn: CachePlan(tuple(drawn), "user")
    )


marked_prompts = prompts().flatmap(lambda prompt: st.tuples(st.just(prompt), plans(prompt)))


def certain(state: CacheState) -> CacheState:
    return CacheState(tuple(entry(one.prefix_hash, ttl=one.ttl, expires_ms=one.expires_ms) for one in state.entries))


@given(marked_prompts, cache_rules, cache_states)
def test_what_a_call_wrote_the_same_call_reads(
    marked_prompt: tuple[Prompt, CachePlan], rules: CacheRules, state: CacheState
) -> None:
    prompt, plan = marked_prompt
    spans = write_spans(prompt, plan, rules)
    warm = warm_prefixes(prompt, plan, rules, after_call(prompt, plan, rules, state, NOW_MS), NOW_MS)
    if not spans:
        assert not warm
        return
    assert warm[0].chance == 1.0
    if rules.mode == "explicit":
        assert warm[0].tokens == spans[-1].end
    else:
        assert 0 <= prompt.tokens - warm[0].tokens < rules.step_tokens


@given(marked_prompts, cache_rules)
def test_a_cold_calls_entries_live_exactly_as_long_as_their_ttl(
    marked_prompt: tuple[Prompt, CachePlan], rules: CacheRules
) -> None:
    prompt, plan = marked_prompt
    after = after_call(prompt, plan, rules, COLD, NOW_MS)
    for one in after.entries:
        life = HOUR if one.ttl == "1h" else MINUTES_5
        assert after.warm(one.prefix_hash, NOW_MS + life - 1) == one
        assert after.warm(one.prefix_hash, NOW_MS + life) is None
    if rules.mode == "none":
        assert after == COLD


@given(marked_prompts, cache_rules, cache_states)
def test_a_call_never_shortens_the_life_of_what_is_warm(
    marked_prompt: tuple[Prompt, CachePlan], rules: CacheRules, state: CacheState
) -> None:
    prompt, plan = marked_prompt
    before = certain(state).warm_entries(NOW_MS)
    after = after_call(prompt, plan, rules, certain(state), NOW_MS).warm_entries(NOW_MS)
    assert before.keys() <= after.keys()
    for prefix_hash, one in before.items():
        grown = after[prefix_hash].expires_ms
        assert grown >= min(one.expires_ms, NOW_MS + MINUTES_5)
        if not rules.renewed_by_read and prefix_hash in read_hashes(prompt, plan, rules, state):
            assert grown == one.expires_ms


def read_hashes(prompt: Prompt, plan: CachePlan, rules: CacheRules, state: CacheState) -> Iterable[str]:
    """The prefix that a call reads."""
    for prefix in warm_prefixes(prompt, plan, rules, certain(state), NOW_MS)[:1]:
        yield from (
            prefix_hash
            for prefix_hash, tokens in zip(prompt.prefix_hashes, prompt.offsets, strict=True)
            if tokens == prefix.tokens and rules.mode == "explicit"
        )


@given(marked_prompts, cache_rules, cache_states)
def test_reads_are_nested_prefixes_within_what_is_cached(
    marked_prompt: tuple[Prompt, CachePlan], rules: CacheRules, state: CacheState
) -> None:
    prompt, plan = marked_prompt
    warm = warm_prefixes(prompt, plan, rules, state, NOW_MS)
    lengths = [prefix.tokens for prefix in warm]
    assert lengths == sorted(lengths, reverse=True)
    assert all(rules.floor_tokens <= length <= prompt.tokens for length in lengths)
    if warm:
        assert lengths[0] <= write_spans(prompt, plan, rules)[-1].end


@given(marked_prompts, cache_rules, cache_states)
def test_a_call_reads_nothing_shorter_than_what_is_surely_warm(
    marked_prompt: tuple[Prompt, CachePlan], rules: CacheRules, state: CacheState
) -> None:
    held = WarmPrompt(marked_prompt[0], rules, state, NOW_MS)
    readable, reads = held.readable(marked_prompt[1]), held.reads(marked_prompt[1])
    assert reads == readable[: len(reads)]
    assert all(prefix.chance < 1.0 for prefix in reads[:-1])
    assert len(reads) == len(readable) or reads[-1].chance == 1.0


@given(prompts(), cache_rules, cache_states, st.data())
def test_a_prompt_held_once_answers_for_every_plan_as_if_held_anew(
    prompt: Prompt, rules: CacheRules, state: CacheState, data: st.DataObject
) -> None:
    held = WarmPrompt(prompt, rules, state, NOW_MS)
    for _ in range(3):
        plan = data.draw(plans(prompt))
        left = after_call(prompt, plan, rules, state, NOW_MS)
        assert held.readable(plan) == warm_prefixes(prompt, plan, rules, state, NOW_MS)
        assert held.after(plan) == WarmPrompt(prompt, rules, left, NOW_MS).warm
    assert list(held.warm) == sorted(held.warm, reverse=True)
    everything = CachePlan(tuple(Marker(index) for index in range(len(prompt.offsets))), "user")
    readable = held.readable(everything)
    assert (held.read_end >= 0) == bool(readable)
    if readable and rules.mode == "explicit":
        assert prompt.offsets[held.read_end] == readable[0].tokens
