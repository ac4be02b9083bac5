from typing import Any

import pytest
from strands.models import CacheConfig

from tests.doors.strands.support import CAPABLE, bedrock
from turnout.doors.strands.conversation import Call, OverrideError, adds_cache_points, sampling_parameters
from turnout.messages.prefix import PrefixHasher
from turnout.testing.bedrock import BedrockDouble

HASHER = PrefixHasher(b"key of the test")
HELLO: list[Any] = [{"role": "user", "content": [{"text": "hello"}]}]
SPEC: dict[str, Any] = {"name": "look", "description": "Look.", "inputSchema": {"json": {"type": "object"}}}


def test_a_system_prompt_is_read_from_text_or_from_blocks() -> None:
    blocks = [{"text": "be kind"}, {"cachePoint": {"type": "default"}}]
    assert Call(HELLO, None, "be kind", {}).system == [{"text": "be kind"}]
    assert Call(HELLO, None, "be kind", {"system_prompt_content": blocks}).system == blocks
    assert Call(HELLO, None, None, {}).system == []


def test_what_a_call_needs_is_seen(double: BedrockDouble) -> None:
    kwargs = {"tool_choice": {"tool": {"name": "look"}}, "structured_output_model": object}
    request = Call(HELLO, [SPEC], None, kwargs).request(HASHER, "s", None, bedrock(double, CAPABLE))
    assert (request.needs.tools, request.needs.forced_tool_choice, request.needs.structured_output) == (True,) * 3
    assert request.max_output_tokens == 500
    plain = Call(HELLO, None, None, {"tool_choice": {"auto": {}}}).request(HASHER, "s", None, bedrock(double, CAPABLE))
    assert not plain.needs.forced_tool_choice


def test_the_session_is_an_override_or_the_agents() -> None:
    class Metadata:
        session_id = "of the agent"

    given = {"agent_metadata": Metadata(), "invocation_state": {"turnout": {"session_id": "of the caller"}}}
    assert Call(HELLO, None, None, given).session_id == "of the caller"
    assert Call(HELLO, None, None, {"agent_metadata": Metadata()}).session_id == "of the agent"
    assert Call(HELLO, None, None, {}).session_id is None


def test_cache_points_that_a_model_adds_are_seen_in_what_it_sends(double: BedrockDouble) -> None:
    model = bedrock(double, CAPABLE, cache_config=CacheConfig(strategy="auto", tools_ttl=True))
    assert adds_cache_points(model)
    assert not adds_cache_points(bedrock(double, CAPABLE))
    plan = Call(HELLO, [SPEC], "be kind", {}, sent_by=model).request(HASHER, "s", None, model).user_plan
    assert len(plan.markers) == 3


def test_sampling_parameters_are_those_that_are_set(double: BedrockDouble) -> None:
    assert sampling_parameters(bedrock(double, CAPABLE, temperature=0.0)) == ("temperature",)
    assert sampling_parameters(bedrock(double, CAPABLE)) == ()


@pytest.mark.parametrize("given", ["pin", {"pin": None}, {"pinn": "x"}])
def test_overrides_that_cannot_be_read_are_refused(given: Any) -> None:
    with pytest.raises(OverrideError):
        Call(HELLO, None, None, {"invocation_state": {"turnout": given}})
