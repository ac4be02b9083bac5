from __future__ import annotations

import threading
from typing import Any

from tests.doors.agentcore.support import bedrock
from tests.doors.strands.support import CHEAP, agent
from turnout.doors.agentcore.departure import DEPARTURE, watch_departures
from turnout.testing.bedrock import BedrockDouble


async def test_a_model_is_told_of_the_departure_and_of_the_agents_own_cancelling(double: BedrockDouble) -> None:
    model = bedrock(double, CHEAP)
    seen: list[Any] = []
    stream = model.stream

    def watched(*args: Any, **kwargs: Any) -> Any:
        seen.append(kwargs["cancel_signal"])
        return stream(*args, **kwargs)

    model.stream = watched  # type: ignore[method-assign]  # notes what the real one is given
    asked = agent(model)
    watch_departures(asked)
    departure = threading.Event()
    DEPARTURE.set(departure)
    await asked.invoke_async("hello")
    model.client.close()
    (signal,) = seen
    assert not signal.is_set()
    asked.cancel()
    assert signal.is_set()
    asked.cancel_signal.clear()
    assert not signal.is_set()
    departure.set()
    assert signal.is_set()


async def test_without_a_service_nothing_changes(double: BedrockDouble) -> None:
    model = bedrock(double, CHEAP)
    asked = agent(model)
    watch_departures(asked)
    DEPARTURE.set(None)
    result = await asked.invoke_async("hello")
    model.client.close()
    assert result.stop_reason == "end_turn"
