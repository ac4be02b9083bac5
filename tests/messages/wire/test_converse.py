"""Bodies of Converse, as boto3 sends them, and as they are written of a conversation; boto3's validator takes all."""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.messages.wire import support
from tests.messages.wire.support import block, made
from turnout.messages.conversation import Conversation, conversation_of
from turnout.messages.wire import anthropic, converse, openai_chat
from turnout.messages.wire.asked import Controls, OutputFormat, ToolChoice, WireProtocol
from turnout.messages.wire.malformed import MalformedBodyError

BODY_OF_REQUEST = {name: value for name, value in support.CONVERSE_REQUEST.items() if name != "modelId"}

LOCATION = made(
    {"location": made({"type": st.just("s3"), "uri": st.just("s3://bucket/key")}, {"bucketOwner": st.just("1" * 12)})}
)
SOURCE = made({"bytes": support.data}) | LOCATION


def media(kind: str, *formats: str) -> support.Strategy:
    return block(kind, made({"format": st.sampled_from(formats), "source": SOURCE}))


DOCUMENT_NAMES = st.text("abc XYZ-()[]", min_size=1, max_size=12).filter(lambda name: name == " ".join(name.split()))
DOCUMENTS = block(
    "document",
    made(
        {
            "format": st.sampled_from(["pdf", "csv", "txt", "md"]),
            "name": DOCUMENT_NAMES,
            "source": SOURCE
            | made({"text": support.some_text})
            | made({"content": st.lists(made({"text": support.some_text}), min_size=1, max_size=2)}),
        },
        {"context": support.some_text, "citations": made({"enabled": st.booleans()})},
    ),
)
FOUND = block(
    "searchResult",
    made(
        {
            "source": support.some_text,
            "title": support.some_text,
            "content": st.lists(made({"text": support.some_text}), min_size=1, max_size=2),
        }
    ),
)
MEDIA = media("image", "png", "jpeg") | DOCUMENTS | media("video", "mp4", "three_gp") | FOUND
RESULTS = block(
    "toolResult",
    made(
        {
            "toolUseId": support.ids,
            "content": st.lists(support.text_blocks | MEDIA | block("json", support.values), max_size=2),
        },
        {"status": st.sampled_from(["success", "error"])},
    ),
)
GUARDED = block("guardContent", block("text", made({"text": support.some_text})))
GUARDED_IMAGES = block(
    "guardContent", block("image", made({"format": st.just("png"), "source": made({"bytes": support.data})}))
)
USER = support.text_blocks | MEDIA | media("audio", "wav", "mp3") | RESULTS | GUARDED | GUARDED_IMAGES | support.points
ASSISTANT = support.text_blocks | support.thinking | support.tool_uses | support.points
CONVERSATIONS = support.conversations(
    st.lists(USER, min_size=1, max_size=3),
    st.lists(ASSISTANT, min_size=1, max_size=3),
    st.lists(support.text_blocks | GUARDED | support.points, min_size=1, max_size=2),
    st.lists(
        support.specs | support.points | block("systemTool", made({"name": support.names})), min_size=1, max_size=2
    ),
)
CONTROLS = st.builds(
    Controls,
    max_output_tokens=st.none() | st.integers(1, 10**6),
    temperature=st.none() | st.floats(0, 1),
    top_p=st.none() | st.floats(0, 1),
    top_k=st.none() | st.integers(0, 500),
    stop=st.lists(support.some_text, max_size=3).map(tuple),
    tool_choice=st.sampled_from([None, ToolChoice("auto"), ToolChoice("any"), ToolChoice("tool", "find")]),
    output=st.none()
    | st.builds(
        OutputFormat,
        schema=support.objects,
        name=st.none() | support.names,
        description=st.none() | support.some_text,
    ),
    thinking=st.none() | st.just({"type": "adaptive"}),
    effort=st.none() | st.sampled_from(["low", "high"]),
)


def decoded(body: bytes | None) -> Any:
    assert body is not None
    return converse.decode(body, model="m", stream=False)


def test_everything_of_a_real_request_is_held() -> None:
    path, body = support.converse_request()
    assert unquote(path) == f"/model/{support.HAIKU}/converse"
    asked = converse.decode(body, model=support.HAIKU, stream=True)
    assert asked.protocol is WireProtocol.CONVERSE
    assert (asked.model, asked.stream, asked.wants_usage) == (support.HAIKU, True, True)
    assert asked.controls == Controls(
        max_output_tokens=700,
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        stop=("END",),
        tool_choice=ToolChoice("any"),
        output=OutputFormat(schema=support.SCHEMA, name="order"),
        thinking={"type": "enabled", "budget_tokens": 1024},
        effort="low",
    )
    assert asked.parameters == ("temperature", "top_p", "top_k", "thinking.enabled", "effort")
    assert asked.forced_tool_choice
    assert asked.json_output
    assert asked.has_tools
    assert asked.session_id == "s1"
    assert asked.overrides == {"policy": "quality"}
    assert asked.untranslatable == ()


