"""Anthropic's own client against the gateway: every kind of call, over real sockets."""

from __future__ import annotations

import re
from typing import Any

import anthropic
import pytest

from tests.doors.gateway.support import ANTHROPIC, PIXEL, Served, Upstreams, wait_for
from turnout.testing.completions import Fault

TOOLS: list[Any] = [
    {
        "name": name,
        "description": f"Looks up {name}.",
        "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}},
    }
    for name in ("weather", "time")
]
ASKED: list[Any] = [{"role": "user", "content": "How is the weather?"}]
ANSWER = "The simulated model heard you and answers in a few words."
COMMON: dict[str, Any] = {"model": "turnout", "max_tokens": 200, "messages": ASKED}


def test_plain(gateway: Served, doubles: Upstreams) -> None:
    with gateway.anthropic() as client:
        raw = client.messages.with_raw_response.create(**COMMON, system="Be brief.")
    answer = raw.parse()
    assert [block.text for block in answer.content if block.type == "text"] == [ANSWER]
    assert answer.model == "claude-sonnet-4-6"
    assert raw.headers["x-turnout-model"] == ANTHROPIC[1]
    assert raw.headers["request-id"] == "req_simulated"
    (call,) = gateway.events.calls
    assert raw.headers["x-turnout-cost-usd"] == str(call.cost.usd)


def test_key_version_and_betas(gateway: Served, doubles: Upstreams) -> None:
    with gateway.anthropic() as client:
        client.beta.messages.create(
            **COMMON, betas=["context-1m-2025-08-07", "other-2026-01-01"], extra_query={"beta": "true"}
        )
    (call,) = doubles.anthropic.calls
    assert call.headers["x-api-key"] == "sk-up-anthropic"
    assert "authorization" not in call.headers
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", call.headers["anthropic-version"])
    assert call.headers["anthropic-beta"] == "context-1m-2025-08-07,other-2026-01-01"
    assert call.path == "/v1/messages?beta=true"


def test_stream(gateway: Served, doubles: Upstreams) -> None:
    with gateway.anthropic() as client, client.messages.stream(**COMMON) as got:
        events = [event.type for event in got]
        final = got.get_final_message()
    assert [block.text for block in final.content if block.type == "text"] == [ANSWER]
    assert events[0] == "message_start"
    assert events[-1] == "message_stop"
    tokens = doubles.anthropic.calls[0].tokens
    assert tokens is not None
    assert (final.usage.input_tokens, final.usage.output_tokens) == (tokens.fresh, tokens.output)
    gateway.wait_for_calls(1)
    (call,) = gateway.events.calls
    assert (call.usage.input_tokens, call.usage.output_tokens) == (tokens.fresh, tokens.output)
    assert (call.status, call.usage_source, call.finish_reason) == ("ok", "reported", "end_turn")


def test_tools_and_their_results(gateway: Served) -> None:
    with gateway.anthropic() as client:
        first = client.messages.create(**COMMON, tools=TOOLS)
        used = [block for block in first.content if block.type == "tool_use"]
        assert [block.name for block in used] == ["weather", "time"]
        results = [{"type": "tool_result", "tool_use_id": block.id, "content": "fine"} for block in used]
        history = [*ASKED, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
        second = client.messages.with_raw_response.create(**{**COMMON, "messages": history}, tools=TOOLS)
    assert second.headers["x-turnout-reason"] == "hard_stay"
    one, two = gateway.events.decisions
    assert one.turn_id == two.turn_id


def test_tools_streamed(gateway: Served) -> None:
    with gateway.anthropic() as client, client.messages.stream(**COMMON, tools=TOOLS) as got:
        final = got.get_final_message()
    assert [block.input for block in final.content if block.type == "tool_use"] == [
        {"place": "Berlin 0"},
        {"place": "Berlin 1"},
    ]


def test_image(gateway: Served) -> None:
    content: Any = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "text", "text": "What is this?"},
    ]
    with gateway.anthropic() as client:
        answer = client.messages.create(**{**COMMON, "messages": [{"role": "user", "content": content}]})
    assert next(block.text for block in answer.content if block.type == "text").startswith("I see an image.")
    assert gateway.events.decisions[0].given.request.needs.vision


