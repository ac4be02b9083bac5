from __future__ import annotations

import asyncio

import pytest

from tests.doors.agentcore.support import bedrock, close, pair, routed
from tests.doors.strands.support import CAPABLE, CATALOG, CHEAP, Events, agent
from turnout.doors.agentcore.log import Heard, TurnLog, collected, listen_to
from turnout.doors.strands import MeteredModel, RoutedModel
from turnout.testing.bedrock import BedrockDouble, internal_error
from turnout.trace.fanout import Fanout


async def test_each_request_hears_its_own_events_and_they_go_on(double: BedrockDouble, events: Events) -> None:
    model = routed(double, events)
    assert listen_to(model, TurnLog())
    assert listen_to(model, TurnLog())  # a second time nothing changes

    async def ask(prompt: str) -> Heard:
        with collected() as heard:
            await agent(model).invoke_async(prompt)
        return heard

    simple, hard = await asyncio.gather(ask("hello"), ask("compare the two"))
    close(model)
    assert [event.decision.model for event in simple.decisions] == [CHEAP]
    assert [event.decision.model for event in hard.decisions] == [CAPABLE]
    assert len(events.events) == len(simple.events) + len(hard.events) == 4
    assert simple.cost_pico == sum(
        call.cost.total_pico for call in events.calls if call.turn_id == simple.ids["turn_id"]
    )
    assert (simple.simulated, simple.ids["trace_id"]) == (True, None)


async def test_a_model_that_records_nowhere_records_in_the_log(double: BedrockDouble, events: Events) -> None:
    routed_model = RoutedModel(pair(double), policy=routed(double, events).routing.router.policy, catalog=CATALOG)
    assert listen_to(routed_model, TurnLog(events), simulated=True)
    with collected() as heard:
        double.faults.add(internal_error())
        await agent(routed_model).invoke_async("hello")
    close(routed_model)
    assert [call.status for call in events.calls] == ["error", "ok"]
    assert all(event.simulated for event in events.events)
    assert heard.events == events.events


async def test_a_metered_model_is_heard_and_any_other_is_not(double: BedrockDouble, events: Events) -> None:
    plain = bedrock(double, CHEAP)
    metered = MeteredModel.alone(plain, CHEAP, catalog=CATALOG, recorder=events)
    assert listen_to(metered, TurnLog())
    with collected() as heard:
        await agent(metered).invoke_async("hello")
    plain.client.close()
    assert [event.decision.model for event in heard.decisions] == [CHEAP]
    assert not listen_to(plain, TurnLog())


def test_nothing_heard_names_nothing() -> None:
    heard = Heard()
    assert heard.ids == {"turn_id": None, "trace_id": None}
    assert (heard.decisions, heard.cost_pico, heard.simulated) == ([], 0, False)


def test_spans_are_still_found_behind_the_log() -> None:
    pytest.importorskip("opentelemetry.sdk")
    from turnout.trace.spans.recorder import SpanRecorder

    spans = SpanRecorder([])
    assert TurnLog(Fanout(Events(), spans)).span_source is spans.span_source
    assert TurnLog(Events()).span_source is None
    spans.close()
