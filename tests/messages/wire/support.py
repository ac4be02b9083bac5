"""Bodies as the real clients send them, recorded over real sockets; and conversations of every kind to draw from."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import anthropic
import boto3
import openai
from botocore.config import Config
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator
from hypothesis import strategies as st

from turnout.messages.conversation import Conversation
from turnout.messages.wire.asked import without_raw
from turnout.testing.bedrock.shapes import check_request

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(32))
PDF = b"%PDF-1.7\n" + bytes(range(200, 256))
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"order": {"type": "string", "description": 'a number such as "A-17"'}, "n": {"type": "integer"}},
    "required": ["order"],
    "additionalProperties": False,
}
HAIKU = "global.anthropic.claude-haiku-4-5-20251001-v1:0"


class Recorder:
    """Keeps what it is sent and gives one answer."""

    def __init__(self, answer: bytes, headers: Mapping[str, str], status: int = 200) -> None:
        self.answer, self.headers, self.status = answer, headers, status
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        self.url = ""

    @property
    def body(self) -> bytes:
        return self.bodies[-1]


@contextmanager
def recorder(answer: bytes, headers: Mapping[str, str] | None = None, status: int = 200) -> Iterator[Recorder]:
    """A server on loopback that records requests and answers each alike."""
    kept = Recorder(answer, headers or {"content-type": "application/json"}, status)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            kept.paths.append(self.path)
            kept.bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(kept.status)
            for name, value in kept.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(kept.answer)))
            self.end_headers()
            self.wfile.write(kept.answer)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    kept.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def anthropic_client(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="k", max_retries=0) as client:
        yield client


@contextmanager
def openai_client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url + "/v1", api_key="k", max_retries=0) as client:
        yield client


@contextmanager
def bedrock_client(url: str) -> Iterator[Any]:
    client = boto3.client(
        "bedrock-runtime",
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id="a",
        aws_secret_access_key="s",
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        yield client
    finally:
        client.close()


ANTHROPIC_ANSWER = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [{"type": "text", "text": "yes"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 3, "output_tokens": 1},
    }
).encode()
OPENAI_ANSWER = json.dumps(
    {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-x",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
    }
).encode()
CONVERSE_ANSWER = json.dumps(
    {
        "output": {"message": {"role": "assistant", "content": [{"text": "yes"}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 1, "totalTokens": 4},
        "metrics": {"latencyMs": 1},
    }
).encode()

ANTHROPIC_REQUEST: dict[str, Any] = {
    "model": "turnout",
    "max_tokens": 700,
    # Current clients have no arguments for these; people send them so.
    "extra_body": {"temperature": 0.5, "top_k": 40, "top_p": 0.9},
    "stop_sequences": ["END"],
    "metadata": {"user_id": "user_ab_account__session_0f-1"},
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
    "tool_choice": {"type": "tool", "name": "find", "disable_parallel_tool_use": True},
    "tools": [
        {"name": "find", "description": "Finds an order.", "input_schema": SCHEMA, "strict": True},
        {"name": "add", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ],
    "system": [
        {"type": "text", "text": "You are kind."},
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}},
    ],
    "messages": [
        {"role": "user", "content": "hé \u2028 \U0001f600"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "cmVkYWN0ZWQ="},
                {"type": "text", "text": "Looking."},
                {"type": "tool_use", "id": "t1", "name": "find", "input": {"order": "A-17", "n": 2**70}},
                {"type": "tool_use", "id": "t2", "name": "add", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": [
                        {"type": "text", "text": "found"},
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
                        },
                    ],
                },
                {"type": "tool_result", "tool_use_id": "t2", "is_error": True, "content": "no"},
                {
                    "type": "document",
                    "title": "terms",
                    "context": "of 2026",
                    "citations": {"enabled": True},
                    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjc="},
                },
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}},
                {
                    "type": "search_result",
                    "source": "https://a.example",
                    "title": "A",
                    "content": [{"type": "text", "text": "x"}],
                },
                {
                    "type": "text",
                    "text": "and now?",
                    "cache_control": {"type": "ephemeral", "ttl": "5m"},
                },
            ],
        },
    ],
}

OPENAI_REQUEST: dict[str, Any] = {
    "model": "turnout/economy",
    "max_completion_tokens": 700,
    "temperature": 0.5,
    "top_p": 0.9,
    "stop": ["END", "STOP"],
    "user": "u1",
    "reasoning_effort": "low",
    "parallel_tool_calls": False,
    "metadata": {"session_id": "s1", "turnout_policy": "economy", "Turnout-Max-Cost": "0.1"},
    "response_format": {"type": "json_schema", "json_schema": {"name": "order", "schema": SCHEMA, "strict": True}},
    "tool_choice": {"type": "function", "function": {"name": "find"}},
    "tools": [
        {
            "type": "function",
            "function": {"name": "find", "description": "Finds an order.", "parameters": SCHEMA, "strict": True},
        },
        {"type": "function", "function": {"name": "add"}},
    ],
    "messages": [
        {"role": "developer", "content": "You are kind."},
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": "hé \u2028 \U0001f600"},
        {
            "role": "assistant",
            "content": "Looking.",
            "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "find", "arguments": '{"order": "A-17"}'}},
                {"id": "t2", "type": "function", "function": {"name": "add", "arguments": ""}},
            ],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "found"},
        {
            "role": "tool",
            "tool_call_id": "t2",
            "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "and now?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "auto"}},
                {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
                {
                    "type": "file",
                    "file": {"filename": "terms", "file_data": "data:application/pdf;base64,JVBERi0xLjc="},
                },
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            ],
        },
    ],
}

CONVERSE_REQUEST: dict[str, Any] = {
    "modelId": HAIKU,
    "inferenceConfig": {"maxTokens": 700, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
    "additionalModelRequestFields": {"top_k": 40, "thinking": {"type": "enabled", "budget_tokens": 1024}},
    "requestMetadata": {"session_id": "s1", "turnout.policy": "quality"},
    "outputConfig": {
        "effort": "low",
        "textFormat": {
            "type": "json_schema",
            "structure": {"jsonSchema": {"schema": json.dumps(SCHEMA), "name": "order"}},
        },
    },
    "toolConfig": {
        "toolChoice": {"any": {}},
        "tools": [
            {"toolSpec": {"name": "find", "description": "Finds.", "inputSchema": {"json": SCHEMA}, "strict": True}},
            {"cachePoint": {"type": "default", "ttl": "1h"}},
        ],
    },
    "system": [{"text": "You are kind."}, {"cachePoint": {"type": "default"}}],
    "messages": [
        {"role": "user", "content": [{"text": "hé \u2028 \U0001f600"}]},
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
                {"reasoningContent": {"redactedContent": b"redacted"}},
                {"text": "Looking."},
                {"toolUse": {"toolUseId": "t1", "name": "find", "input": {"order": "A-17"}}},
                {"toolUse": {"toolUseId": "t2", "name": "find", "input": {}}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "t1", "content": [{"json": {"a": [1, 2.5]}}, {"text": "found"}]}},
                {
                    "toolResult": {
                        "toolUseId": "t2",
                        "status": "error",
                        "content": [{"image": {"format": "png", "source": {"bytes": PNG}}}],
                    }
                },
                {"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://bucket/a.jpg"}}}},
                {"document": {"format": "pdf", "name": "terms", "source": {"bytes": PDF}}},
                {"video": {"format": "mp4", "source": {"bytes": b"v"}}},
                {"guardContent": {"image": {"format": "png", "source": {"bytes": PNG}}}},
                {"text": "and now?"},
                {"cachePoint": {"type": "default", "ttl": "5m"}},
            ],
        },
    ],
}


@functools.cache
def anthropic_body(*, stream: bool = False) -> bytes:
    """What the anthropic client sends of `ANTHROPIC_REQUEST`."""
    with recorder(ANTHROPIC_ANSWER) as server, anthropic_client(server.url) as client:
        if stream:
            client.messages.create(**ANTHROPIC_REQUEST, stream=True).close()
        else:
            client.messages.create(**ANTHROPIC_REQUEST)
        return server.body


@functools.cache
def invoke_request() -> tuple[str, bytes]:
    """Path and body of what the anthropic client for Bedrock sends of `ANTHROPIC_REQUEST`."""
    with recorder(ANTHROPIC_ANSWER) as server:
        client = anthropic.AnthropicBedrock(
            base_url=server.url, aws_access_key="a", aws_secret_key="s", aws_region="us-east-1", max_retries=0
        )
        with client:
            client.messages.create(**{**ANTHROPIC_REQUEST, "model": HAIKU})
        return server.paths[-1], server.body


@functools.cache
def openai_body(*, stream: bool = False) -> bytes:
    """What the openai client sends of `OPENAI_REQUEST`."""
    with recorder(OPENAI_ANSWER) as server, openai_client(server.url) as client:
        if stream:
            answer = client.chat.completions.create(
                **OPENAI_REQUEST, stream=True, stream_options={"include_usage": True}
            )
            answer.close()
        else:
            client.chat.completions.create(**OPENAI_REQUEST)
        return server.body


@functools.cache
def converse_request() -> tuple[str, bytes]:
    """Path and body of what boto3 sends of `CONVERSE_REQUEST`."""
    with recorder(CONVERSE_ANSWER) as server, bedrock_client(server.url) as client:
        client.converse(**CONVERSE_REQUEST)
        return server.paths[-1], server.body


@functools.cache
def _converse_shape() -> Any:
    loaded = Loader().load_service_model("bedrock-runtime", "service-2")
    return ServiceModel(loaded, "bedrock-runtime").operation_model("Converse").input_shape


def check_converse(body: bytes | None) -> dict[str, Any]:
    """The body as a value, after boto3's own validator and the double have taken it."""
    assert body is not None
    value: dict[str, Any] = json.loads(body)
    report = ParamValidator().validate({"modelId": HAIKU, **value}, _converse_shape())
    assert not report.has_errors(), report.generate_report()
    check_request("Converse", HAIKU, value)
    return value


