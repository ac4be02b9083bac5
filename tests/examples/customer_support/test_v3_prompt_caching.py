from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from examples.customer_support import v3_prompt_caching as v3
from examples.customer_support.models import PAIRS, Models, policy_of
from examples.customer_support.tools import SupportTools
from tests.examples.customer_support.support import usage_of
from turnout.testing.bedrock import BedrockDouble, block_tokens


def head_tokens(request: Mapping[str, Any]) -> int:
    return sum(block_tokens(block) for block in [*request["toolConfig"]["tools"], *request["system"]])


def test_the_head_is_written_once_with_its_tools_and_then_read(
    double: BedrockDouble, models: Models, tools: SupportTools
) -> None:
    model = v3.build_model(models, policy_of(PAIRS["4.5"]))
    v3.new_agent(model, tools)("How much is a dock?")
    v3.new_agent(model, tools)("What is the warranty of a camera?")
    first, *later = double.calls
    assert len(later) == 3
    head = head_tokens(first.request)
    assert head > 2_500
    assert usage_of(first)["cacheWriteInputTokens"] == head
    for call in later:
        assert usage_of(call)["cacheReadInputTokens"] == head
        assert usage_of(call)["cacheWriteInputTokens"] == 0


def test_there_is_one_cache_point_and_it_ends_the_system(
    double: BedrockDouble, models: Models, tools: SupportTools
) -> None:
    model = v3.build_model(models, policy_of(PAIRS["4.5"]))
    v3.new_agent(model, tools)("How much is a dock?")
    for call in double.calls:
        assert str(call.request).count("cachePoint") == 1
        assert call.request["system"][-1] == {"cachePoint": {"type": "default"}}


def test_below_the_floor_of_haiku_4_5_nothing_is_cached(
    double: BedrockDouble, models: Models, tools: SupportTools
) -> None:
    v3.new_agent(models(PAIRS["4.5"].cheap), tools)("How much is a dock?")
    for call in double.calls:
        assert usage_of(call)["cacheWriteInputTokens"] == usage_of(call)["cacheReadInputTokens"] == 0


def test_both_models_of_the_5_5_pair_cache_it(double: BedrockDouble, models: Models, tools: SupportTools) -> None:
    for model_id in (PAIRS["5.5"].cheap, PAIRS["5.5"].capable):
        v3.new_agent(models(model_id), tools)("How much is a dock?")
    assert [usage_of(call)["cacheReadInputTokens"] > 2_500 for call in double.calls] == [False, True, False, True]
