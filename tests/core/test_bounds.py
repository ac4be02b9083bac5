from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.core.price_table import HAIKU_5_5, IMPLICIT, SONNET_4_6
from turnout.core.bounds import cacheable, of_classifier, unfinished, unreported, unsplit
from turnout.core.cache import NO_CACHE, CachePlan, Marker, Prompt, Ttl
from turnout.core.catalog import Model
from turnout.core.cost import cost_of
from turnout.core.usage import NO_USAGE, Usage
from turnout.core.verdict import ClassifierCall

PROMPT = Prompt(offsets=(2_000, 5_000, 5_020), prefix_hashes=("a", "b", "c"))


def within(count: int) -> st.SearchStrategy[int]:
    """From half to twice of a count."""
    return st.integers((count + 1) // 2, 2 * count)


def test_an_abandoned_call_by_hand() -> None:
    # 2,000 tokens that may be cached, 20 that may not, 100 of output that came, 500 at the most, Sonnet 4.6
    found = unreported(
        SONNET_4_6.price,
        prompt_tokens=2_020,
        cacheable_tokens=2_000,
        seen_output_tokens=100,
        most_output_tokens=500,
        surely_billed=True,
    )
    assert found.least == Usage(cache_read_tokens=1_000, input_tokens=10, output_tokens=50)
    # twice of it, written for an hour at $6, fresh at $3, and 500 at $15
    assert found.high_pico == 4_000 * 6_000_000 + 40 * 3_000_000 + 500 * 15_000_000


def test_a_call_that_may_not_be_billed_costs_nothing_at_the_least() -> None:
    found = unreported(SONNET_4_6.price, prompt_tokens=10, most_output_tokens=5, surely_billed=False)
    assert found.least == NO_USAGE
    assert found.high_pico == 20 * 3_000_000 + 5 * 15_000_000


@given(st.sampled_from([SONNET_4_6, HAIKU_5_5, IMPLICIT]), st.data())
def test_what_it_cost_lies_between_the_ends(model: Model, data: st.DataObject) -> None:
    price = model.price
    sizes = st.integers(0, 10_000) | st.integers(49_900, 100_100)
    cached, fresh = data.draw(sizes), data.draw(sizes)
    seen, most = data.draw(st.integers(0, 3_000)), data.draw(st.integers(0, 3_000))
    found = unreported(
        price,
        prompt_tokens=cached + fresh,
        cacheable_tokens=cached,
        seen_output_tokens=seen,
        most_output_tokens=most,
        surely_billed=True,
    )
    really_cached = data.draw(within(cached))
    cuts = sorted(data.draw(st.tuples(*[st.integers(0, really_cached)] * 3)))
    read, write_5m, write_1h, missed = (b - a for a, b in zip([0, *cuts], [*cuts, really_cached], strict=True))
    usage = Usage(
        input_tokens=data.draw(within(fresh)) + missed,
        cache_read_tokens=read,
        cache_write_5m_tokens=write_5m,
        cache_write_1h_tokens=write_1h,
        output_tokens=data.draw(st.integers((seen + 1) // 2, max(most, (seen + 1) // 2))),
    )
    if usage.output_tokens <= most:
        assert cost_of(usage, price).total_pico <= found.high_pico
    assert cost_of(found.least, price).total_pico <= cost_of(usage, price).total_pico


def test_the_high_end_has_the_price_of_a_long_prompt_where_the_prompt_may_be_long() -> None:
    def high(prompt_tokens: int) -> int:
        return unreported(
            HAIKU_5_5.price, prompt_tokens=prompt_tokens, most_output_tokens=10, surely_billed=False
        ).high_pico

    # Up to 50,000 by our count it has at most 100,000 tokens, and with one more it may be above.
    assert high(50_000) == 100_000 * 100_000 + 10 * 500_000
    assert high(50_001) == 100_002 * 500_000 + 10 * 2_500_000


def test_a_report_before_the_end_leaves_the_rest_of_the_answer_open() -> None:
    usage = Usage(input_tokens=10, output_tokens=20)
    assert unfinished(SONNET_4_6.price, usage, most_output_tokens=500).least == usage
    assert unfinished(SONNET_4_6.price, usage, most_output_tokens=500).high_pico == 10 * 3_000_000 + 500 * 15_000_000
    assert unfinished(SONNET_4_6.price, usage, most_output_tokens=5).high_pico == 10 * 3_000_000 + 20 * 15_000_000


def test_writes_without_a_duration_have_that_of_the_request() -> None:
    usage = Usage(cache_write_5m_tokens=100)
    hour = Usage(cache_write_1h_tokens=100)

    def found(*ttls: Ttl) -> tuple[Usage, int]:
        bounds = unsplit(SONNET_4_6.price, usage, frozenset(ttls))
        return bounds.least, bounds.high_pico

    assert found() == found("5m") == (usage, 100 * 3_750_000)
    assert found("1h") == (hour, 100 * 6_000_000)
    assert found("5m", "1h") == (usage, 100 * 6_000_000)


def test_what_can_be_cached_ends_at_the_last_cache_point() -> None:
    plan = CachePlan((Marker(1, "5m"), Marker(0, "1h")), "user")
    assert cacheable(PROMPT, plan, SONNET_4_6.cache) == 5_000
    assert cacheable(PROMPT, CachePlan(), SONNET_4_6.cache) == 0
    assert cacheable(PROMPT, plan, NO_CACHE) == 0
    assert cacheable(PROMPT, CachePlan(), IMPLICIT.cache) == 5_020


def test_a_classifiers_call() -> None:
    small = msgspec.structs.replace(SONNET_4_6, max_output_tokens=100, tokenizer_ratio=1.5)

    def found(call: ClassifierCall, *, unbilled: bool = False) -> tuple[Usage, int]:
        bounds = of_classifier(call, small, unbilled=unbilled)
        return bounds.least, bounds.high_pico

    usage = Usage(input_tokens=400, output_tokens=10)
    reported = 400 * 3_000_000 + 10 * 15_000_000
    assert found(ClassifierCall(model="m", usage=usage)) == (usage, reported)
    assert found(ClassifierCall(model="m", usage_source="none", error="x"), unbilled=True) == (NO_USAGE, 0)
    # 400 and 10 by its own count are 600 and 15 of this model's tokens.
    estimated = ClassifierCall(model="m", usage=usage, usage_source="estimated")
    most = 1_200 * 3_000_000 + 100 * 15_000_000
    assert found(estimated) == (Usage(input_tokens=300, output_tokens=7), most)
    given_up = ClassifierCall(model="m", usage=Usage(input_tokens=400), usage_source="estimated", error="TimeoutError")
    assert found(given_up) == (NO_USAGE, most)
    partial = ClassifierCall(model="m", usage=usage, usage_source="partial")
    assert found(partial) == (usage, 400 * 3_000_000 + 100 * 15_000_000)
    # Nothing is known of it: the prompt filled the window at the most.
    unknown = ClassifierCall(model="m", usage_source="none")
    assert found(unknown) == (NO_USAGE, 400_000 * 3_000_000 + 100 * 15_000_000)