def test_the_conversation_of_a_real_request_is_what_boto3_was_given() -> None:
    given = copy.deepcopy(BODY_OF_REQUEST)
    given["messages"][2]["content"][2]["image"]["source"] = {"location": {"type": "s3", "uri": "s3://bucket/a.jpg"}}
    shown = support.shown(decoded(support.converse_request()[1]).conversation)
    assert shown == {"system": given["system"], "tools": given["toolConfig"]["tools"], "messages": given["messages"]}


def test_a_real_request_is_the_same_after_it_was_written_again() -> None:
    body = support.converse_request()[1]
    asked = decoded(body)
    encoded = converse.encode(asked.conversation, asked.controls)
    assert encoded.refusals == encoded.edits == ()
    written, sent = support.check_converse(encoded.body), json.loads(body)
    # Metadata is for this deployment; a schema is a text there, written in its own way.
    del sent["requestMetadata"]
    for value in (written, sent):
        definition = value["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
        definition["schema"] = json.loads(definition["schema"])
    assert written == sent


def test_a_real_request_on_its_way_to_anthropic_and_to_openai() -> None:
    asked = decoded(support.converse_request()[1])
    there = anthropic.encode(asked.conversation, asked.controls, model="claude-x")
    assert there.refusals == (
        "untranslatable:messages.2.content.2.image.source",
        "untranslatable:messages.2.content.4",
        "untranslatable:messages.2.content.5",
    )
    fewer = Conversation(
        system=asked.conversation.system,
        tools=asked.conversation.tools,
        messages=[
            *asked.conversation.messages[:2],
            {
                "role": "user",
                "content": [
                    b
                    for b in asked.conversation.messages[2]["content"]
                    if not b.keys() & {"image", "video", "guardContent"}
                ],
            },
        ],
    )
    there = anthropic.encode(fewer, asked.controls, model="claude-x")
    assert there.edits == ("tool_json_as_text:messages.2.content.0.toolResult.content.0", "output_name:output")
    assert there.body is not None
    back = support.shown(anthropic.decode(there.body).conversation)
    expected = support.shown(fewer)
    expected["messages"][2]["content"][0]["toolResult"]["content"][0] = {"text": '{"a":[1,2.5]}'}
    assert back == expected
    assert openai_chat.encode(fewer, asked.controls, model="gpt-x").body is None


@given(CONVERSATIONS)
def test_what_is_written_is_valid_and_reads_back_the_same(conversation: Conversation) -> None:
    before = copy.deepcopy(conversation)
    encoded = converse.encode(conversation, Controls())
    assert support.shown(conversation) == support.shown(before)
    assert encoded.refusals == encoded.edits == ()
    support.check_converse(encoded.body)
    again = decoded(encoded.body)
    assert again.untranslatable == ()
    assert support.shown(again.conversation) == support.shown(before)


@given(CONTROLS)
def test_controls_are_valid_and_the_same_after_they_were_written(controls: Controls) -> None:
    tool = {"toolSpec": {"name": "find", "inputSchema": {"json": {}}}}
    encoded = converse.encode(Conversation(messages=conversation_of("x").messages, tools=[tool]), controls)
    assert encoded.refusals == encoded.edits == ()
    support.check_converse(encoded.body)
    assert decoded(encoded.body).controls == controls


def test_what_converse_has_no_place_for() -> None:
    controls = Controls(
        temperature=1.5,
        parallel_tools=False,
        tool_choice=ToolChoice("none"),
        output=OutputFormat(schema={}, strict=False),
    )
    encoded = converse.encode(conversation_of("x"), controls)
    assert encoded.refusals == (
        "untranslatable:temperature",
        "untranslatable:parallel_tools",
        "untranslatable:tool_choice",
    )
    assert encoded.edits == ("output_strict:output",)
    # A choice among no tools is none.
    assert converse.encode(
        conversation_of("x"), Controls(tool_choice=ToolChoice("auto"), parallel_tools=True)
    ).body == (b'{"messages":[{"role":"user","content":[{"text":"x"}]}]}')


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"native": {"protocol": "anthropic", "block": {}}}, ""),
        ({"text": "x", "other": 1}, ""),
        ({"image": {"format": "png", "source": {"location": {"type": "url", "uri": "u"}}}}, ".image.source"),
        ({"image": {"source": {"bytes": b"a"}}}, ".image.format"),
        ({"document": {"format": "pdf", "name": "n", "source": {}}}, ".document.source"),
        ({"toolUse": {"toolUseId": "1", "name": "f", "input": "text"}}, ".toolUse.input"),
        (
            {"toolUse": {"toolUseId": "1", "name": "f", "input": {}, "reasoningSignature": "s"}},
            ".toolUse.reasoningSignature",
        ),
        ({"toolResult": {"toolUseId": "1", "content": [{"native": {}}]}}, ".toolResult.content.0"),
    ],
)
def test_what_has_no_place_is_named(value: dict[str, Any], path: str) -> None:
    conversation = Conversation(messages=[{"role": "user", "content": [value]}], tools=[{"native": {}}])
    assert converse.encode(conversation, Controls()).refusals == (
        f"untranslatable:messages.0.content.0{path}",
        "untranslatable:tools.0",
    )


