from __future__ import annotations

import pytest

from examples.customer_support import v2_quick_wins as v2
from examples.customer_support.models import PAIRS, THINKING_TOKENS, Models, policy_of
from examples.customer_support.prompts import system_prompt
from examples.customer_support.tools import SupportTools
from turnout.testing.bedrock import BedrockDouble


@pytest.mark.parametrize(
    ("pair", "limits"),
    [
        ("4.5", {"maxTokens": v2.MAX_TOKENS, "temperature": v2.TEMPERATURE}),
        ("5.5", {"maxTokens": v2.MAX_TOKENS + THINKING_TOKENS}),
    ],
)
def test_it_has_the_structured_prompt_and_the_limits_that_its_model_takes(
    pair: str, limits: dict[str, float], double: BedrockDouble, models: Models, tools: SupportTools
) -> None:
    model = v2.build_model(models, policy_of(PAIRS[pair]))
    v2.new_agent(model, tools)("How much is a dock?")
    assert len(double.calls) == 2
    for call in double.calls:
        assert call.request["inferenceConfig"] == limits
        assert call.request["system"] == [{"text": system_prompt("v2_structured")}]
