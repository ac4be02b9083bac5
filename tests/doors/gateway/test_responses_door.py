"""OpenAI's own client at ``/v1/responses``: every kind of call, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.doors.gateway.access.support import key
from tests.doors.gateway.support import (
    ANTHROPIC,
    OPENAI,
    PIXEL,
    Served,
    Upstreams,
    admission_of,
    served,
    settings_text,
    wait_for,
)
from turnout.testing.completions import Fault, OpenAIDouble, Tokens

TOOLS: list[Any] = [
    {
        "type": "function",
        "name": name,
        "description": f"Looks up {name}.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
        "strict": False,
    }
    for name in ("weather", "time")
]
ASKED = "How is the weather?"
ANSWER = "The simulated model heard you and answers in a few words."


def test_plain(gateway: Served, doubles: Upstreams) -> None:
    with gateway.openai() as client:
        raw = client.responses.with_raw_response.create(model="turnout", input=ASKED, instructions="Be brief.")
    answer = raw.parse()
    assert answer.output_text == ANSWER
    assert answer.model == "gpt-5"
    assert answer.status == "completed"
    assert raw.headers["x-turnout-model"] == OPENAI[1]
    assert raw.headers["x-request-id"] == "req_simulated"
    (call,) = gateway.events.calls
    assert raw.headers["x-turnout-cost-usd"] == str(call.cost.usd)
    assert (call.status, call.finish_reason, call.usage_source) == ("ok", "end_turn", "reported")
    (seen,) = doubles.openai.calls
    assert seen.path == "/v1/responses"
    assert seen.headers["authorization"] == "Bearer sk-up-openai"
    assert seen.request["instructions"] == "Be brief."


def test_stream(gateway: Served, doubles: Upstreams) -> None:
    with gateway.openai() as client, client.responses.stream(model="turnout", input=ASKED) as got:
        events = list(got)
        final = got.get_final_response()
    assert final.output_text == ANSWER
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert [event.sequence_number for event in events if hasattr(event, "sequence_number")] == list(range(len(events)))
    tokens = doubles.openai.calls[0].tokens
    assert tokens is not None
    assert final.usage is not None
    assert (final.usage.input_tokens, final.usage.output_tokens) == (tokens.fresh, tokens.output)
    gateway.wait_for_calls(1)
    (call,) = gateway.events.calls
    assert (call.usage.input_tokens, call.usage.output_tokens) == (tokens.fresh, tokens.output)
    assert (call.status, call.finish_reason, call.streamed) == ("ok", "end_turn", True)
    assert call.first_content_ms is not None


def test_a_stream_says_what_it_cost_before_its_last_event(gateway: Served) -> None:
    with (
        gateway.http() as client,
        client.stream("POST", "/v1/responses", json={"model": "turnout", "input": "hi", "stream": True}) as answer,
    ):
        assert answer.headers["x-turnout-model"] == OPENAI[1]
        text = "".join(answer.iter_text())
    (said,) = [line for line in text.splitlines() if line.startswith(": turnout ")]
    gateway.wait_for_calls(1)
    assert json.loads(said.removeprefix(": turnout "))["cost_usd"] == str(gateway.events.calls[0].cost.usd)
    assert text.index(said) < text.index("event: response.completed")


def test_tools_and_their_results(gateway: Served) -> None:
    with gateway.openai() as client:
        first = client.responses.create(model="turnout", input=ASKED, tools=TOOLS, parallel_tool_calls=True)
        calls = [item for item in first.output if item.type == "function_call"]
        assert [item.name for item in calls] == ["weather", "time"]
        results: list[Any] = [
            {"type": "function_call_output", "call_id": item.call_id, "output": "fine"} for item in calls
        ]
        given: list[Any] = [
            {"role": "user", "content": ASKED},
            *(item.model_dump(exclude_none=True) for item in first.output),
            *results,
        ]
        second = client.responses.with_raw_response.create(model="turnout", input=given, tools=TOOLS)
    assert second.parse().output_text == ANSWER
    assert second.headers["x-turnout-reason"] == "hard_stay"
    one, two = gateway.events.decisions
    assert one.turn_id == two.turn_id
    assert [call.finish_reason for call in gateway.events.calls] == ["tool_use", "end_turn"]


def test_tools_streamed(gateway: Served) -> None:
    with gateway.openai() as client, client.responses.stream(model="turnout", input=ASKED, tools=TOOLS) as got:
        done = [event for event in got if event.type == "response.function_call_arguments.done"]
    assert [json.loads(event.arguments) for event in done] == [{"place": "Berlin 0"}, {"place": "Berlin 1"}]
    gateway.wait_for_calls(1)
    assert gateway.events.calls[0].finish_reason == "tool_use"


def test_image(gateway: Served) -> None:
    content: Any = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"},
    ]
    with gateway.openai() as client:
        answer = client.responses.create(model="turnout", input=[{"role": "user", "content": content}])
    assert answer.output_text.startswith("I see an image.")
    assert gateway.events.decisions[0].given.request.needs.vision


def test_an_answer_that_was_cut(gateway: Served) -> None:
    with gateway.openai() as client:
        answer = client.responses.create(model="turnout", input=ASKED, max_output_tokens=4)
        with client.responses.stream(model="turnout", input=ASKED, max_output_tokens=4) as got:
            last = list(got)[-1]
    assert answer.status == "incomplete"
    assert last.type == "response.incomplete"
    gateway.wait_for_calls(2)
    assert [(call.status, call.finish_reason) for call in gateway.events.calls] == [("ok", "max_tokens")] * 2


def test_cached_tokens_are_billed_as_such(gateway: Served, doubles: Upstreams) -> None:
    counter = doubles.openai.counter
    doubles.openai.counter = lambda request, said: Tokens(fresh=100, read=900, output=50)
    try:
        with gateway.openai() as client:
            for stream in (False, True):
                got: Any = client.responses.create(model="gpt-5", input=ASKED, stream=stream)
                if stream:
                    list(got)
    finally:
        doubles.openai.counter = counter
    gateway.wait_for_calls(2)
    # USD per million tokens: 1.25 fresh, 0.125 read, 10 output.
    assert {call.cost.total_pico for call in gateway.events.calls} == {100 * 1_250_000 + 900 * 125_000 + 50 * 10**7}


@pytest.mark.parametrize("status", [400, 404, 422])
def test_an_error_of_the_caller_comes_as_it_is(gateway: Served, doubles: Upstreams, status: int) -> None:
    doubles.openai.faults.add(Fault(status=status, message="no good"))
    with gateway.openai() as client, pytest.raises(openai.APIStatusError) as caught:
        client.responses.create(model="turnout", input=ASKED)
    assert caught.value.status_code == status
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["message"] == "no good"
    assert len(doubles.openai.calls) == 1


def test_throttling_fails_over(gateway: Served, doubles: Upstreams) -> None:
    doubles.openai.faults.add(Fault(status=429, model="gpt-5"))
    with gateway.openai() as client:
        raw = client.responses.with_raw_response.create(model="turnout", input=ASKED)
    assert raw.headers["x-turnout-model"] == OPENAI[0]
    assert [call.status for call in gateway.events.calls] == ["error", "ok"]


@pytest.mark.parametrize("status", [500, 503])
def test_an_error_in_mid_stream_is_raised_or_told(gateway: Served, doubles: Upstreams, status: int) -> None:
    doubles.openai.faults.add(Fault(status=status, after_events=7, delay_s=0.01))
    with gateway.openai() as client:
        got = client.responses.create(model="turnout", input=ASKED, stream=True)
        if status == 503:  # an event of its own, on which the client raises
            with pytest.raises(openai.APIError):
                list(got)
        else:  # a response that failed, which the client hands on
            assert list(got)[-1].type == "response.failed"
    gateway.wait_for_calls(1)
    assert [(call.status, call.error) for call in gateway.events.calls] == [("error", "InternalServerError")]


def test_a_stream_that_breaks_off_ends_with_an_error_that_the_client_raises(
    gateway: Served, doubles: Upstreams
) -> None:
    doubles.openai.faults.add(Fault(drop=True, after_events=7, delay_s=0.01))
    with gateway.openai() as client, pytest.raises(openai.APIError) as caught:
        list(client.responses.create(model="turnout", input=ASKED, stream=True))
    assert caught.value.code == "upstream_failed"


def test_cancel_closes_the_connection_to_the_provider(gateway: Served, doubles: Upstreams) -> None:
    doubles.openai.faults.add(Fault(delay_s=30, after_events=6))
    with gateway.openai() as client:
        got = client.responses.create(model="turnout", input=ASKED, stream=True)
        next(iter(got))
        got.close()
        wait_for(lambda: bool(doubles.openai.calls and doubles.openai.calls[0].ended.is_set()))
    assert doubles.openai.calls[0].left
    gateway.wait_for_calls(1)
    (call,) = gateway.events.calls
    assert (call.status, call.usage_source) == ("cancelled", "estimated")
    assert call.usage.output_tokens > 0


def test_names_of_models(gateway: Served) -> None:
    with gateway.openai() as client:
        for name in ("gpt-5-mini", "openai/gpt-5-mini"):
            raw = client.responses.with_raw_response.create(model=name, input=ASKED)
            assert (raw.headers["x-turnout-reason"], raw.parse().model) == ("pinned", "gpt-5-mini")
        assert client.responses.create(model="turnout/economy", input=ASKED).output_text == ANSWER
        raw = client.responses.with_raw_response.create(
            model="turnout", input=ASKED, metadata={"turnout_pin": "gpt-5-mini", "turnout_session": "s-9"}
        )
        assert raw.headers["x-turnout-model"] == OPENAI[0]
        with pytest.raises(openai.NotFoundError):
            client.responses.create(model="gpt-5-mni", input=ASKED)
        with pytest.raises(openai.BadRequestError, match="untranslatable:protocol"):
            client.responses.create(model=ANTHROPIC[1], input=ASKED)
    assert gateway.events.decisions[-1].session_id != "s-9"
    assert "s-9" in {decision.session_id for decision in gateway.events.decisions}


def test_tokens_are_counted_by_the_provider(gateway: Served, doubles: Upstreams) -> None:
    with gateway.openai() as client:
        counted = client.responses.input_tokens.with_raw_response.count(model="turnout", input=ASKED)
    assert counted.parse().input_tokens > 0
    assert counted.headers["x-turnout-model"] == OPENAI[1]
    assert doubles.openai.calls[0].path == "/v1/responses/input_tokens"
    assert gateway.events.events == []


class TestWhatTheProviderKeeps:
    def test_the_model_that_wrote_it_goes_on(self, gateway: Served, doubles: Upstreams) -> None:
        with gateway.openai() as client:
            first = client.responses.create(model="gpt-5-mini", input=ASKED, tools=TOOLS)
            results: list[Any] = [
                {"type": "function_call_output", "call_id": item.call_id, "output": "fine"}
                for item in first.output
                if item.type == "function_call"
            ]
            second = client.responses.with_raw_response.create(
                model="turnout", input=results, previous_response_id=first.id, tools=TOOLS
            )
            third = client.responses.with_raw_response.create(
                model="turnout", input="And tomorrow?", previous_response_id=second.parse().id
            )
        for raw in (second, third):
            assert (raw.headers["x-turnout-model"], raw.headers["x-turnout-reason"]) == (OPENAI[0], "hard_stay")
        one, two, three = gateway.events.decisions
        assert one.session_id == two.session_id == three.session_id
        assert one.turn_id == two.turn_id != three.turn_id

    def test_a_stream_is_remembered_before_its_client_has_it(self, gateway: Served) -> None:
        with gateway.openai() as client:
            with client.responses.stream(model="gpt-5-mini", input=ASKED) as got:
                first = got.get_final_response()
            second = client.responses.with_raw_response.create(
                model="turnout", input="More", previous_response_id=first.id
            )
        assert second.headers["x-turnout-model"] == OPENAI[0]

    def test_nobody_else_takes_over_where_that_model_fails(self, gateway: Served, doubles: Upstreams) -> None:
        with gateway.openai() as client:
            first = client.responses.create(model="gpt-5-mini", input=ASKED)
            doubles.openai.faults.add(Fault(status=503), times=None)
            with pytest.raises(openai.InternalServerError):
                client.responses.create(model="turnout", input="More", previous_response_id=first.id)
        assert {call.model for call in doubles.openai.calls} == {"gpt-5-mini"}

    def test_another_model_of_the_provider_by_a_pin(self, gateway: Served) -> None:
        with gateway.openai() as client:
            first = client.responses.create(model="gpt-5-mini", input=ASKED)
            raw = client.responses.with_raw_response.create(model="gpt-5", input="More", previous_response_id=first.id)
        assert raw.headers["x-turnout-model"] == OPENAI[1]

    def test_stored_items_bind_as_well(self, gateway: Served) -> None:
        with gateway.openai() as client:
            first = client.responses.create(model="gpt-5-mini", input=ASKED, reasoning={"effort": "low"})
            kept = next(item for item in first.output if item.type == "message")
            given: Any = [{"type": "item_reference", "id": kept.id}, {"role": "user", "content": "More"}]
            raw = client.responses.with_raw_response.create(model="turnout", input=given)
        assert (raw.headers["x-turnout-model"], raw.headers["x-turnout-reason"]) == (OPENAI[0], "hard_stay")

    def test_encrypted_reasoning_goes_back_to_who_wrote_it(self, gateway: Served) -> None:
        options: dict[str, Any] = {
            "reasoning": {"effort": "low"},
            "include": ["reasoning.encrypted_content"],
            "store": False,
        }
        asked: list[Any] = [{"role": "user", "content": ASKED}]
        with gateway.openai() as client:
            first = client.responses.create(model="gpt-5-mini", input=asked, **options)
            history: list[Any] = [*asked, *(item.model_dump(exclude_none=True) for item in first.output)]
            raw = client.responses.with_raw_response.create(
                model="turnout", input=[*history, {"role": "user", "content": "More"}], **options
            )
        assert raw.headers["x-turnout-model"] == OPENAI[0]

    def test_what_is_not_known_goes_to_the_only_provider(self, gateway: Served) -> None:
        with gateway.openai() as client, pytest.raises(openai.BadRequestError, match="resp_other' not found"):
            client.responses.create(model="turnout", input=ASKED, previous_response_id="resp_other")

    def test_read_and_deleted_where_it_is_kept(self, gateway: Served, doubles: Upstreams) -> None:
        with gateway.openai() as client:
            first = client.responses.create(model="turnout", input=ASKED)
            assert client.responses.retrieve(first.id).output_text == ANSWER
            assert client.responses.input_items.list(first.id).data == []
            assert client.responses.cancel(first.id).id == first.id
            client.responses.delete(first.id)
            with pytest.raises(openai.NotFoundError, match="not found"):
                client.responses.retrieve(first.id)
        methods = [(call.method, call.path) for call in list(doubles.openai.calls)[1:]]
        at = f"/v1/responses/{first.id}"
        assert methods[:4] == [("GET", at), ("GET", f"{at}/input_items"), ("POST", f"{at}/cancel"), ("DELETE", at)]
        assert {call.headers["authorization"] for call in doubles.openai.calls} == {"Bearer sk-up-openai"}
        assert len(gateway.events.calls) == 1


@pytest.fixture(scope="module")
def clients(
    doubles: Upstreams, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[openai.OpenAI, openai.OpenAI]]:
    """Clients of one gateway with a key each."""
    made = key("owner"), key("other")
    folder, text = tmp_path_factory.mktemp("keys"), settings_text(doubles, *OPENAI)
    with (
        served(folder, text, admission=admission_of(*made)) as gateway,
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=made[0].token, max_retries=0) as owner,
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=made[1].token, max_retries=0) as other,
    ):
        yield owner, other


class TestKeys:
    """What one key's requests left with a provider is not there for another key, whatever it asks."""

    def test_read_deleted_cancelled(self, clients: tuple[openai.OpenAI, openai.OpenAI], doubles: Upstreams) -> None:
        owner, other = clients
        kept = owner.responses.create(model="turnout", input=ASKED).id
        doubles.clear()
        for refused in (
            lambda: other.responses.retrieve(kept),
            lambda: other.responses.input_items.list(kept),
            lambda: other.responses.cancel(kept),
            lambda: other.responses.delete(kept),
            lambda: other.responses.retrieve(kept, stream=True),
        ):
            with pytest.raises(openai.NotFoundError) as raised:
                refused()
            assert raised.value.code == "unknown_state"
        assert not doubles.openai.calls, "the provider was asked"
        assert owner.responses.retrieve(kept).output_text == ANSWER

    def test_gone_on_from(self, clients: tuple[openai.OpenAI, openai.OpenAI], doubles: Upstreams) -> None:
        owner, other = clients
        kept = owner.responses.create(model="turnout", input=ASKED)
        mine = other.responses.create(model="turnout", input=ASKED)
        doubles.clear()
        item: Any = [{"type": "item_reference", "id": kept.output[0].id}, {"role": "user", "content": "More"}]
        own: Any = [{"type": "item_reference", "id": mine.output[0].id}, {"role": "user", "content": "More"}]
        refused: list[dict[str, Any]] = [
            {"model": "turnout", "input": "More", "previous_response_id": kept.id},
            {"model": "gpt-5", "input": "More", "previous_response_id": kept.id},
            {"model": "turnout", "input": item},
            {"model": "turnout", "input": own, "previous_response_id": kept.id},
            {"model": "turnout", "input": item, "previous_response_id": mine.id},
        ]
        for body in refused:
            with pytest.raises(openai.NotFoundError) as raised:
                other.responses.create(**body)
            assert raised.value.code == "unknown_state", body
            with pytest.raises(openai.NotFoundError):
                other.post("/route", body=body, cast_to=object, options={"params": {"protocol": "openai_responses"}})
        assert not doubles.openai.calls
        more = owner.responses.create(model="turnout", input="More", previous_response_id=kept.id)
        assert more.output_text == ANSWER

    def test_what_its_owner_deleted_is_nobodys(self, clients: tuple[openai.OpenAI, openai.OpenAI]) -> None:
        owner, _ = clients
        kept = owner.responses.create(model="turnout", input=ASKED).id
        owner.responses.delete(kept)
        for client in clients:
            with pytest.raises(openai.NotFoundError, match="not found"):
                client.responses.retrieve(kept)


