"""The Responses API of the double, answered to by OpenAI's own clients, Azure's among them."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from turnout.testing.completions import Fault, OpenAIDouble, Said, Tokens

TOOL: Any = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def test_plain_and_streamed_are_the_same() -> None:
    tokens = Tokens(fresh=10, read=7, output=3)
    with (
        OpenAIDouble(lambda request: Said(text="One two."), counter=lambda request, said: tokens) as double,
        openai.OpenAI(base_url=f"{double.url}/v1", api_key="k", max_retries=0) as client,
    ):
        answer = client.responses.create(model="m", input="hi")
        Response.model_validate(answer.model_dump(), strict=True)
        assert answer.output_text == "One two."
        assert answer.usage is not None
        assert (answer.usage.input_tokens, answer.usage.input_tokens_details.cached_tokens) == (17, 7)
        events = list(client.responses.create(model="m", input="hi", stream=True))
        for number, event in enumerate(events):
            EVENT.validate_python(event.model_dump(), strict=True)
            assert event.sequence_number == number
        with client.responses.stream(model="m", input="hi") as got:
            assert got.get_final_response().output_text == "One two."
        counted = client.responses.input_tokens.count(model="m", input="hi")
        assert counted.input_tokens > 0
        assert [call.tokens for call in double.calls] == [tokens, tokens, tokens, None]


def test_tools_are_called_and_their_results_heard() -> None:
    with (
        OpenAIDouble() as double,
        openai.OpenAI(base_url=f"{double.url}/v1", api_key="k", max_retries=0) as client,
    ):
        with client.responses.stream(model="m", input="hi", tools=[TOOL, {"type": "web_search"}]) as got:
            first = got.get_final_response()
        (call,) = first.output
        assert call.type == "function_call"
        result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "fine"}
        second = client.responses.create(model="m", input=[result], tools=[TOOL], previous_response_id=first.id)
        assert second.output_text
        assert second.previous_response_id == first.id


def test_what_is_kept() -> None:
    with (
        OpenAIDouble() as double,
        openai.OpenAI(base_url=f"{double.url}/v1", api_key="k", max_retries=0) as client,
    ):
        kept = client.responses.create(model="m", input="hi")
        dropped = client.responses.create(model="m", input="hi", store=False)
        assert client.responses.retrieve(kept.id) == kept
        client.responses.delete(kept.id)
        for one in (kept, dropped):
            with pytest.raises(openai.NotFoundError):
                client.responses.retrieve(one.id)
            with pytest.raises(openai.BadRequestError, match="not found"):
                client.responses.create(model="m", input="hi", previous_response_id=one.id)


def test_encrypted_reasoning_is_its_models_own() -> None:
    options: dict[str, Any] = {"reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]}
    with (
        OpenAIDouble() as double,
        openai.OpenAI(base_url=f"{double.url}/v1", api_key="k", max_retries=0) as client,
    ):
        first = client.responses.create(model="m", input="hi", **options)
        given: Any = [item.model_dump(exclude_none=True) for item in first.output]
        assert client.responses.create(model="m", input=given, **options).output_text
        with pytest.raises(openai.BadRequestError, match="could not be verified"):
            client.responses.create(model="other", input=given, **options)


def test_faults_in_mid_stream() -> None:
    with (
        OpenAIDouble() as double,
        openai.OpenAI(base_url=f"{double.url}/v1", api_key="k", max_retries=0) as client,
    ):
        double.faults.add(Fault(status=500, after_events=3))
        assert list(client.responses.create(model="m", input="hi", stream=True))[-1].type == "response.failed"
        double.faults.add(Fault(status=429, after_events=3))
        with pytest.raises(openai.APIError) as caught:
            list(client.responses.create(model="m", input="hi", stream=True))
        assert caught.value.code == "rate_limit_exceeded"
        double.failing = 1
        assert client.responses.create(model="m", input="hi").status == "failed"


def test_azure() -> None:
    asked: Any = [{"role": "user", "content": "hi"}]
    with (
        OpenAIDouble() as double,
        openai.AzureOpenAI(
            azure_endpoint=double.url, api_key="k", api_version="2026-01-01", azure_deployment="mine", max_retries=0
        ) as older,
        openai.OpenAI(
            base_url=f"{double.url}/openai/v1", api_key="none", default_headers={"api-key": "k"}, max_retries=0
        ) as newer,
    ):
        assert older.chat.completions.create(model="mine", messages=asked).choices
        assert newer.chat.completions.create(model="mine", messages=asked).choices
        assert newer.responses.create(model="mine", input="hi").output_text
        paths = [call.path for call in double.calls]
    assert paths == [
        "/openai/deployments/mine/chat/completions?api-version=2026-01-01",
        "/openai/v1/chat/completions",
        "/openai/v1/responses",
    ]