def shown(conversation: Conversation) -> dict[str, Any]:
    """A conversation as plain values, to compare."""
    settled = without_raw(conversation)
    return {
        "system": list(settled.system),
        "tools": list(settled.tools),
        "messages": [{"role": one["role"], "content": list(one["content"])} for one in settled.messages],
    }


# What conversations are drawn from. Texts hold what JSON escapes and what it does not.
texts = st.text(st.characters(codec="utf-8"), max_size=12)
some_text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
names = st.text("abcXYZ019_-", min_size=1, max_size=20)
ids = st.text("abcXYZ019_-", min_size=1, max_size=20)
data = st.binary(min_size=1, max_size=20)
numbers = st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, values, max_size=3)

Strategy = st.SearchStrategy[Any]


def block(name: str, value: Strategy) -> Strategy:
    return value.map(lambda held: {name: held})


def made(needed: Mapping[str, Strategy], optional: Mapping[str, Strategy] | None = None) -> Strategy:
    return st.fixed_dictionaries(dict(needed), optional=dict(optional or {}))


text_blocks = block("text", some_text)
tool_uses = block("toolUse", made({"toolUseId": ids, "name": names, "input": objects}))
images = block(
    "image", made({"format": st.sampled_from(["png", "jpeg", "gif", "webp"]), "source": made({"bytes": data})})
)
url_images = block("image", made({"source": made({"location": made({"type": st.just("url"), "uri": some_text})})}))
thinking = block(
    "reasoningContent",
    made({"reasoningText": made({"text": texts}, {"signature": some_text})}) | made({"redactedContent": data}),
)
points = block("cachePoint", made({"type": st.just("default")}, {"ttl": st.sampled_from(["5m", "1h"])}))
specs = block(
    "toolSpec",
    made(
        {"name": names, "inputSchema": made({"json": objects})},
        {"description": some_text, "strict": st.booleans()},
    ),
)


def with_points(blocks: Strategy, *, most: int = 3) -> Strategy:
    """Lists of blocks, of which some have a cache point after them."""
    pairs = st.lists(st.tuples(blocks, st.none() | points), min_size=1, max_size=most)
    return pairs.map(lambda drawn: [one for pair in drawn for one in pair if one is not None])


def conversations(
    user: Strategy, assistant: Strategy, system: Strategy, tools: Strategy
) -> st.SearchStrategy[Conversation]:
    """Conversations whose parts are lists of such blocks."""

    def message(role: str, content: Strategy) -> Strategy:
        return made({"role": st.just(role), "content": content})

    messages = st.lists(message("user", user) | message("assistant", assistant), min_size=1, max_size=3)
    return st.builds(
        lambda messages, system, tools: Conversation(messages=messages, system=system, tools=tools),
        messages,
        st.just([]) | system,
        st.just([]) | tools,
    )