@pytest.fixture(scope="module")
def second() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as double:
        yield double


@pytest.fixture(scope="module")
def two(doubles: Upstreams, second: OpenAIDouble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gateway whose second candidate, the more capable one, is kept by another provider."""
    other = f"""
    [upstreams.elsewhere]
    provider = "anthropic"
    protocol = "openai"
    speaks = ["responses"]
    base_url = "{second.url}/v1"
    key_env = "MY_ANTHROPIC_KEY"
    """
    text = settings_text(doubles, OPENAI[0], ANTHROPIC[1]) + other
    with served(tmp_path_factory.mktemp("two"), text) as found:
        yield found


class TestTwoProviders:
    def test_what_one_keeps_goes_back_there(self, two: Served, second: OpenAIDouble) -> None:
        with two.openai() as client:
            first = client.responses.create(model=OPENAI[0], input=ASKED)
            raw = client.responses.with_raw_response.create(
                model="turnout", input="More", previous_response_id=first.id
            )
            assert raw.headers["x-turnout-model"] == OPENAI[0]
            assert client.responses.retrieve(first.id).id == first.id
            with pytest.raises(openai.BadRequestError, match="server_state"):
                client.responses.create(model=ANTHROPIC[1], input="More", previous_response_id=first.id)
            other = client.responses.with_raw_response.create(model="turnout", input=ASKED)
        assert other.headers["x-turnout-model"] == ANTHROPIC[1]
        assert [call.headers["authorization"] for call in second.calls] == ["Bearer sk-up-anthropic"]

    def test_what_nobody_knows_needs_a_name(self, two: Served) -> None:
        with two.openai() as client:
            with pytest.raises(openai.BadRequestError) as caught:
                client.responses.create(model="turnout", input=ASKED, previous_response_id="resp_other")
            assert caught.value.code == "unknown_state"
            assert "x-turnout-pin" in caught.value.message
            with pytest.raises(openai.BadRequestError, match="'resp_other' not found"):  # the provider's own words
                client.responses.create(model=OPENAI[0], input=ASKED, previous_response_id="resp_other")
            with pytest.raises(openai.NotFoundError) as missing:
                client.responses.retrieve("resp_other")
        assert missing.value.code == "unknown_response"
