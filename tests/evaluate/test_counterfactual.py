from __future__ import annotations

import msgspec
from hypothesis import given as for_all
from hypothesis import strategies as st

from tests.trace.decided import CAPABLE, CHEAP, NOW_MS, called, decided, given, warm
from turnout.core.cache import COLD, CachePlan, Marker, Prompt, write_spans
from turnout.core.cost import cost_of
from turnout.core.expect import call_cost_pico
from turnout.core.statistics import ModelStatistics, Statistics
from turnout.core.usage import Usage
from turnout.evaluate.counterfactual import paired, prompt_on, ratio_of, usage_on

PLAN = CachePlan((Marker(0),), "fill")


def test_as_many_calls_as_decisions_are_paired_in_order() -> None:
    calls = [called(started_ms=NOW_MS, event_id=str(number)) for number in range(2)]
    decisions = [decided(started_ms=NOW_MS, event_id=f"d{number}") for number in range(2)]
    assert [(call.event_id, one.event_id) for call, one in paired(calls, decisions)] == [("0", "d0"), ("1", "d1")]


def test_else_a_call_follows_the_newest_decision_before_it() -> None:
    decisions = [decided(started_ms=NOW_MS + ms, event_id=f"d{ms}") for ms in (0, 100)]
    calls = [called(started_ms=NOW_MS + ms, event_id=str(ms)) for ms in (5, 60, 100)]
    assert [one.event_id for _, one in paired(calls, decisions)] == ["d0", "d0", "d100"]
    assert paired(calls, []) == []


def test_a_prompt_has_the_reported_tokens_times_the_ratio_of_the_tokenizers() -> None:
    wordy = msgspec.structs.replace(CAPABLE, tokenizer_ratio=1.5)
    call = called(CHEAP.id, usage=Usage(input_tokens=4_040))  # twice what was counted
    prompt = prompt_on(call, given(), wordy, CHEAP)
    assert prompt is not None
    assert prompt.offsets == (6_000, 6_060)
    learned = given(statistics=Statistics({CAPABLE.id: ModelStatistics(tokenizer_ratio=2.0)}))
    assert (ratio_of(learned, wordy), ratio_of(learned, CHEAP)) == (2.0, 1.0)


def test_usage_reads_what_is_warm_and_writes_up_to_the_last_point() -> None:
    prompt = Prompt((2_000, 2_020), ("head", "query"))
    cold = usage_on(prompt, PLAN, CAPABLE.cache, COLD, NOW_MS, 7)
    assert cold == Usage(input_tokens=20, cache_write_5m_tokens=2_000, output_tokens=7)
    read = usage_on(prompt, PLAN, CAPABLE.cache, warm(), NOW_MS, 7)
    assert read == Usage(input_tokens=20, cache_read_tokens=2_000, output_tokens=7)
    # Below the floor of the cheap model nothing is cached.
    assert usage_on(prompt, PLAN, CHEAP.cache, warm(), NOW_MS, 7) == Usage(input_tokens=2_020, output_tokens=7)


@for_all(tokens=st.integers(1, 5_000), more=st.integers(0, 5_000), output=st.integers(0, 900), read=st.booleans())
def test_it_costs_what_the_core_expects_of_such_a_call(tokens: int, more: int, output: int, read: bool) -> None:
    prompt = Prompt((tokens, tokens + more), ("head", "query"))
    usage = usage_on(prompt, PLAN, CAPABLE.cache, warm() if read else COLD, NOW_MS, output)
    assert usage.prompt_tokens == prompt.tokens
    spans = write_spans(prompt, PLAN, CAPABLE.cache)
    tier = CAPABLE.price.tier_for(prompt.tokens)
    expected = call_cost_pico(tier, prompt.tokens, spans, usage.cache_read_tokens, output)
    assert cost_of(usage, CAPABLE.price).total_pico == expected
