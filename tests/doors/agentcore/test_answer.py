from __future__ import annotations

from decimal import Decimal

from tests.doors.agentcore.support import bedrock, close, routed
from tests.doors.strands.support import CAPABLE, CHEAP, Events, agent
from turnout.core.cost import pico_to_usd
from turnout.doors.agentcore.answer import answer_of
from turnout.doors.agentcore.log import TurnLog, collected, listen_to
from turnout.testing.bedrock import BedrockDouble, throttling


async def test_an_answer_names_model_reason_cost_and_ids(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    listen_to(model, TurnLog())
    with collected() as heard:
        result = await agent(model).invoke_async("hello")
    close(model)
    answer = answer_of(result, heard, session_id="s1", label="simulated models")
    assert next(iter(answer)) == "label"
    assert answer["response"] == "\n".join(block["text"] for block in result.message["content"])
    assert (answer["model_used"], answer["complexity"], answer["session_id"]) == (CHEAP, "simple", "s1")
    assert (answer["simulated"], answer["stop_reason"], answer["trace_id"]) == (True, "end_turn", None)
    assert answer["turn_id"] == events.calls[0].turn_id
    assert Decimal(answer["cost_usd"]) == pico_to_usd(sum(call.cost.total_pico for call in events.calls)) > 0
    assert answer["decision"] == {
        "reason": "cheapest_clears_bar",
        "runner_up": CAPABLE,
        "classifier": "compare",
        "p_simple": 0.9,
        "bar": 0.5,
        "expected_cost_usd": {
            estimate.model: str(pico_to_usd(estimate.expected.cost_pico))
            for estimate in events.decisions[0].decision.estimates
            if estimate.expected is not None
        },
    }


async def test_an_answer_after_a_failover_names_both_models(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    listen_to(model, TurnLog())
    double.faults.add(throttling())
    with collected() as heard:
        result = await agent(model).invoke_async("What is the price of tea?")
    close(model)
    answer = answer_of(result, heard, session_id="s1")
    assert answer["model_used"] == CAPABLE
    assert answer["decision"]["failed_over_from"] == [CHEAP]
    assert answer["decision"]["reason"] == "cheapest_clears_bar"
    assert "label" not in answer


async def test_of_a_model_that_is_not_ours_nothing_is_claimed(double: BedrockDouble) -> None:
    model = bedrock(double, CHEAP)
    with collected() as heard:
        result = await agent(model).invoke_async("hello")
    model.client.close()
    answer = answer_of(result, heard, session_id="s1")
    assert answer["response"]
    for name in ("model_used", "complexity", "cost_usd", "turn_id", "trace_id", "decision"):
        assert answer[name] is None
    assert answer["simulated"] is False