def test_markers_of_the_client_are_seen_and_not_touched(gateway: Served, doubles: Upstreams) -> None:
    system: Any = [
        {"type": "text", "text": "A long rule. " * 2000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]
    with gateway.anthropic() as client:
        client.messages.create(**COMMON, system=system)
    assert doubles.anthropic.calls[0].request["system"] == system
    (decision,) = gateway.events.decisions
    assert [marker.ttl for marker in decision.given.request.user_plan.markers] == ["1h"]


def test_tokens_are_counted_by_the_provider(gateway: Served, doubles: Upstreams) -> None:
    with gateway.anthropic() as client:
        counted = client.messages.with_raw_response.count_tokens(model="turnout", messages=ASKED)
        pinned = client.messages.with_raw_response.count_tokens(model=ANTHROPIC[0], messages=ASKED)
    assert counted.parse().input_tokens > 0
    assert counted.headers["x-turnout-model"] == ANTHROPIC[1]
    assert pinned.headers["x-turnout-model"] == ANTHROPIC[0]
    assert [call.model for call in doubles.anthropic.calls] == ["claude-sonnet-4-6", "claude-haiku-4-5-20251001"]
    assert gateway.events.events == []


@pytest.mark.parametrize(("status", "error"), [(400, anthropic.BadRequestError), (413, anthropic.RequestTooLargeError)])
def test_an_error_of_the_caller_comes_as_it_is(
    gateway: Served, doubles: Upstreams, status: int, error: type[anthropic.APIStatusError]
) -> None:
    doubles.anthropic.faults.add(Fault(status=status, message="no good"))
    with gateway.anthropic() as client, pytest.raises(error) as caught:
        client.messages.create(**COMMON)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["message"] == "no good"
    assert len(doubles.anthropic.calls) == 1


def test_a_prompt_that_is_too_long_goes_to_a_larger_window(gateway: Served, doubles: Upstreams) -> None:
    too_long = Fault(
        status=400, message="prompt is too long: 200001 tokens > 200000", model="claude-haiku-4-5-20251001"
    )
    doubles.anthropic.faults.add(too_long)
    with gateway.anthropic() as client, pytest.raises(anthropic.BadRequestError):
        client.messages.create(**{**COMMON, "model": ANTHROPIC[0]})
    doubles.anthropic.faults.add(Fault(status=400, message="prompt is too long", model="claude-sonnet-4-6"))
    with gateway.anthropic() as client, pytest.raises(anthropic.BadRequestError):
        client.messages.create(**COMMON)  # no candidate has a larger window than this one


def test_overload_fails_over(gateway: Served, doubles: Upstreams) -> None:
    doubles.anthropic.faults.add(Fault(status=529, model="claude-sonnet-4-6"))
    with gateway.anthropic() as client:
        raw = client.messages.with_raw_response.create(**COMMON)
    assert raw.headers["x-turnout-model"] == ANTHROPIC[0]
    assert [call.error for call in gateway.events.calls] == ["OverloadedError", ""]


def test_cancel_closes_the_connection_to_the_provider(gateway: Served, doubles: Upstreams) -> None:
    doubles.anthropic.faults.add(Fault(delay_s=30, after_events=4))
    with gateway.anthropic() as client:
        with client.messages.stream(**COMMON) as got:
            for event in got:
                if event.type == "text":
                    break
        wait_for(lambda: doubles.anthropic.calls[0].ended.is_set())
    assert doubles.anthropic.calls[0].left
    gateway.wait_for_calls(1)
    assert gateway.events.calls[0].status == "cancelled"


def test_an_unknown_model_is_a_404_with_the_nearest_name(gateway: Served) -> None:
    with gateway.anthropic() as client, pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(**{**COMMON, "model": "claude-sonet-4-6"})
    assert "'claude-sonnet-4-6'" in str(caught.value)


def test_models_are_listed_in_its_shape(gateway: Served) -> None:
    with gateway.anthropic() as client:
        assert next(model.id for model in client.models.list()) == "turnout"
