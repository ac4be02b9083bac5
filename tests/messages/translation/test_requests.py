"""Requests in another protocol: what is carried, what is written differently, and what has no place there."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from turnout.config import load_catalog
from turnout.core.catalog import Capabilities, Model
from turnout.messages.translation.requests import request, sent, takes_effort
from turnout.messages.wire import anthropic, converse, openai_chat
from turnout.messages.wire.asked import Asked, Encoded, WireProtocol
from turnout.testing.bedrock.shapes import check_request

CATALOG = load_catalog()
GPT = CATALOG["openai/gpt-5-mini"]
OLD_GPT = CATALOG["openai/gpt-4.1"]
CLAUDE = CATALOG["anthropic/claude-sonnet-4-6"]
BEDROCK = CATALOG["bedrock/global.anthropic.claude-sonnet-4-6"]
HAIKU = CATALOG["anthropic/claude-haiku-4-5-20251001"]
NOVA = msgspec.structs.replace(BEDROCK, id="bedrock/amazon.nova", model_id="amazon.nova-pro-v1:0")
VLLM = msgspec.structs.replace(GPT, id="vllm/qwen", provider="vllm", model_id="qwen")
LOCAL = CATALOG["local/smollm2-135m-instruct"]
OPENAI, ANTHROPIC, CONVERSE = WireProtocol.OPENAI_CHAT, WireProtocol.ANTHROPIC, WireProtocol.CONVERSE
SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}, "additionalProperties": False}
USER: list[Any] = [{"role": "user", "content": "Hello."}]


def of_openai(**members: Any) -> Asked:
    return openai_chat.decode(json.dumps({"model": "turnout", "messages": USER, **members}).encode())


def of_anthropic(**members: Any) -> Asked:
    body = {"model": "turnout", "max_tokens": 99, "messages": USER, **members}
    return anthropic.decode(json.dumps(body).encode())


def of_converse(**members: Any) -> Asked:
    body = {"messages": [{"role": "user", "content": [{"text": "Hello."}]}], **members}
    return converse.decode(json.dumps(body).encode(), model="turnout", stream=False)


def written(asked: Asked, protocol: WireProtocol, model: Model, *decided: str) -> Any:
    encoded = request(asked, protocol, None, model, decided)
    assert encoded.refusals == ()
    assert encoded.body is not None
    body = json.loads(encoded.body)
    if protocol is CONVERSE:
        check_request("Converse", model.model_id, body)
    return body


def refused(asked: Asked, protocol: WireProtocol, model: Model) -> tuple[str, ...]:
    encoded: Encoded = request(asked, protocol, None, model)
    assert encoded.body is None
    return encoded.refusals


TOOL = {"type": "function", "function": {"name": "weather", "description": "Looks.", "parameters": SCHEMA}}
CALLS = [
    {"id": f"call_{index}", "type": "function", "function": {"name": "weather", "arguments": f'{{"place":"{index}"}}'}}
    for index in range(2)
]


def test_all_that_openai_can_say_to_claude() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}
    asked = of_openai(
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Look."}, picture]},
            {"role": "assistant", "content": None, "tool_calls": CALLS},
            {"role": "tool", "tool_call_id": "call_0", "content": "sun"},
            {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        ],
        tools=[TOOL],
        tool_choice="required",
        parallel_tool_calls=False,
        max_completion_tokens=77,
        temperature=0.5,
        top_p=1,
        stop="END",
        stream=True,
        user="u-1",
        metadata={"a": "b"},
        store=False,
    )
    body = written(asked, ANTHROPIC, CLAUDE)
    assert (body["model"], body["max_tokens"], body["stream"]) == ("claude-sonnet-4-6", 77, True)
    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    source = {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}
    assert body["messages"][0]["content"][1] == {"type": "image", "source": source}
    assert [block["input"] for block in body["messages"][1]["content"]] == [{"place": "0"}, {"place": "1"}]
    assert [block["tool_use_id"] for block in body["messages"][2]["content"]] == ["call_0", "call_1"]
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert (body["temperature"], body["stop_sequences"], body["metadata"]) == (0.5, ["END"], {"user_id": "u-1"})
    assert "top_p" not in body
    assert "store" not in body
    assert body["tools"] == [{"name": "weather", "description": "Looks.", "input_schema": SCHEMA}]
    in_converse = written(of_openai(tools=[TOOL], tool_choice="auto"), CONVERSE, BEDROCK)
    assert in_converse["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"] == {"json": SCHEMA}
    assert "inferenceConfig" not in in_converse


def test_all_that_claude_is_asked_to_openai() -> None:
    asked = of_anthropic(
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        tools=[{"name": "weather", "input_schema": {"properties": {}}}],
        tool_choice={"type": "tool", "name": "weather"},
        thinking={"type": "disabled"},
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
        metadata={"user_id": "u-1"},
        stop_sequences=["a", "b"],
    )
    encoded = request(asked, OPENAI, None, GPT)
    body = json.loads(encoded.body or b"")
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello."}]
    assert body["max_completion_tokens"] == 99
    assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert body["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert (body["stop"], body["user"]) == (["a", "b"], "u-1")
    assert set(encoded.edits) == {"drop_marker", "tool_schema_type", "output_name"}
    assert written(asked, OPENAI, VLLM)["max_tokens"] == 99


def test_documents_reach_who_reads_them() -> None:
    data = base64.b64encode(b"%PDF-1.7").decode()
    part = {"document": {"name": "paper", "format": "pdf", "source": {"bytes": data}}}
    asked = of_converse(messages=[{"role": "user", "content": [part, {"text": "Sum up."}]}])
    readers = msgspec.structs.replace(GPT, capabilities=Capabilities(documents=True, vision=True))
    file = written(asked, OPENAI, readers)["messages"][0]["content"][0]["file"]
    assert file == {"file_data": f"data:application/pdf;base64,{data}", "filename": "paper"}
    block = written(asked, ANTHROPIC, CLAUDE)["messages"][0]["content"][0]
    assert block["title"] == "paper"
    cited = {"document": {**part["document"], "citations": {"enabled": True}}}
    citing = of_converse(messages=[{"role": "user", "content": [cited, {"text": "Sum up."}]}])
    assert refused(citing, CONVERSE, BEDROCK) == ("untranslatable:messages.0.content.0.citations",)


def test_an_image_by_its_url_goes_where_urls_are_fetched() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    asked = of_openai(messages=[{"role": "user", "content": [image]}])
    source = written(asked, ANTHROPIC, CLAUDE)["messages"][0]["content"][0]["source"]
    assert source == {"type": "url", "url": "https://example.com/a.png"}
    assert refused(asked, CONVERSE, BEDROCK) == ("untranslatable:messages.0.content.0",)


def test_anthropics_limit_on_output_where_none_was_set() -> None:
    assert written(of_openai(), ANTHROPIC, CLAUDE)["max_tokens"] == 32_000
    small = msgspec.structs.replace(CLAUDE, max_output_tokens=8_192)
    assert written(of_openai(), ANTHROPIC, small)["max_tokens"] == 8_192
    unknown = msgspec.structs.replace(CLAUDE, max_output_tokens=None)
    assert written(of_openai(), ANTHROPIC, unknown)["max_tokens"] == 4_096


def test_what_the_decision_named_is_changed() -> None:
    asked = of_converse(inferenceConfig={"temperature": 0.2, "topP": 0.5, "maxTokens": 9_999})
    body = written(asked, OPENAI, GPT, "drop_parameter:temperature", "clamp_output:50", "history:tool_id")
    assert "temperature" not in body
    assert (body["top_p"], body["max_completion_tokens"]) == (0.5, 50)


@pytest.mark.parametrize(
    "members",
    [
        {"logprobs": True},
        {"n": 2},
        {"seed": 1},
        {"logit_bias": {"5": 1}},
        {"modalities": ["text", "audio"]},
        {"stop": "\n\n"},
        {"temperature": 1.5},
        {"top_p": 0.5, "temperature": 0.5},
        {"reasoning_effort": "minimal"},
        {"response_format": {"type": "json_object"}},
        {"something_new": 1},
        {"tools": [{"type": "function", "function": {"name": "n" * 65, "parameters": SCHEMA}}]},
        {"tools": [{"type": "custom", "custom": {"name": "c"}}]},
        {"messages": [{"role": "system", "content": "Alone."}]},
        {"messages": [*USER, {"role": "assistant", "content": None, "tool_calls": CALLS[:1]}]},
        {
            "messages": [
                *USER,
                {"role": "assistant", "content": None, "tool_calls": CALLS[:1]},
                {"role": "tool", "tool_call_id": "call_0", "content": "sun"},
            ]
        },
        {"messages": [{"role": "user", "content": "Hello.", "name": "Ann"}]},
    ],
    ids=lambda members: "-".join(members),
)
@pytest.mark.parametrize(
    ("protocol", "model"), [(ANTHROPIC, CLAUDE), (CONVERSE, BEDROCK)], ids=["anthropic", "bedrock"]
)
def test_what_openai_can_say_and_claude_not(members: dict[str, Any], protocol: WireProtocol, model: Model) -> None:
    (first, *_) = refused(of_openai(**members), protocol, model)
    assert first.startswith(("untranslatable:", "unanswered_call:", "prefill:"))


@pytest.mark.parametrize(
    "members",
    [
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"top_k": 5},
        {"stop_sequences": list("abcde")},
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"mcp_servers": []},
        {"container": "c"},
        {"output_config": {"effort": "huge"}},
    ],
    ids=lambda members: "-".join(members),
)
def test_what_claude_can_be_asked_and_openai_not(members: dict[str, Any]) -> None:
    (first, *_) = refused(of_anthropic(**members), OPENAI, GPT)
    assert first.startswith("untranslatable:")


@pytest.mark.parametrize(
    "members",
    [
        {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}},
        {"additionalModelRequestFields": {"something": 1}},
        {"performanceConfig": {"latency": "optimized"}},
        {"messages": [{"role": "user", "content": [{"video": {"format": "mp4", "source": {"bytes": "aGk="}}}]}]},
    ],
    ids=lambda members: "-".join(members),
)
def test_what_bedrock_can_be_asked_and_others_not(members: dict[str, Any]) -> None:
    for protocol, model in ((OPENAI, GPT), (ANTHROPIC, CLAUDE)):
        (first, *_) = refused(of_converse(**members), protocol, model)
        assert first.startswith("untranslatable:")


def test_only_the_first_reasons_are_kept() -> None:
    assert len(refused(of_openai(a=1, b=2, c=3, d=4), ANTHROPIC, CLAUDE)) == 3


def test_what_is_no_claude_gets_nothing_that_only_claude_takes() -> None:
    assert refused(of_anthropic(top_k=5), CONVERSE, NOVA) == ("untranslatable:top_k",)
    history = [
        *USER,
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}]},
        {"role": "user", "content": "And?"},
    ]
    body = written(of_anthropic(messages=history, temperature=1), CONVERSE, NOVA)
    assert "reasoningContent" not in json.dumps(body)
    assert body["inferenceConfig"] == {"maxTokens": 99, "temperature": 1}


def test_thinking_of_claude_stays_with_claude() -> None:
    block = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    said = {"role": "assistant", "content": [block, {"type": "text", "text": "Hi."}]}
    asked = of_anthropic(messages=[*USER, said, {"role": "user", "content": "And?"}])
    content = written(asked, CONVERSE, BEDROCK)["messages"][1]["content"]
    assert content[0] == {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}}
    assert written(asked, OPENAI, GPT)["messages"][1] == {"role": "assistant", "content": "Hi."}


def test_effort_goes_to_models_that_take_one() -> None:
    models = (GPT, OLD_GPT, CLAUDE, HAIKU, NOVA, VLLM)
    assert [takes_effort(model, "low") for model in models] == [True, False, True, False, False, False]
    assert [takes_effort(CLAUDE, effort) for effort in ("max", "xhigh", "minimal")] == [True, False, False]
    assert written(of_openai(reasoning_effort="low"), ANTHROPIC, CLAUDE)["output_config"] == {"effort": "low"}
    assert written(of_anthropic(output_config={"effort": "low"}), OPENAI, GPT)["reasoning_effort"] == "low"


def test_strict_tools() -> None:
    function = {**TOOL["function"], "strict": True}  # type: ignore[dict-item]  # JSON
    asked = of_openai(tools=[{"type": "function", "function": function}])
    assert written(asked, ANTHROPIC, CLAUDE)["tools"][0]["strict"] is True
    without = msgspec.structs.replace(CLAUDE, capabilities=Capabilities(structured_output=False))
    assert refused(asked, ANTHROPIC, without) == ("untranslatable:tools.0.toolSpec.strict",)


def test_the_model_that_runs_here_cannot_stop_at_a_text() -> None:
    assert refused(of_openai(stop="END"), CONVERSE, LOCAL) == ("untranslatable:stop",)
    assert written(of_openai(), CONVERSE, LOCAL)["messages"] == [{"role": "user", "content": [{"text": "Hello."}]}]


def test_a_request_is_written_once_for_a_candidate_and_let_go_of_once_it_is_sent() -> None:
    asked = of_openai()
    decided, other = request(asked, ANTHROPIC, None, CLAUDE), request(asked, ANTHROPIC, None, HAIKU)
    assert other.body != decided.body
    assert request(asked, ANTHROPIC, GPT, CLAUDE) is not decided  # another model wrote the history
    assert request(asked, CONVERSE, None, CLAUDE) is not decided
    assert sent(asked, ANTHROPIC, None, CLAUDE) is decided
    again = sent(asked, ANTHROPIC, None, CLAUDE)
    assert again is not decided
    assert again == decided
