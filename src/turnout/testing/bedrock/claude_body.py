"""Claude bodies of InvokeModel: what they mean to the simulated models, and how those answer.

The models answer Converse requests, so a body of the Messages API is turned into one, and the answer back. Sources: the
"Anthropic Claude Messages API" page of Amazon Bedrock's user guide and the types of anthropic 2.12, read 2026-11.
Known limits: tools that Anthropic defines (``bash_20250124`` and the like) stand without their schema, and citations,
search results and files are refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from turnout.testing.bedrock.answer import Answer, Event, events
from turnout.testing.bedrock.errors import invalid, refused_by_model
from turnout.testing.bedrock.models import SimulatedModel

Block = dict[str, Any]

_INFERENCE = {
    "max_tokens": "maxTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "stop_sequences": "stopSequences",
}
_EXTRA = ("top_k", "thinking", "anthropic_beta", "context_management")
_OTHER = (
    "anthropic_version",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "output_config",
    "metadata",
    "cache_control",
)
_KNOWN = frozenset({*_INFERENCE, *_EXTRA, *_OTHER})


def to_converse(body: Mapping[str, Any]) -> dict[str, Any]:
    """The Converse request that means the same.

    Raises:
        BedrockError: ``ValidationException`` for what the model refuses: a member that is not known (``model`` and
            ``stream`` belong into the path), one that is missing, or one of another shape.
    """
    try:
        return _to_converse(body)
    except (KeyError, TypeError, AttributeError) as error:
        raise refused_by_model(f"the body does not have the API's shape: {type(error).__name__}: {error}") from None


def _to_converse(body: Mapping[str, Any]) -> dict[str, Any]:
    for name in body:
        if name not in _KNOWN:
            raise refused_by_model(f"{name}: Extra inputs are not permitted")
    for name in ("anthropic_version", "max_tokens", "messages"):
        if body.get(name) is None:
            raise refused_by_model(f"{name}: Field required")
    request: dict[str, Any] = {"messages": _messages(body["messages"])}
    if body.get("system"):
        request["system"] = _content(body["system"], "system")
    if body.get("tools"):
        config: dict[str, Any] = {"tools": [block for tool in body["tools"] for block in _tool(tool)]}
        if choice := _choice(body.get("tool_choice") or {}):
            config["toolChoice"] = choice
        request["toolConfig"] = config
    request["inferenceConfig"] = {_INFERENCE[name]: body[name] for name in _INFERENCE if body.get(name) is not None}
    extra = {name: body[name] for name in _EXTRA if body.get(name) is not None}
    output = dict(body.get("output_config") or {})
    if (wanted := output.pop("format", None)) is not None:
        schema = {"jsonSchema": {"name": "answer", "schema": json.dumps(wanted["schema"])}}
        request["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": schema}}
    if output:
        extra["output_config"] = output
    if extra:
        request["additionalModelRequestFields"] = extra
    return request


def counted_body(text: str) -> dict[str, Any]:
    """The body that a CountTokens request brings as base64.

    Raises:
        BedrockError: ``ValidationException``: it is none.
    """
    try:
        body = json.loads(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error):
        raise invalid("input.invokeModel.body is not the base64 of a JSON object") from None
    if not isinstance(body, dict):
        raise invalid("input.invokeModel.body is not the base64 of a JSON object")
    return body


def message(model: SimulatedModel, answer: Answer, usage: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of InvokeModel."""
    return {
        **_about(model),
        "content": [_said(block) for block in answer.content],
        "stop_reason": answer.stop_reason,
        "stop_sequence": None,
        "usage": {**_input(usage), "output_tokens": usage["outputTokens"]},
    }


