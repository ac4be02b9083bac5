from __future__ import annotations

import asyncio
import threading

import pytest

from tests.doors.agentcore.support import close, come_about, factory, pair, routed
from tests.doors.strands.support import CATALOG, POLICY, Events, agent
from turnout.doors.agentcore import AgentService, FromFactory, SharedAgent
from turnout.doors.agentcore.errors import StoppingError
from turnout.doors.agentcore.payload import Question
from turnout.doors.strands import RoutedModel
from turnout.testing.bedrock import BedrockDouble, stall


def question(prompt: str, session_id: str | None = None) -> Question:
    return Question(prompt=prompt, session_id=session_id, stream=False, headers={})


async def answer(service: AgentService, prompt: str, session_id: str | None = None) -> dict[str, object]:
    found = await service.begin(question(prompt, session_id)).next()
    assert found is not None
    return found


async def test_a_question_without_a_session_opens_one_that_can_go_on(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    made: list[str] = []
    service = AgentService(FromFactory(factory(model, made)))
    first = str((await answer(service, "hello"))["session_id"])
    second = str((await answer(service, "hello"))["session_id"])
    await answer(service, "again", first)
    assert made == [first, second]
    assert first != second
    assert [len(call.request["messages"]) for call in double.calls] == [1, 1, 3]
    assert {call.session_id for call in events.calls} == {first, second}
    await service.aclose()
    close(model)


async def test_a_router_that_records_nowhere_records_where_the_service_does(
    double: BedrockDouble, events: Events
) -> None:
    model = RoutedModel(pair(double), policy=POLICY, catalog=CATALOG)
    service = AgentService(SharedAgent(agent(model, name="shop")), records=events, label="simulated models")
    assert (await answer(service, "hello"))["simulated"] is True
    assert [call.simulated for call in events.calls] == [True]
    assert service.name == "shop"
    await service.aclose()
    close(model)


async def test_an_agent_that_is_refused_answers_nothing(double: BedrockDouble, events: Events) -> None:
    def refuse(_: object) -> None:
        raise PermissionError("not this one")

    model = routed(double, events)
    service = AgentService(FromFactory(factory(model)), check=refuse)
    with pytest.raises(PermissionError):
        await answer(service, "hello")
    assert len(double.calls) == 0
    await service.aclose()
    close(model)


async def test_closing_ends_what_runs_and_nothing_begins_after_it(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    service = AgentService(FromFactory(factory(model)))
    double.faults.add(stall(0.3))
    turn = service.begin(question("hello"))
    assert service.busy is True
    await come_about(lambda: events.decisions)
    await service.aclose()
    assert (turn.task.cancelled(), len(service.sessions)) == (True, 0)
    assert bool(service.busy) is False
    assert [call.status for call in events.calls] == ["cancelled"]
    with pytest.raises(StoppingError):
        service.begin(question("hello"))
    await service.aclose()
    await asyncio.get_running_loop().shutdown_default_executor()
    close(model)


async def test_it_can_be_closed_from_another_loop_and_before_it_was_used(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    await AgentService(FromFactory(factory(model))).aclose()
    service = AgentService(FromFactory(factory(model)))
    await answer(service, "hello", "s1")
    assert len(service.sessions) == 1
    closing = threading.Thread(target=lambda: asyncio.run(service.aclose()))
    closing.start()
    await come_about(lambda: not closing.is_alive())
    assert len(service.sessions) == 0
    close(model)
