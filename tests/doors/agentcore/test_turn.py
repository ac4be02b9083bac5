from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from tests.doors.agentcore.support import (
    bedrock,
    close,
    come_about,
    factory,
    leaves_a_connection,
    routed,
)
from tests.doors.strands.support import CAPABLE, CHEAP, Events, agent
from turnout.doors.agentcore import AgentService, FromFactory
from turnout.doors.agentcore.errors import StoppingError
from turnout.doors.agentcore.payload import Question
from turnout.doors.agentcore.turn import Turn
from turnout.doors.strands import RoutedModel
from turnout.testing.bedrock import BedrockDouble, mid_stream, stall, throttling, validation


@pytest.fixture
def model(double: BedrockDouble, events: Events) -> Iterator[RoutedModel]:
    built = routed(double, events)
    yield built
    close(built)


@pytest.fixture
def service(model: RoutedModel) -> AgentService:
    return AgentService(FromFactory(factory(model), name="shop"), label="simulated models")


def question(prompt: str, *, stream: bool = True) -> Question:
    return Question(prompt=prompt, session_id="s1", stream=stream, headers={})


async def parts(turn: Turn) -> list[dict[str, Any]]:
    found = []
    while (part := await turn.next()) is not None:
        found.append(part)
    return found


async def test_the_parts_of_an_answer_come_in_order(service: AgentService) -> None:
    found = await parts(service.begin(question("What is the price of tea?")))
    kinds = [part["type"] for part in found]
    assert kinds[:2] == ["decision", "tool"]
    assert set(kinds[2:-1]) == {"text"}
    first, tool, answer = found[0], found[1], found[-1]
    assert (first["model_used"], first["reason"], first["label"]) == (CHEAP, "cheapest_clears_bar", "simulated models")
    assert tool["name"] == "get_price"
    assert answer["type"] == "answer"
    assert "".join(part["text"] for part in found if part["type"] == "text") in answer["response"]
    assert first["turn_id"] == answer["turn_id"]
    await service.aclose()


async def test_where_nothing_is_streamed_the_answer_is_the_only_part(service: AgentService) -> None:
    assert [part["type"] for part in await parts(service.begin(question("hello", stream=False)))] == ["answer"]
    await service.aclose()


async def test_a_failover_is_told_as_a_second_decision(service: AgentService, double: BedrockDouble) -> None:
    double.faults.add(throttling())
    found = await parts(service.begin(question("hello")))
    told = [(part["model_used"], part["reason"]) for part in found if part["type"] == "decision"]
    assert told[-1] == (CAPABLE, "failover")
    assert found[-1]["model_used"] == CAPABLE
    await service.aclose()


@leaves_a_connection
async def test_an_error_before_the_first_part_and_after_it_is_raised(
    service: AgentService, double: BedrockDouble, caplog: pytest.LogCaptureFixture
) -> None:
    double.faults.add(validation("a secret of the provider"))
    failed = service.begin(question("hello, says Mrs Private"))
    with pytest.raises(Exception, match="secret"):
        await parts(failed)
    double.faults.add(mid_stream(4))
    broken = service.begin(question("hello"))
    with pytest.raises(Exception, match="broke off"):
        await parts(broken)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("turnout.doors.agentcore")]
    assert [line.partition(",")[0] for line in ours] == [
        "error=<ValidationException>",
        "error=<ModelStreamErrorException>",
    ]
    assert failed.ids["turn_id"] is not None
    assert failed.ids["turn_id"] in ours[0]
    assert not [line for line in ours if "secret" in line or "Private" in line]
    await service.aclose()
    del broken, failed
    gc.collect()


@leaves_a_connection
async def test_a_turn_that_its_caller_leaves_ends_and_the_session_goes_on(
    service: AgentService, double: BedrockDouble, events: Events
) -> None:
    double.faults.add(stall(0.3))
    left = service.begin(question("What is the price of tea?"))
    reading = asyncio.create_task(left.next())
    await come_about(lambda: events.decisions)
    left.leave()
    left.leave()
    # Who still reads is told that the service ended it.
    with pytest.raises(StoppingError):
        await reading
    assert left.task.cancelled()
    assert [call.status for call in events.calls] == ["cancelled"]
    await parts(service.begin(question("hello")))
    assert len(double.calls[-1].request["messages"]) == 1
    await service.aclose()
    await asyncio.get_running_loop().shutdown_default_executor()
    gc.collect()


async def test_an_agent_whose_model_is_not_ours_is_served_and_said_so(
    double: BedrockDouble, caplog: pytest.LogCaptureFixture
) -> None:
    plain = bedrock(double, CHEAP)
    service = AgentService(FromFactory(lambda session_id: agent(plain, name="plain")))
    found = await parts(service.begin(question("hello")))
    assert {part["type"] for part in found} == {"text", "answer"}
    assert "agent=<plain> | its model is not routed" in caplog.text
    await service.aclose()
    plain.client.close()
