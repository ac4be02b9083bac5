"""Items and tools of the Responses API as Converse blocks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseInputItemParam
from pydantic import TypeAdapter

from tests.messages.wire import support
from turnout.messages.portability.safety import bound_reasoning
from turnout.messages.request import in_tool_loop
from turnout.messages.wire import openai_responses
from turnout.messages.wire.asked import Asked
from turnout.messages.wire.malformed import MalformedBodyError

PIXEL = "iVBORw0KGgo="
ITEM: TypeAdapter[Any] = TypeAdapter(ResponseInputItemParam)


def decoded(items: Any, **members: Any) -> Asked:
    return openai_responses.decode(json.dumps({"model": "m", "input": items, **members}).encode())


def shown(items: Any, **members: Any) -> dict[str, Any]:
    return support.shown(decoded(items, **members).conversation)


def test_a_text_is_what_a_person_says() -> None:
    found = shown("hi", instructions="Be brief.")
    assert found["messages"] == [{"role": "user", "content": [{"text": "hi"}]}]
    assert found["system"] == [{"text": "Be brief."}]


ITEMS: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be kind."},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "abc",
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "I look.", "annotations": []}],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather", "arguments": '{"place":"Berlin"}'},
    {"type": "function_call", "call_id": "c2", "name": "time", "arguments": ""},
    {"type": "function_call_output", "call_id": "c1", "output": "rain"},
    {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "noon"}]},
]


def test_neighbouring_items_are_one_message() -> None:
    for item in ITEMS:
        ITEM.validate_python(item)
    asked = decoded(ITEMS)
    found = support.shown(asked.conversation)
    assert found["system"] == [{"text": "Be kind."}]
    user, assistant, results = found["messages"]
    assert user == {"role": "user", "content": [{"text": "Weather?"}]}
    assert assistant["role"] == "assistant"
    thought, text, first, second = assistant["content"]
    assert thought["reasoningContent"]["reasoningText"]["text"] == "hm"
    assert json.loads(thought["reasoningContent"]["reasoningText"]["signature"])["encrypted_content"] == "abc"
    assert text == {"text": "I look."}
    assert first == {"toolUse": {"toolUseId": "c1", "name": "weather", "input": {"place": "Berlin"}}}
    assert second["toolUse"]["input"] == {}
    assert results == {
        "role": "user",
        "content": [
            {"toolResult": {"toolUseId": "c1", "content": [{"text": "rain"}]}},
            {"toolResult": {"toolUseId": "c2", "content": [{"text": "noon"}]}},
        ],
    }
    assert asked.untranslatable == ()
    assert in_tool_loop(asked.conversation)
    assert [foreign for _, _, foreign in bound_reasoning(asked.conversation)] == [True]


def test_results_and_what_a_person_says_then_are_two_messages() -> None:
    found = shown([*ITEMS, {"role": "user", "content": "And?"}, {"role": "developer", "content": "Now."}])
    assert [message["role"] for message in found["messages"]] == ["user", "assistant", "user", "user", "system"]


def test_images_and_files() -> None:
    content = [
        {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"},
        {"type": "input_image", "image_url": "https://x/y.png"},
        {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PIXEL}"},
        {"type": "input_image", "file_id": "file_1"},
        {"type": "input_file", "file_url": "https://x/y.pdf"},
    ]
    asked = decoded([{"role": "user", "content": content}])
    blocks = asked.conversation.messages[0]["content"]
    assert [next(iter(block)) for block in blocks] == ["image", "image", "document", "image", "document"]
    assert blocks[0]["image"]["format"] == "png"
    assert (blocks[2]["document"]["format"], blocks[2]["document"]["name"]) == ("pdf", "a.pdf")
    assert asked.untranslatable == ("input.0.content.3.file_id", "input.0.content.4")


@pytest.mark.parametrize(
    ("item", "role", "kind"),
    [
        ({"type": "web_search_call", "id": "ws_1", "status": "completed"}, "assistant", "native"),
        ({"type": "computer_call_output", "call_id": "c", "output": {}}, "user", "toolResult"),
        ({"type": "mcp_approval_response", "approval_request_id": "a", "approve": True}, "user", "native"),
        ({"type": "custom_tool_call", "call_id": "c", "name": "n", "input": "x"}, "assistant", "toolUse"),
        ({"type": "custom_tool_call_output", "call_id": "c", "output": "x"}, "user", "toolResult"),
        ({"type": "item_reference", "id": "msg_1"}, "assistant", "native"),
        ({"id": "msg_1"}, "assistant", "native"),
        ({"type": "something_new", "x": 1}, "assistant", "native"),
        ({"type": "reasoning", "id": "rs_1", "summary": []}, "assistant", "reasoningContent"),
    ],
)
def test_what_has_no_form_elsewhere_is_kept_and_named(item: dict[str, Any], role: str, kind: str) -> None:
    asked = decoded([{"role": "user", "content": "hi"}, item])
    message = asked.conversation.messages[-1]
    assert message["role"] == role
    assert kind in message["content"][0]
    assert asked.untranslatable == ("input.1",)


def test_arguments_that_are_no_object_stay_a_text() -> None:
    asked = decoded([{"type": "function_call", "call_id": "c", "name": "n", "arguments": "[1"}])
    assert asked.conversation.messages[0]["content"][0]["toolUse"]["input"] == "[1"
    assert asked.untranslatable == ("input.0.arguments",)


def test_tools() -> None:
    tools = [
        {"type": "function", "name": "find", "description": "Finds.", "parameters": {"type": "object"}, "strict": True},
        {"type": "function", "name": "add", "parameters": None},
        {"type": "web_search", "search_context_size": "low"},
    ]
    asked = decoded("hi", tools=tools)
    found = support.shown(asked.conversation)["tools"]
    schema = {"inputSchema": {"json": {"type": "object"}}}
    assert found[0] == {"toolSpec": {"name": "find", "description": "Finds.", **schema, "strict": True}}
    assert found[1]["toolSpec"]["inputSchema"]["json"] == {"type": "object", "properties": {}}
    assert found[2]["native"]["block"]["search_context_size"] == "low"
    assert asked.untranslatable == ("tools.2",)


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (7, "input must be a list, got a whole number"),
        (["hi"], "input.0 must be an object"),
        ([{"role": "boss", "content": "x"}], "input.0.role is none of this API's roles"),
        ([{"role": "user"}], "input.0.content must be a list, got null"),
        ([{"type": "function_call", "name": "n", "arguments": ""}], "input.0.call_id is missing"),
        ([{"role": "user", "content": [{"text": "x"}]}], "input.0.content.0.type is missing"),
    ],
)
def test_malformed(items: Any, said: str) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        assert decoded(items).conversation
    assert said in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.sampled_from(
    ["type", "role", "content", "text", "id", "call_id", "name", "arguments", "output", "summary", "encrypted_content"]
)
VALUES = JSON | st.sampled_from(
    ["message", "user", "reasoning", "function_call", "input_text", "input_image", "system"]
)


@given(st.lists(st.dictionaries(MEMBERS, VALUES, max_size=5) | JSON, max_size=4))
def test_whatever_comes_it_is_read_or_refused(items: list[Any]) -> None:
    try:
        asked = decoded(items)
        assert asked.conversation.messages is not None
        assert isinstance(asked.untranslatable, tuple)
    except MalformedBodyError:
        return