def message_events(
    model: SimulatedModel, answer: Answer, usage: Mapping[str, Any], latency_ms: int
) -> Iterator[dict[str, Any]]:
    """The events that InvokeModelWithResponseStream sends, each in a chunk."""
    start = {**_about(model), "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": {**start, "usage": {**_input(usage), "output_tokens": 1}}}
    begun = -1
    for name, payload in events(answer, {}):
        index = payload.get("contentBlockIndex", -1)
        if index > begun:
            begun = index
            yield {"type": "content_block_start", "index": index, "content_block": _empty(answer.content[index])}
        if name == "contentBlockDelta":
            yield {"type": "content_block_delta", "index": index, "delta": _delta(payload["delta"])}
        elif name == "contentBlockStop":
            yield {"type": "content_block_stop", "index": index}
    stop = {"stop_reason": answer.stop_reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": {"output_tokens": usage["outputTokens"]}}
    metrics = {
        "inputTokenCount": usage["inputTokens"],
        "outputTokenCount": usage["outputTokens"],
        "invocationLatency": latency_ms,
        "firstByteLatency": latency_ms,
        "cacheReadInputTokenCount": usage.get("cacheReadInputTokens", 0),
        "cacheWriteInputTokenCount": usage.get("cacheWriteInputTokens", 0),
    }
    yield {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}


def chunks(messages: Iterator[dict[str, Any]]) -> Iterator[Event]:
    """Events of the Messages API as frames carry them: base64, and letters that hide its length."""
    for one in messages:
        encoded = base64.b64encode(json.dumps(one).encode()).decode()
        yield "chunk", {"bytes": encoded, "p": "abcdefghijklmnopqrstuvwxyz"[: 1 + len(encoded) % 26]}


def _about(model: SimulatedModel) -> dict[str, Any]:
    name = model.id.removeprefix("anthropic.").partition("-v1:")[0]
    return {"id": f"msg_bdrk_{uuid.uuid4().hex[:24]}", "type": "message", "role": "assistant", "model": name}


def _input(usage: Mapping[str, Any]) -> dict[str, Any]:
    written = {detail["ttl"]: detail["inputTokens"] for detail in usage.get("cacheDetails", ())}
    total = usage.get("cacheWriteInputTokens", 0)
    long = written.get("1h", 0)
    return {
        "input_tokens": usage["inputTokens"],
        "cache_read_input_tokens": usage.get("cacheReadInputTokens", 0),
        "cache_creation_input_tokens": total,
        "cache_creation": {"ephemeral_5m_input_tokens": total - long, "ephemeral_1h_input_tokens": long},
    }


def _messages(given: Any) -> list[dict[str, Any]]:
    merged: list[dict[str, Any]] = []
    if not isinstance(given, list):
        raise refused_by_model("messages: Input should be a valid list")
    for index, one in enumerate(given):
        content = _content(one["content"], f"messages.{index}.content")
        if merged and merged[-1]["role"] == one["role"]:
            merged[-1]["content"] += content
        else:
            merged.append({"role": one["role"], "content": content})
    return merged


def _content(given: str | Sequence[Mapping[str, Any]], path: str) -> list[Block]:
    if isinstance(given, str):
        return [{"text": given}]
    return [part for index, block in enumerate(given) for part in _parts(block, f"{path}.{index}")]


def _parts(block: Mapping[str, Any], path: str) -> list[Block]:
    return [_block(block, path), *_point(block)]


def _point(block: Mapping[str, Any]) -> list[Block]:
    marker = block.get("cache_control")
    if not marker:
        return []
    ttl = {"ttl": marker["ttl"]} if marker.get("ttl") else {}
    return [{"cachePoint": {"type": "default", **ttl}}]


def _block(block: Mapping[str, Any], path: str) -> Block:
    match block.get("type"):
        case "text":
            return {"text": block["text"]}
        case "image":
            return {"image": {"format": _format(block, path), "source": {"bytes": block["source"]["data"]}}}
        case "document":
            source = {"bytes": block["source"]["data"]}
            return {"document": {"format": _format(block, path), "name": "document", "source": source}}
        case "tool_use":
            return {"toolUse": {"toolUseId": block["id"], "name": block["name"], "input": block["input"]}}
        case "tool_result":
            content = [part for part in _content(block.get("content") or "", path) if part != {"text": ""}]
            result = {"toolUseId": block["tool_use_id"], "content": content}
            return {"toolResult": {**result, **({"status": "error"} if block.get("is_error") else {})}}
        case "thinking":
            thought = {"text": block["thinking"], "signature": block["signature"]}
            return {"reasoningContent": {"reasoningText": thought}}
        case "redacted_thinking":
            return {"reasoningContent": {"redactedContent": block["data"]}}
    raise refused_by_model(f"{path}: Input tag {block.get('type')!r} is not simulated")


def _format(block: Mapping[str, Any], path: str) -> str:
    if block["source"].get("type") != "base64":
        raise refused_by_model(f"{path}.source: only base64 is supported")
    kind: str = block["source"]["media_type"].partition("/")[2]
    return kind


def _tool(tool: Mapping[str, Any]) -> list[Block]:
    described = {"description": tool["description"]} if tool.get("description") else {}
    schema = tool.get("input_schema") or {"type": "object", "properties": {}}
    return [{"toolSpec": {"name": tool["name"], **described, "inputSchema": {"json": schema}}}, *_point(tool)]


def _choice(choice: Mapping[str, Any]) -> dict[str, Any] | None:
    match choice.get("type"):
        case "any":
            return {"any": {}}
        case "tool":
            return {"tool": {"name": choice["name"]}}
        case "auto":
            return {"auto": {}}
    return None


def _said(block: Mapping[str, Any]) -> Block:
    if "text" in block:
        return {"type": "text", "text": block["text"]}
    if "toolUse" in block:
        used = block["toolUse"]
        return {"type": "tool_use", "id": used["toolUseId"], "name": used["name"], "input": used["input"]}
    thought = block["reasoningContent"]["reasoningText"]
    return {"type": "thinking", "thinking": thought["text"], "signature": thought["signature"]}


def _empty(block: Mapping[str, Any]) -> Block:
    said = _said(block)
    return {
        **said,
        **{name: {} if name == "input" else "" for name in ("text", "thinking", "signature", "input") if name in said},
    }


def _delta(delta: Mapping[str, Any]) -> Block:
    if "text" in delta:
        return {"type": "text_delta", "text": delta["text"]}
    if "toolUse" in delta:
        return {"type": "input_json_delta", "partial_json": delta["toolUse"]["input"]}
    reasoning = delta["reasoningContent"]
    if "text" in reasoning:
        return {"type": "thinking_delta", "thinking": reasoning["text"]}
    return {"type": "signature_delta", "signature": reasoning["signature"]}
