from __future__ import annotations

import pytest

from examples.customer_support import build as module
from examples.customer_support.build import build, build_agent
from examples.customer_support.models import PAIRS, Models, policy_of
from examples.customer_support.queries import TEST_PROMPTS
from examples.customer_support.tools import SupportTools
from tests.examples.customer_support.support import ByWord, Events
from turnout.testing.bedrock import BedrockDouble
from turnout.trace.events import CallEvent


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("version", module.VERSIONS)
def test_every_version_answers_the_test_prompts_and_records_every_call(
    version: int, pair: str, double: BedrockDouble, models: Models, tools: SupportTools
) -> None:
    events = Events()
    agent = build(
        version, models, policy_of(PAIRS[pair]), tools=tools, classifier=ByWord(), recorder=events, simulated=True
    )
    for asked in TEST_PROMPTS:
        answer = agent.new_conversation()(asked.prompt, invocation_state={"turnout": {"query_id": asked.title}})
        assert str(answer).strip()
    # Two calls where a tool is called, else one: only the greeting needs no tool.
    titles = [asked.title for asked in TEST_PROMPTS for _ in range(1 if "Hello" in asked.prompt else 2)]
    assert [call.query_id for call in events.calls] == titles
    assert [call.model for call in events.calls] == [f"bedrock/{call.model}" for call in double.calls]
    assert all(call.simulated and call.usage_source == "reported" and call.cost.total_pico > 0 for call in events.calls)


def test_two_parts_of_a_question_call_two_tools_at_once(
    double: BedrockDouble, models: Models, tools: SupportTools
) -> None:
    asked = next(asked for asked in TEST_PROMPTS if asked.title == "Multi-part Question")
    answer = build_agent(2, models, policy_of(PAIRS["4.5"]), tools=tools)(asked.prompt)
    results = double.calls[-1].request["messages"][-1]["content"]
    assert [result["toolResult"]["status"] for result in results] == ["success", "success"]
    assert "Kestrel" in str(answer)
    assert "Window: 30 days" in str(answer)


def test_version_4_keeps_prefixes_warm_from_one_conversation_to_the_next(
    double: BedrockDouble, models: Models, tools: SupportTools
) -> None:
    events = Events()
    agent = build(4, models, policy_of(PAIRS["4.5"]), tools=tools, classifier=ByWord(), recorder=events)
    for _ in range(2):
        agent.new_conversation()("Is the return of a monitor free?")
    expected = [decision.decision.estimate(PAIRS["4.5"].capable).expected for decision in events.decisions]
    assert [one.read_tokens > 2_500 for one in expected if one is not None] == [False, True, True, True]


def test_versions_1_to_3_are_recorded_only_where_asked(models: Models, tools: SupportTools) -> None:
    policy, events = policy_of(PAIRS["4.5"]), Events()
    plain, recorded = build(1, models, policy, tools=tools), build(1, models, policy, tools=tools, recorder=events)
    plain.new_conversation()("Hello")
    assert events.events == []
    recorded.new_conversation()("Hello")
    assert [type(event) for event in events.events].count(CallEvent) == 1
    assert [str(event.decision.reason) for event in events.decisions] == ["verdict_not_needed"]


def test_an_unknown_version_is_an_error(models: Models) -> None:
    with pytest.raises(ValueError, match="there is no version 9; known are 1, 2, 3, 4"):
        build(9, models, policy_of(PAIRS["4.5"]))
