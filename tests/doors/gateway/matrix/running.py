"""Runs one cell of the matrix, and says what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

import pytest

from tests.doors.gateway.matrix.cells import NO_PROVIDER, WORKS, Cell
from tests.doors.gateway.matrix.clients.anthropic_messages import AnthropicMessages, AnthropicOnBedrock
from tests.doors.gateway.matrix.clients.aws import Boto3Converse, Boto3Invoke
from tests.doors.gateway.matrix.clients.common import Driver
from tests.doors.gateway.matrix.clients.openai_chat import OpenAIChat
from tests.doors.gateway.matrix.clients.openai_responses import OpenAIResponses
from tests.doors.gateway.matrix.clients.strands_models import (
    StrandsAnthropic,
    StrandsBedrock,
    StrandsOpenAI,
    StrandsResponses,
)
from tests.doors.gateway.matrix.said import ANSWER, CALLED, NO_GOOD, SEES, Count, Heard
from tests.doors.gateway.matrix.upstreams import Behind, behind
from tests.doors.gateway.support import Served, Upstreams
from turnout.config import load_catalog
from turnout.core.cost import usd_text
from turnout.core.usage import Usage
from turnout.trace.events import CallEvent
from turnout.upstream.local.smollm import SMOLLM2_ID

LOCAL_WAY = "in process"

DRIVERS: Mapping[str, Callable[[Served], Driver]] = {
    "openai": OpenAIChat,
    "strands-openai": StrandsOpenAI,
    "openai-responses": OpenAIResponses,
    "strands-responses": StrandsResponses,
    "anthropic": AnthropicMessages,
    "strands-anthropic": StrandsAnthropic,
    "boto3": Boto3Converse,
    "strands-bedrock": StrandsBedrock,
    "boto3-invoke": Boto3Invoke,
    "anthropic-bedrock": AnthropicOnBedrock,
}


class Bench:
    """The gateway between the clients and the doubles."""

    def __init__(self, gateway: Served, found: Upstreams) -> None:
        self.gateway = gateway
        self.upstreams = behind(found)
        self._found = found
        self._drivers: dict[str, Driver] = {}
        self._catalog = load_catalog()

    def driver(self, name: str) -> Driver:
        """A client, made when it is first asked for."""
        if name not in self._drivers:
            self._drivers[name] = DRIVERS[name](self.gateway)
        return self._drivers[name]

    def close(self) -> None:
        """Close all clients."""
        for driver in self._drivers.values():
            driver.close()

    def run(self, cell: Cell) -> str:
        """Run a cell; the API by which the upstream was asked, or nothing where it was not to be."""
        self._found.clear()
        self.gateway.events.events.clear()
        driver = self.driver(cell.client.name)
        if cell.state is NO_PROVIDER:
            return ""
        if cell.upstream == "local":
            return self._run_local(cell, driver)
        upstream = self.upstreams[cell.upstream]
        if cell.state is not WORKS:
            self._is_refused(cell, driver, upstream.model)
            assert upstream.requests == []
            return ""
        match cell.case:
            case "plain":
                self._check([driver.plain(upstream.model)], upstream, streamed=driver.always_streams)
            case "stream":
                self._check([driver.stream(upstream.model)], upstream, streamed=True)
            case "tools":
                heard = driver.tools(upstream.model)
                self._check(heard, upstream, streamed=driver.always_streams, first_calls=True)
            case "tools streamed":
                self._check(driver.tools_streamed(upstream.model), upstream, streamed=True, first_calls=True)
            case "image":
                said = f"{SEES} {ANSWER}"
                self._check([driver.image(upstream.model)], upstream, streamed=driver.always_streams, said=said)
                assert upstream.saw_picture()
                assert self.gateway.events.decisions[0].given.request.needs.vision
            case "error":
                self._errors(driver, upstream)
            case "cancel":
                self._cancel(driver, upstream)
        return upstream.way

    def _run_local(self, cell: Cell, driver: Driver) -> str:
        """The same with the model that runs here, whose answers nobody scripted."""
        if cell.state is not WORKS:
            self._is_refused(cell, driver, SMOLLM2_ID)
            return ""
        events = self.gateway.events
        if cell.case == "cancel":
            driver.cancel(SMOLLM2_ID)
            self.gateway.wait_for_calls(1, 30)
            assert [call.status for call in events.calls] == ["cancelled"]
            return LOCAL_WAY
        heard = driver.plain(SMOLLM2_ID) if cell.case == "plain" else driver.stream(SMOLLM2_ID)
        self.gateway.wait_for_calls(1, 30)
        (call,), (decision,) = events.calls, events.decisions
        assert heard.text.strip()
        assert heard.cut == (call.finish_reason == "max_tokens")
        assert (call.status, call.usage_source, call.model) == ("ok", "reported", SMOLLM2_ID)
        assert call.streamed == (cell.case == "stream" or driver.always_streams)
        assert call.cost.total_pico == call.cost_high_pico == 0
        if heard.usage is not None:
            assert heard.usage == Count(
                prompt=call.usage.prompt_tokens, read=call.usage.cache_read_tokens, output=call.usage.output_tokens
            )
        if heard.headers is not None:
            assert heard.headers["x-turnout-model"] == SMOLLM2_ID
            assert heard.headers["x-turnout-request-id"] == decision.event_id
        assert decision.decision.reason.value == "pinned"
        return LOCAL_WAY

    def _is_refused(self, cell: Cell, driver: Driver, model: str) -> None:
        state = cell.state
        assert state.status is not None
        ask = {
            "plain": driver.plain,
            "stream": driver.stream,
            "tools": driver.tools,
            "tools streamed": driver.tools_streamed,
            "image": driver.image,
            "error": driver.plain,
            "cancel": driver.cancel,
        }[cell.case]
        with pytest.raises(driver.errors[state.status]) as caught:
            ask(model)
        assert driver.status_of(caught.value) == state.status
        assert state.said in str(caught.value)
        assert self.gateway.events.calls == []

    def _check(
        self,
        heard: list[Heard] | tuple[Heard, ...],
        upstream: Behind,
        *,
        streamed: bool,
        said: str = ANSWER,
        first_calls: bool = False,
    ) -> None:
        """Hold answers against what the upstream said, and against the record."""
        self.gateway.wait_for_calls(len(heard))
        calls, decisions = self.gateway.events.calls, self.gateway.events.decisions
        assert len(upstream.requests) == len(upstream.usages) == len(calls) == len(decisions) == len(heard)
        for index, (answer, usage, call) in enumerate(zip(heard, upstream.usages, calls, strict=True)):
            calls_tools = first_calls and index == 0
            assert answer.text == ("" if calls_tools else said)
            assert not answer.cut
            assert answer.tools == (CALLED if calls_tools else [])
            if answer.usage is not None:
                assert answer.usage == Count(
                    prompt=usage.prompt_tokens, read=usage.cache_read_tokens, output=usage.output_tokens
                )
            # Claude on Bedrock names itself without profile and provider.
            assert answer.model is None or self._catalog[upstream.model].model_id.endswith(answer.model or "?")
            assert answer.pieces is None or calls_tools or answer.pieces > 1
            self._check_call(call, upstream.model, usage, streamed=streamed)
            assert call.finish_reason == ("tool_use" if calls_tools else "end_turn")
            assert (call.first_content_ms is not None) == streamed
            if answer.headers is not None:
                assert answer.headers["x-turnout-model"] == upstream.model
                assert answer.headers["x-turnout-reason"] == decisions[index].decision.reason.value
                assert answer.headers["x-turnout-request-id"] == decisions[index].event_id
                assert answer.headers.get("x-turnout-cost-usd") == (
                    None if streamed else usd_text(call.cost.total_pico)
                )
        assert decisions[0].decision.reason.value == "pinned"

    def _check_call(self, call: CallEvent, model: str, usage: Usage, *, streamed: bool) -> None:
        assert (call.status, call.usage_source, call.model, call.streamed) == ("ok", "reported", model, streamed)
        assert call.usage == usage
        # By another way than the one that is under test: decimals, and not integers of pico-USD.
        tier = self._catalog[model].price.tier_for(usage.prompt_tokens)
        prices = (
            (usage.input_tokens, tier.input),
            (usage.cache_read_tokens, tier.cache_read or tier.input),
            (usage.cache_write_5m_tokens, tier.cache_write_5m or tier.input),
            (usage.cache_write_1h_tokens, tier.cache_write_1h or tier.input),
            (usage.output_tokens, tier.output),
        )
        assert call.cost.usd == sum((tokens * price for tokens, price in prices), Decimal()) / 1_000_000
        assert call.cost_high_pico == call.cost.total_pico

    def _errors(self, driver: Driver, upstream: Behind) -> None:
        """The caller's own error, throttling that does not end, and a stream that breaks off."""
        for status in (400, 429):
            self.gateway.events.events.clear()
            upstream.fail(status)
            with pytest.raises(driver.errors[status]) as caught:
                driver.plain(upstream.model)
            assert driver.status_of(caught.value) in (status, None)
            assert NO_GOOD in str(caught.value)
            self._found.clear_faults()
            calls = self.gateway.events.calls
            assert len(calls) == 1 if status == 400 else len(calls) > 1
            assert {(call.status, call.cost.total_pico) for call in calls} == {("error", 0)}
        self.gateway.events.events.clear()
        upstream.fail(500, in_stream=True)
        with pytest.raises(driver.broken) as broken:
            driver.stream(upstream.model)
        assert NO_GOOD in str(broken.value)
        self.gateway.wait_for_calls(1)
        assert [call.status for call in self.gateway.events.calls] == ["error"]

    def _cancel(self, driver: Driver, upstream: Behind) -> None:
        upstream.stall()
        driver.cancel(upstream.model)
        upstream.wait_until_left()
        self.gateway.wait_for_calls(1)
        assert [call.status for call in self.gateway.events.calls] == ["cancelled"]
