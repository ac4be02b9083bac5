from __future__ import annotations

import msgspec
from hypothesis import given as for_all
from hypothesis import strategies as st

from tests.trace.decided import CAPABLE, CHEAP, called, given, warm
from turnout.core.cache import COLD, CachePlan, Marker
from turnout.core.cost import Cost
from turnout.core.price import FREE
from turnout.core.statistics import ModelStatistics, Statistics
from turnout.core.usage import Usage
from turnout.evaluate.counterfactual import prompt_on
from turnout.evaluate.plan.costs import NOTHING, Spend, as_recorded, estimated, exactly, kept, output_tokens

PLAN = CachePlan((Marker(0),), "fill")


def test_spends_add_up() -> None:
    assert Spend(1, 2, 3, 4) + Spend(10, 20, 30, 40) == Spend(11, 22, 33, 44)
    assert exactly(7) + NOTHING == Spend(7, 7, 7, 7)


def test_a_reported_call_is_exact_at_the_price_of_now() -> None:
    call = called(usage=Usage(input_tokens=1_000, output_tokens=100), cost=Cost(input_pico=1))
    assert as_recorded(call, CHEAP.price, CHEAP.price) == exactly(1_000 * 1_000_000 + 100 * 5_000_000)
    assert as_recorded(call, CAPABLE.price, CHEAP.price) == exactly(3 * (1_000 * 1_000_000 + 100 * 5_000_000))


def test_one_that_was_not_reported_lies_between_its_ends_and_they_follow_the_price() -> None:
    usage = Usage(input_tokens=1_000)
    cost = Cost(input_pico=1_000 * 1_000_000)
    call = called(usage=usage, usage_source="estimated", cost=cost, cost_high_pico=4 * cost.total_pico)
    assert as_recorded(call, CHEAP.price, CHEAP.price) == Spend(
        cost.total_pico, cost.total_pico, 4 * cost.total_pico, 0
    )
    dearer = as_recorded(call, CAPABLE.price, CHEAP.price)
    assert dearer == Spend(3 * cost.total_pico, 3 * cost.total_pico, 12 * cost.total_pico + 1, 0)
    # From nothing no factor is known: the low end then is the high one.
    assert as_recorded(call, CHEAP.price, FREE).high_pico == cost.total_pico


def test_a_failed_call_that_reported_nothing_cost_nothing() -> None:
    call = called(usage=Usage(), usage_source="none", status="error", error="Throttled")
    assert as_recorded(call, CHEAP.price, CHEAP.price) == NOTHING


def test_what_nothing_is_known_of_is_kept() -> None:
    call = called(cost=Cost(input_pico=5), cost_high_pico=9)
    assert kept(call) == Spend(5, 5, 9, 0)


def test_lengths_follow_learned_means_once_both_models_answered_often() -> None:
    call = called(CHEAP.id, usage=Usage(input_tokens=2_000, output_tokens=100))
    assert output_tokens(call, given(), CAPABLE, CHEAP) == (100, 50, 200)
    learned = Statistics(
        {
            CHEAP.id: ModelStatistics(output_tokens=200, calls=20),
            CAPABLE.id: ModelStatistics(output_tokens=600, calls=20),
        }
    )
    assert output_tokens(call, given(statistics=learned), CAPABLE, CHEAP) == (300, 50, 600)
    seldom = Statistics({**learned.models, CAPABLE.id: ModelStatistics(output_tokens=600, calls=19)})
    assert output_tokens(call, given(statistics=seldom), CAPABLE, CHEAP) == (100, 50, 200)
    assert output_tokens(call, given(statistics=learned), CHEAP, CHEAP) == (100, 100, 100)


def test_lengths_follow_the_tokenizer_and_end_at_the_limit() -> None:
    call = called(CHEAP.id, usage=Usage(input_tokens=2_000, output_tokens=100))
    wordy = msgspec.structs.replace(CAPABLE, tokenizer_ratio=1.5)
    assert output_tokens(call, given(), wordy, CHEAP) == (150, 75, 300)
    request = msgspec.structs.replace(given().request, max_output_tokens=120)
    assert output_tokens(call, given(request=request), wordy, CHEAP) == (120, 75, 120)


@for_all(output=st.integers(0, 5_000), read=st.booleans(), ratio=st.floats(0.5, 2))
def test_an_estimate_lies_between_its_ends(output: int, read: bool, ratio: float) -> None:
    call = called(CHEAP.id, usage=Usage(input_tokens=2_020, output_tokens=output))
    model = msgspec.structs.replace(CAPABLE, tokenizer_ratio=ratio)
    made_from = given()
    prompt = prompt_on(call, made_from, model, CHEAP)
    assert prompt is not None
    found = estimated(call, made_from, model, CHEAP, prompt, PLAN, warm() if read else COLD)
    assert 0 < found.low_pico <= found.pico <= found.high_pico
    assert found.exact_pico == 0


def test_an_estimate_by_hand() -> None:
    call = called(CHEAP.id, usage=Usage(input_tokens=2_020, output_tokens=100))
    prompt = prompt_on(call, given(), CAPABLE, CHEAP)
    assert prompt is not None
    found = estimated(call, given(), CAPABLE, CHEAP, prompt, PLAN, warm())
    # Read 2,000 at 0.30, 20 fresh at 3, 100 of output at 15; low: 50 of output; high: written at 3.75, 200 of output.
    assert found.pico == 2_000 * 300_000 + 20 * 3_000_000 + 100 * 15_000_000
    assert found.low_pico == 2_000 * 300_000 + 20 * 3_000_000 + 50 * 15_000_000
    assert found.high_pico == 2_000 * 3_750_000 + 20 * 3_000_000 + 200 * 15_000_000


def test_a_prompt_of_nothing_is_none() -> None:
    request = msgspec.structs.replace(given().request, segments=())
    assert prompt_on(called(), given(request=request), CAPABLE, CHEAP) is None
    prompt = prompt_on(called(), given(), CAPABLE, CHEAP)
    assert prompt is not None
    assert prompt.tokens == 2_020
