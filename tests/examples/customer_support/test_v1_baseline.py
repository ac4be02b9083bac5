from __future__ import annotations

from examples.customer_support import v1_baseline
from examples.customer_support.models import PAIRS, Models, policy_of
from examples.customer_support.prompts import system_prompt
from examples.customer_support.tools import SupportTools
from tests.examples.customer_support.support import usage_of
from turnout.testing.bedrock import BedrockDouble


def test_it_asks_the_capable_model_without_limits_or_caching(
    double: BedrockDouble, models: Models, tools: SupportTools
) -> None:
    model = v1_baseline.build_model(models, policy_of(PAIRS["4.5"]))
    result = v1_baseline.new_agent(model, tools)("What does it cost to return a monitor?")
    assert "monitors" in str(result)
    for call in double.calls:
        assert call.model == "global.anthropic.claude-sonnet-4-6"
        assert call.request["inferenceConfig"] == {}
        assert call.request["system"] == [{"text": system_prompt("v1_baseline")}]
        assert usage_of(call)["cacheReadInputTokens"] == usage_of(call)["cacheWriteInputTokens"] == 0
