"""OpenAI's own client against the gateway: every kind of call, over real sockets."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.doors.gateway.support import OPENAI, PIXEL, Served, Upstreams, served, settings_text, wait_for
from turnout.testing.completions import Fault

TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Looks up {name}.",
            "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
        },
    }
    for name in ("weather", "time")
]
ASKED: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How is the weather?"}]
ANSWER = "The simulated model heard you and answers in a few words."


def test_plain(gateway: Served, doubles: Upstreams) -> None:
    with gateway.openai() as client:
        raw = client.chat.completions.with_raw_response.create(model="turnout", messages=ASKED)
    answer = raw.parse()
    assert answer.choices[0].message.content == ANSWER
    assert answer.model == "gpt-5"
    assert raw.headers["x-turnout-model"] == OPENAI[1]
    assert raw.headers["x-turnout-reason"] == "no_verdict"
    assert raw.headers["x-request-id"] == "req_simulated"
    (decision,) = gateway.events.decisions
    assert raw.headers["x-turnout-request-id"] == decision.event_id
    (call,) = gateway.events.calls
    assert raw.headers["x-turnout-cost-usd"] == str(call.cost.usd)
    assert (call.status, call.finish_reason, call.streamed) == ("ok", "end_turn", False)


def test_a_turn_that_is_answered_keeps_no_decision(gateway: Served, doubles: Upstreams) -> None:
    with gateway.openai() as client:
        client.chat.completions.create(model="turnout", messages=ASKED)
    (turn,) = gateway.gateway.routing.turns._open.values()
    assert turn.model == OPENAI[1]
    assert turn.routed is None
    assert turn.called is None


def test_credentials_of_the_client_do_not_reach_the_provider(gateway: Served, doubles: Upstreams) -> None:
    with gateway.openai(organization="org-client", project="proj-client") as client:
        client.chat.completions.create(
            model="turnout", messages=ASKED, extra_headers={"x-own": "kept", "Cookie": "a=b"}
        )
    (call,) = doubles.openai.calls
    assert call.headers["authorization"] == "Bearer sk-up-openai"
    assert "client" not in json.dumps({name: value for name, value in call.headers.items() if name != "user-agent"})
    assert call.headers["x-own"] == "kept"
    assert "cookie" not in call.headers
    assert call.headers["accept-encoding"] == "identity"


def test_stream(gateway: Served, doubles: Upstreams) -> None:
    with (
        gateway.openai() as client,
        client.chat.completions.create(model="turnout", messages=ASKED, stream=True) as got,
    ):
        chunks = list(got)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == ANSWER
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)
    assert doubles.openai.calls[0].request["stream_options"] == {"include_usage": True}
    gateway.wait_for_calls(1)
    (call,) = gateway.events.calls
    tokens = doubles.openai.calls[0].tokens
    assert tokens is not None
    assert (call.usage.input_tokens, call.usage.output_tokens) == (tokens.fresh, tokens.output)
    assert (call.usage_source, call.streamed, call.first_content_ms is not None) == ("reported", True, True)


def test_stream_with_the_usage_that_was_asked_for(gateway: Served, doubles: Upstreams) -> None:
    with (
        gateway.openai() as client,
        client.chat.completions.create(
            model="turnout", messages=ASKED, stream=True, stream_options={"include_usage": True}
        ) as got,
    ):
        chunks = list(got)
    tokens = doubles.openai.calls[0].tokens
    assert tokens is not None
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == tokens.output
    assert chunks[-1].choices == []


def test_tools_and_their_results(gateway: Served, doubles: Upstreams) -> None:
    with gateway.openai() as client:
        first = client.chat.completions.create(model="turnout", messages=ASKED, tools=TOOLS).choices[0].message
        assert first.tool_calls is not None
        assert [one.function.name for one in first.tool_calls if one.type == "function"] == ["weather", "time"]
        results: list[Any] = [{"role": "tool", "tool_call_id": one.id, "content": "fine"} for one in first.tool_calls]
        history = [*ASKED, first.model_dump(exclude_none=True), *results]
        second = client.chat.completions.with_raw_response.create(model="turnout", messages=history, tools=TOOLS)
    assert second.parse().choices[0].message.content == ANSWER
    one, two = gateway.events.decisions
    assert one.turn_id == two.turn_id
    assert second.headers["x-turnout-reason"] == "hard_stay"
    assert [call.finish_reason for call in gateway.events.calls] == ["tool_use", "end_turn"]


def test_tools_streamed(gateway: Served) -> None:
    arguments: dict[int, str] = {}
    with (
        gateway.openai() as client,
        client.chat.completions.create(model="turnout", messages=ASKED, tools=TOOLS, stream=True) as got,
    ):
        for chunk in got:
            for part in chunk.choices[0].delta.tool_calls or []:
                assert part.function is not None
                arguments[part.index] = arguments.get(part.index, "") + (part.function.arguments or "")
    assert [json.loads(text) for text in arguments.values()] == [{"place": "Berlin 0"}, {"place": "Berlin 1"}]


def test_image(gateway: Served, doubles: Upstreams) -> None:
    assert base64.b64decode(PIXEL)
    content: Any = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
    ]
    with gateway.openai() as client:
        answer = client.chat.completions.create(model="turnout", messages=[{"role": "user", "content": content}])
    assert str(answer.choices[0].message.content).startswith("I see an image.")
    assert gateway.events.decisions[0].given.request.needs.vision
    assert PIXEL in doubles.openai.calls[0].body.decode()


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, openai.BadRequestError), (422, openai.UnprocessableEntityError), (404, openai.NotFoundError)],
)
def test_an_error_of_the_caller_comes_as_it_is_and_nothing_else_is_tried(
    gateway: Served, doubles: Upstreams, status: int, error: type[openai.APIStatusError]
) -> None:
    doubles.openai.faults.add(Fault(status=status, message="no good"))
    with gateway.openai() as client, pytest.raises(error) as caught:
        client.chat.completions.create(model="turnout", messages=ASKED)
    assert caught.value.body == {"message": "no good", "type": caught.value.type, "param": None, "code": None}
    assert len(doubles.openai.calls) == 1
    assert caught.value.response.headers["x-turnout-cost-usd"] == "0.000000000000"
    assert gateway.events.calls[0].status == "error"
    assert gateway.events.calls[0].cost.total_pico == 0


def test_throttled_everywhere_is_the_providers_own_429(gateway: Served, doubles: Upstreams) -> None:
    doubles.openai.faults.add(Fault(status=429, retry_after_s=30), times=None)
    with gateway.openai() as client, pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="turnout", messages=ASKED)
    assert caught.value.response.headers["retry-after"] == "30"
    assert {call.model for call in doubles.openai.calls} == {"gpt-5", "gpt-5-mini"}
    assert {call.error for call in gateway.events.calls} == {"RateLimitError"}


def test_throttling_fails_over(gateway: Served, doubles: Upstreams) -> None:
    doubles.openai.faults.add(Fault(status=429, model="gpt-5"))
    with gateway.openai() as client:
        raw = client.chat.completions.with_raw_response.create(model="turnout", messages=ASKED)
    assert raw.headers["x-turnout-model"] == OPENAI[0]
    assert raw.headers["x-turnout-reason"] == "failover"
    assert [call.status for call in gateway.events.calls] == ["error", "ok"]


def test_the_providers_refusal_of_our_own_key_is_not_the_clients(gateway: Served, doubles: Upstreams) -> None:
    doubles.openai.faults.add(Fault(status=401, message="bad key sk-up-openai"))
    with gateway.openai() as client, pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="turnout", messages=ASKED)
    assert caught.value.status_code == 502
    assert "sk-up-openai" not in str(caught.value)


def test_cancel_closes_the_connection_to_the_provider(gateway: Served, doubles: Upstreams) -> None:
    doubles.openai.faults.add(Fault(delay_s=30, after_events=3))
    with gateway.openai() as client:
        got = client.chat.completions.create(model="turnout", messages=ASKED, stream=True)
        next(iter(got))
        got.close()
        wait_for(lambda: bool(doubles.openai.calls and doubles.openai.calls[0].ended.is_set()))
    assert doubles.openai.calls[0].left
    gateway.wait_for_calls(1)
    (call,) = gateway.events.calls
    assert (call.status, call.usage_source) == ("cancelled", "estimated")


def test_cancel_before_the_first_byte(gateway: Served, doubles: Upstreams) -> None:
    doubles.openai.faults.add(Fault(delay_s=30))
    with gateway.openai(timeout=0.2) as client, pytest.raises(openai.APITimeoutError):
        client.chat.completions.create(model="turnout", messages=ASKED)
    wait_for(lambda: doubles.openai.calls[0].ended.is_set())
    assert doubles.openai.calls[0].left
    gateway.wait_for_calls(1)
    assert gateway.events.calls[0].status == "cancelled"


def test_models_are_listed(gateway: Served) -> None:
    with gateway.openai() as client:
        names = [model.id for model in client.models.list()]
        assert client.models.retrieve("turnout/economy").id == "turnout/economy"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("gpt-6")
    assert names[:4] == ["turnout", "turnout/quality", "turnout/balanced", "turnout/economy"]
    assert set(OPENAI) < set(names)


def test_a_named_model_is_a_pin(gateway: Served, doubles: Upstreams) -> None:
    with gateway.openai() as client:
        for name in ("gpt-5-mini", "openai/gpt-5-mini", "gpt-5-mini-2025-08-07"):
            raw = client.chat.completions.with_raw_response.create(model=name, messages=ASKED)
            assert raw.headers["x-turnout-reason"] == "pinned"
            assert raw.parse().model == "gpt-5-mini"
        raw = client.chat.completions.with_raw_response.create(
            model="turnout", messages=ASKED, extra_headers={"x-turnout-pin": "openai/gpt-5-mini"}
        )
        assert raw.headers["x-turnout-model"] == "openai/gpt-5-mini"
        raw = client.chat.completions.with_raw_response.create(
            model="turnout", messages=ASKED, metadata={"turnout_pin": "gpt-5-mini", "turnout_session": "s-7"}
        )
        assert raw.headers["x-turnout-model"] == "openai/gpt-5-mini"
    assert gateway.events.decisions[-1].session_id == "s-7"


def test_a_route_of_the_settings_by_the_name_that_is_in_a_program(doubles: Upstreams, tmp_path: Path) -> None:
    doubles.clear()
    routes = f"""[gateway]
