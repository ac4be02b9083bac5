"""Every request that comes of the suite's cases, through Strands' own models, checked by what each provider ships."""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter, ValidationError
from strands.models import BedrockModel
from strands.models.openai import OpenAIModel

from turnout.messages.portability.adapter import carry_case
from turnout.testing.bedrock.models import MODELS, ModelTable
from turnout.testing.bedrock.prompt import lay_out
from turnout.testing.bedrock.rules import check_conversation, check_prompt
from turnout.testing.bedrock.shapes import check_request, service_model
from turnout.testing.conformance import Case, load_cases

pytestmark = pytest.mark.once

CASES = load_cases()
SPEC: Any = {
    "name": "get_price",
    "description": "Price of a product.",
    "inputSchema": {"json": {"type": "object", "properties": {"product": {"type": "string"}}}},
}
SIMULATED = {model.id for model in MODELS}


def sent_to(protocol: str) -> Iterator[tuple[Case, Mapping[str, Any]]]:
    for case in CASES:
        if case.target["protocol"] == protocol:
            answer = carry_case(case.history, case.source, case.target, case.markers)
            if "history" in answer:
                yield case, answer["history"]


def consumed(value: Any) -> Any:
    """Look at every part: pydantic checks what is typed as an iterable only as it is read."""
    if isinstance(value, Mapping):
        return {key: consumed(part) for key, part in value.items()}
    if isinstance(value, str | bytes | int | float) or value is None:
        return value
    return [consumed(part) for part in value]


@functools.cache
def bedrock(model_id: str) -> BedrockModel:
    session = boto3.Session("any", "any", region_name="us-east-1")
    return BedrockModel(model_id=model_id, boto_session=session, max_tokens=500)


@functools.cache
def converse_requests() -> list[tuple[Case, dict[str, Any]]]:
    made = []
    for case, history in sent_to("bedrock"):
        messages: Any = history["messages"]
        request = bedrock(case.target["model_id"]).format_request(messages, [SPEC], list(history["system"]))
        made.append((case, dict(request)))
    return made


def in_json(value: Any) -> Any:
    """A request as it stands in the body: bytes are base64 there."""
    if isinstance(value, Mapping):
        return {key: in_json(part) for key, part in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return [in_json(part) for part in value] if isinstance(value, list) else value


def test_every_request_to_bedrock_is_valid_to_boto3() -> None:
    shape = service_model().operation_model("Converse").input_shape
    assert shape is not None
    assert len(converse_requests()) > 100
    for case, request in converse_requests():
        report = ParamValidator().validate(request, shape)
        assert not report.has_errors(), f"{case.id}: {report.generate_report()}"
        body = {key: value for key, value in request.items() if key != "modelId"}
        # botocore checks types; patterns, formats and lengths stand in the same model and are checked here.
        check_request("Converse", request["modelId"], body)


def test_every_request_to_bedrock_keeps_the_rules_of_conversations() -> None:
    table = ModelTable()
    count = 0
    for case, request in converse_requests():
        bare = case.target["model_id"].removeprefix("global.")
        signed = any("reasoningContent" in block for message in request["messages"] for block in message["content"])
        # Signatures of the cases are made up, which the double finds out, as Claude would.
        if bare in SIMULATED and not signed:
            model = table.find(case.target["model_id"]).model
            body = in_json(request)
            check_conversation(model, body)
            check_prompt(model, lay_out(model, body))
            count += 1
    assert count > 80


def test_every_request_to_openai_fits_the_types_of_its_package() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(list[ChatCompletionMessageParam])
    count = 0
    for case, history in sent_to("openai"):
        messages = OpenAIModel.format_request_messages(
            history["messages"], system_prompt_content=list(history["system"])
        )
        consumed(adapter.validate_python(messages))
        roles_in_order(case, messages)
        count += 1
    assert count > 50


def roles_in_order(case: Case, messages: Sequence[Mapping[str, Any]]) -> None:
    """Results follow the calls that they answer at once: the types do not say so, the API does."""
    waiting: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            assert message["tool_call_id"] in waiting, case.id
            waiting.discard(message["tool_call_id"])
        else:
            assert not waiting, case.id
        waiting |= {call["id"] for call in message.get("tool_calls", ())}
    assert not waiting, case.id


def test_the_types_of_openai_do_find_what_is_wrong() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(list[ChatCompletionMessageParam])
    wrong = [{"role": "tool", "tool_call_id": "t", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
    with pytest.raises(ValidationError):
        consumed(adapter.validate_python(wrong))


def test_every_request_to_anthropic_fits_the_types_of_its_package() -> None:
    types = pytest.importorskip("anthropic.types", reason="needs the package anthropic")
    from strands.models.anthropic import AnthropicModel

    adapter: TypeAdapter[Any] = TypeAdapter(types.MessageParam)
    model = AnthropicModel(client_args={"api_key": "any"}, model_id="claude-sonnet-4-6", max_tokens=500)
    count = 0
    for _, history in sent_to("anthropic"):
        messages = model._format_request_messages(history["messages"])
        for message in messages:
            consumed(adapter.validate_python(message))
        assert all(message["content"] for message in messages)
        assert len(messages) == len(history["messages"])
        count += 1
    assert count > 100
    wrong = {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "video"}]}]}
    with pytest.raises(ValidationError):
        consumed(adapter.validate_python(wrong))