def test_what_is_written_differently_is_named() -> None:
    blocks = [
        {"document": {"format": "pdf", "source": {"bytes": b"a"}}},
        {"image": {"format": "jpg", "source": {"bytes": b"a"}}},
    ]
    encoded = converse.encode(Conversation(messages=[{"role": "user", "content": blocks}]), Controls())
    assert encoded.edits == ("document_name:messages.0.content.0.document",)
    content = support.check_converse(encoded.body)["messages"][0]["content"]
    assert content[0]["document"]["name"] == "document"
    assert content[1]["image"]["format"] == "jpeg"


def body(**members: Any) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": [{"text": "hi"}]}], **members}).encode()


def test_what_only_bedrock_knows_is_named() -> None:
    asked = decoded(
        body(
            guardrailConfig={"guardrailIdentifier": "g"},
            performanceConfig=None,
            serviceTier={"type": "flex"},
            brandNew=1,
            inferenceConfig={"maxTokens": 5, "brandNew": 1},
            additionalModelRequestFields={"anthropic_beta": ["b"], "thinking": None},
            toolConfig={"tools": [], "toolChoice": {"brandNew": {}}, "more": 1},
            outputConfig={"textFormat": {"type": "xml"}},
        )
    )
    assert asked.unknown == ("brandNew",)
    assert asked.fixed == (
        "guardrailConfig",
        "serviceTier",
        "toolConfig.toolChoice.brandNew",
        "outputConfig.textFormat",
        "inferenceConfig.brandNew",
        "additionalModelRequestFields.anthropic_beta",
        "toolConfig.more",
    )
    assert asked.controls == Controls(max_output_tokens=5)
    assert not asked.has_tools


def test_a_schema_that_is_no_json_and_bytes_that_are_no_base64() -> None:
    schema = {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{"}}}
    image = {"image": {"format": "png", "source": {"bytes": "?"}}}
    asked = decoded(body(outputConfig={"textFormat": schema}, system=[image], messages=[]))
    assert asked.untranslatable == (
        "outputConfig.textFormat.structure.jsonSchema.schema",
        "system.0.image.source.bytes",
    )
    assert asked.conversation.system == [{"image": {"format": "png", "source": {}}}]


def test_a_prompt_may_be_kept_at_bedrock() -> None:
    asked = decoded(b'{"promptVariables":{"a":{"text":"b"}}}')
    assert asked.conversation == Conversation(messages=[], system=[], tools=[])
    assert asked.untranslatable == ("promptVariables",)


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"messages": {}}, "messages"),
        ({"messages": [5]}, "messages.0"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": "x"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"image": 5}]}]}, "messages.0.content.0.image"),
        ({"messages": [{"role": "user", "content": [{"toolResult": {}}]}]}, "messages.0.content.0.toolResult.content"),
        (
            {"messages": [{"role": "user", "content": [{"reasoningContent": {"redactedContent": 5}}]}]},
            "messages.0.content.0.reasoningContent.redactedContent",
        ),
        ({"system": "s"}, "system"),
        ({"toolConfig": []}, "toolConfig"),
        ({"toolConfig": {"tools": {}}}, "toolConfig.tools"),
        ({"toolConfig": {"tools": [{"toolSpec": 5}]}}, "toolConfig.tools"),
        ({"toolConfig": {"toolChoice": {"tool": {}}}}, "toolConfig.toolChoice.tool.name"),
        ({"inferenceConfig": {"maxTokens": "5"}}, "inferenceConfig.maxTokens"),
        ({"inferenceConfig": {"stopSequences": [5]}}, "inferenceConfig.stopSequences.0"),
        ({"outputConfig": {"textFormat": {}}}, "outputConfig.textFormat.type"),
    ],
)
def test_another_shape_is_refused_with_its_place(members: dict[str, Any], path: str) -> None:
    with pytest.raises(MalformedBodyError) as caught:
        assert decoded(body(**members)).conversation
    assert caught.value.path == path


MEMBERS = st.sampled_from(
    [
        "text",
        "image",
        "document",
        "source",
        "bytes",
        "toolResult",
        "toolUse",
        "content",
        "toolSpec",
        "inputSchema",
        "json",
        "reasoningContent",
        "guardContent",
        "redactedContent",
        "s3Location",
    ]
)


@given(
    st.sampled_from(["messages", "system", "toolConfig", "inferenceConfig", "outputConfig", "requestMetadata"]),
    st.recursive(
        support.values,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=4),
        max_leaves=10,
    ),
)
def test_no_content_raises_anything_else(name: str, value: Any) -> None:
    for members in (
        {name: value},
        {"messages": [{"role": "user", "content": [value]}]},
        {"toolConfig": {"tools": [value]}},
    ):
        try:
            found = decoded(body(**members)).conversation
        except MalformedBodyError as error:
            assert str(error)  # noqa: PT017 - either outcome is right
        else:
            assert isinstance(found, Conversation)
