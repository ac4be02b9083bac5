"""Any report, in any provider's convention, at any price of the catalog: the product's cost is the independent bill."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.accounting.bill import (
    LONG_PROMPT,
    PRICE_LIST,
    PROFILES,
    Counts,
    as_anthropic,
    as_bedrock,
    as_openai,
    bill,
    dollars,
    of_anthropic,
    of_bedrock,
    of_openai,
    of_span,
)
from turnout.config import load_catalog
from turnout.core.cost import cost_of, pico_to_usd, usd_to_pico
from turnout.core.usage import Usage

CATALOG = load_catalog()
MODEL_IDS = [f"{profile}.{name}" for profile in PROFILES for name in PRICE_LIST]

tokens = st.integers(0, 1_000_000) | st.sampled_from([0, 1, 511, 512, 1_024, 4_096])
counts = st.builds(Counts, tokens, tokens, tokens, tokens, tokens)


@st.composite
def around_the_long_prompt(draw: st.DrawFn) -> Counts:
    """A prompt of 100,000 tokens give or take one, cut at random into fresh, read and written ones."""
    total = LONG_PROMPT + draw(st.integers(-1, 1))
    cuts = sorted(draw(st.lists(st.integers(0, total), min_size=3, max_size=3)))
    fresh, read, write_5m, write_1h = (end - start for start, end in zip([0, *cuts], [*cuts, total], strict=True))
    return Counts(fresh, read, write_5m, write_1h, draw(tokens))


any_counts = counts | around_the_long_prompt()


def cost_pico(usage: Usage, model_id: str) -> int:
    return cost_of(usage, CATALOG[f"bedrock/{model_id}"].price).total_pico


@given(st.sampled_from(MODEL_IDS), any_counts)
@example("us.anthropic.claude-haiku-5-5", Counts(fresh=1, read=LONG_PROMPT, output=7))
@example("us-gov.anthropic.claude-haiku-5-5", Counts(write_1h=LONG_PROMPT, output=1))
def test_a_report_of_bedrock_costs_what_the_bill_says(model_id: str, counted: Counts) -> None:
    report = as_bedrock(counted)
    assert dollars(cost_pico(Usage.from_bedrock(report), model_id)) == bill(model_id, of_bedrock(report))


@given(st.sampled_from(MODEL_IDS), any_counts)
def test_a_report_of_anthropic_costs_what_the_bill_says(model_id: str, counted: Counts) -> None:
    report = as_anthropic(counted)
    assert dollars(cost_pico(Usage.from_anthropic(report), model_id)) == bill(model_id, of_anthropic(report))


@given(st.sampled_from(MODEL_IDS), any_counts, st.data())
def test_a_report_of_openai_costs_what_the_bill_says_and_reasoning_is_part_of_the_output(
    model_id: str, counted: Counts, data: st.DataObject
) -> None:
    report = as_openai(counted, reasoning=data.draw(st.integers(0, counted.output)))
    assert dollars(cost_pico(Usage.from_openai(report), model_id)) == bill(model_id, of_openai(report))


@given(st.sampled_from(MODEL_IDS), any_counts)
def test_the_attributes_of_a_span_cost_what_the_bill_says(model_id: str, counted: Counts) -> None:
    usage = Usage.from_bedrock(as_bedrock(counted))
    attributes: dict[str, Any] = usage.to_opentelemetry()
    # What every backend can read: without the split by duration, which the conventions do not know.
    unsplit = Usage.from_opentelemetry(attributes)
    assert dollars(cost_pico(unsplit, model_id)) == bill(model_id, of_span(attributes))
    attributes["turnout.usage.cache_write_1h_tokens"] = usage.cache_write_1h_tokens
    assert of_span(attributes) == counted


@given(st.sampled_from(MODEL_IDS), any_counts)
def test_the_same_call_costs_the_same_in_every_convention(model_id: str, counted: Counts) -> None:
    of_five_minutes = counted._replace(write_5m=counted.write_5m + counted.write_1h, write_1h=0)
    usages = {
        Usage.from_bedrock(as_bedrock(of_five_minutes)),
        Usage.from_anthropic(as_anthropic(of_five_minutes)),
        Usage.from_openai(as_openai(of_five_minutes)),
        Usage.from_opentelemetry(Usage.from_bedrock(as_bedrock(of_five_minutes)).to_opentelemetry()),
    }
    assert len(usages) == 1
    assert dollars(cost_pico(usages.pop(), model_id)) == bill(model_id, of_five_minutes)


@given(st.lists(st.tuples(st.sampled_from(MODEL_IDS), any_counts), max_size=50))
def test_sums_are_never_rounded(calls: list[tuple[str, Counts]]) -> None:
    pico = sum(cost_pico(Usage.from_bedrock(as_bedrock(counted)), model_id) for model_id, counted in calls)
    assert dollars(pico) == sum(bill(model_id, counted) for model_id, counted in calls)
    assert usd_to_pico(pico_to_usd(pico)) == pico


@pytest.mark.parametrize("name", PRICE_LIST)
def test_the_long_prompt_price_begins_with_the_whole_prompt(name: str) -> None:
    at, above = (bill(f"global.{name}", Counts(read=tokens)) for tokens in (LONG_PROMPT, LONG_PROMPT + 1))
    step = 5 if name == "anthropic.claude-haiku-5-5" else 1
    assert above / (LONG_PROMPT + 1) == step * at / LONG_PROMPT