translate = false
[routes."gpt-4o"]
candidates = ["{OPENAI[0]}"]
[routes.support]
"""
    with served(tmp_path, settings_text(doubles, *OPENAI, extra=routes)) as found, found.openai() as client:
        for name in ("gpt-4o", "turnout/gpt-4o", "support"):
            client.chat.completions.create(model=name, messages=ASKED)
        assert [one.id for one in client.models.list()][4:6] == ["gpt-4o", "support"]
    # Without a verdict the most capable candidate of the route serves.
    assert [json.loads(call.body)["model"] for call in doubles.openai.calls] == ["gpt-5-mini", "gpt-5-mini", "gpt-5"]


def test_an_unknown_model_is_a_404_with_the_nearest_name(gateway: Served) -> None:
    with gateway.openai() as client, pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-5-mni", messages=ASKED)
    assert caught.value.code == "model_not_found"
    assert "'gpt-5-mini'" in caught.value.message


def test_a_pin_whose_provider_speaks_another_protocol_is_refused(gateway: Served) -> None:
    with gateway.openai() as client, pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="anthropic/claude-sonnet-4-6", messages=ASKED)
    assert caught.value.code == "pin_ineligible"
    assert "(pin_ineligible): anthropic/claude-sonnet-4-6: its provider does not speak" in caught.value.message
    assert caught.value.message.endswith("(history:untranslatable:protocol)")
    (decision,) = gateway.events.decisions
    assert caught.value.response.headers["x-turnout-request-id"] == decision.event_id


def test_a_parameter_that_no_candidate_takes_is_a_400_that_says_so(gateway: Served) -> None:
    with gateway.openai() as client, pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="turnout", messages=ASKED, temperature=0.2)
    assert "parameter_rejected:temperature" in caught.value.message
