"""boto3: Converse, and InvokeModel with Claude's bodies."""

from __future__ import annotations

import base64
import json
from contextlib import ExitStack
from typing import Any

from botocore.exceptions import ClientError, EventStreamError

from tests.doors.gateway.matrix.clients import anthropic_messages as claude
from tests.doors.gateway.matrix.clients.common import Driver
from tests.doors.gateway.matrix.said import MAX_TOKENS, PICTURE, QUESTION, RESULT, SCHEMA, SYSTEM, TOOLS, Count, Heard
from tests.doors.gateway.support import PIXEL, Served

ASKED: list[Any] = [{"role": "user", "content": [{"text": QUESTION}]}]
OFFERED: dict[str, Any] = {
    "tools": [
        {"toolSpec": {"name": name, "description": f"Looks up {name}.", "inputSchema": {"json": SCHEMA}}}
        for name in TOOLS
    ]
}
SHOWN: list[Any] = [
    {
        "role": "user",
        "content": [
            {"text": PICTURE},
            {"image": {"format": "png", "source": {"bytes": base64.b64decode(PIXEL)}}},
        ],
    }
]


class Boto3(Driver):
    """What both have."""

    broken = EventStreamError

    def __init__(self, gateway: Served) -> None:
        self._stack = ExitStack()
        self._client = self._stack.enter_context(gateway.bedrock())
        own = self._client.exceptions
        self.errors = {
            400: own.ValidationException,
            404: ClientError,
            429: own.ThrottlingException,
        }

    def close(self) -> None:
        self._stack.close()

    def status_of(self, error: Exception) -> int | None:
        if not isinstance(error, ClientError) or isinstance(error, EventStreamError):
            return None
        status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status


class Boto3Converse(Boto3):
    """``converse`` and ``converse_stream``."""

    def plain(self, model: str) -> Heard:
        return self._ask(model, ASKED)[0]

    def stream(self, model: str) -> Heard:
        return self._read(model, ASKED)[0]

    def tools(self, model: str) -> tuple[Heard, Heard]:
        first, said = self._ask(model, ASKED, toolConfig=OFFERED)
        return first, self._ask(model, with_results(said), toolConfig=OFFERED)[0]

    def tools_streamed(self, model: str) -> tuple[Heard, Heard]:
        first, said = self._read(model, ASKED, toolConfig=OFFERED)
        return first, self._read(model, with_results(said), toolConfig=OFFERED)[0]

    def image(self, model: str) -> Heard:
        return self._ask(model, SHOWN)[0]

    def cancel(self, model: str) -> None:
        answer = self._client.converse_stream(modelId=model, messages=ASKED)
        next(event for event in answer["stream"] if "contentBlockDelta" in event)
        answer["stream"].close()

    def _ask(self, model: str, messages: list[Any], **options: Any) -> tuple[Heard, dict[str, Any]]:
        answer = self._client.converse(
            modelId=model,
            messages=messages,
            system=[{"text": SYSTEM}],
            inferenceConfig={"maxTokens": MAX_TOKENS},
            **options,
        )
        said = answer["output"]["message"]
        heard = _heard(said, answer["usage"], answer["stopReason"], _headers(answer), None)
        return heard, said

    def _read(self, model: str, messages: list[Any], **options: Any) -> tuple[Heard, dict[str, Any]]:
        answer = self._client.converse_stream(
            modelId=model,
            messages=messages,
            system=[{"text": SYSTEM}],
            inferenceConfig={"maxTokens": MAX_TOKENS},
            **options,
        )
        assembled = Assembled()
        for event in answer["stream"]:
            assembled.feed(event)
        heard = _heard(assembled.message, assembled.usage, assembled.reason, _headers(answer), assembled.pieces)
        return heard, assembled.message


class Boto3Invoke(Boto3):
    """``invoke_model`` and ``invoke_model_with_response_stream``, with the bodies that Claude takes there."""

    def plain(self, model: str) -> Heard:
        return self._ask(model, claude.ASKED)[0]

    def stream(self, model: str) -> Heard:
        return self._read(model, claude.ASKED)[0]

    def tools(self, model: str) -> tuple[Heard, Heard]:
        first, said = self._ask(model, claude.ASKED, tools=claude.OFFERED)
        return first, self._ask(model, _claude_with_results(said), tools=claude.OFFERED)[0]

    def tools_streamed(self, model: str) -> tuple[Heard, Heard]:
        first, said = self._read(model, claude.ASKED, tools=claude.OFFERED)
        return first, self._read(model, _claude_with_results(said), tools=claude.OFFERED)[0]

    def image(self, model: str) -> Heard:
        return self._ask(model, claude.SHOWN)[0]

    def cancel(self, model: str) -> None:
        answer = self._client.invoke_model_with_response_stream(modelId=model, body=_body(claude.ASKED))
        for event in answer["body"]:
            if json.loads(event["chunk"]["bytes"])["type"] == "content_block_delta":
                break
        answer["body"].close()

    def _ask(self, model: str, messages: list[Any], **options: Any) -> tuple[Heard, dict[str, Any]]:
        answer = self._client.invoke_model(modelId=model, body=_body(messages, **options))
        with answer["body"] as body:
            said = json.loads(body.read())
        return _claude_heard(said, _headers(answer), None), said

    def _read(self, model: str, messages: list[Any], **options: Any) -> tuple[Heard, dict[str, Any]]:
        answer = self._client.invoke_model_with_response_stream(modelId=model, body=_body(messages, **options))
        said: dict[str, Any] = {}
        inputs: dict[int, str] = {}
        pieces = 0
        for one in answer["body"]:
            event = json.loads(one["chunk"]["bytes"])
            match event["type"]:
                case "message_start":
                    said = event["message"]
                case "content_block_start":
                    said["content"].append(event["content_block"])
                case "content_block_delta" if "text" in event["delta"]:
                    said["content"][event["index"]]["text"] += event["delta"]["text"]
                    pieces += 1
                case "content_block_delta":
                    inputs[event["index"]] = inputs.get(event["index"], "") + event["delta"]["partial_json"]
                case "message_delta":
                    said["stop_reason"] = event["delta"]["stop_reason"]
                    said["usage"].update(event["usage"])
        for index, text in inputs.items():
            said["content"][index]["input"] = json.loads(text)
        return _claude_heard(said, _headers(answer), pieces), said


class Assembled:
    """A message put together from the events of ConverseStream, as boto3 and Strands hand them over."""

    def __init__(self) -> None:
        self.message: dict[str, Any] = {}
        self.usage: dict[str, Any] = {}
        self.reason = ""
        self.pieces = 0
        self._open: dict[str, Any] | None = None

    def feed(self, event: Any) -> None:
        """Take the next event."""
        match event:
            case {"messageStart": start}:
                self.message = {"role": start["role"], "content": []}
            case {"contentBlockStart": {"start": {"toolUse": use}}}:
                self._open = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"], "input": ""}}
            case {"contentBlockDelta": {"delta": {"toolUse": use}}}:
                assert self._open is not None
                self._open["toolUse"]["input"] += use["input"]
            case {"contentBlockDelta": {"delta": {"text": text}}}:
                self._open = self._open or {"text": ""}
                self._open["text"] += text
                self.pieces += 1
            case {"contentBlockStop": _} if self._open is not None:
                if "toolUse" in self._open:
                    self._open["toolUse"]["input"] = json.loads(self._open["toolUse"]["input"])
                self.message["content"].append(self._open)
                self._open = None
            case {"messageStop": stop}:
                self.reason = stop["stopReason"]
            case {"metadata": metadata}:
                self.usage = metadata["usage"]

    @property
    def text(self) -> str:
        """The text of the message."""
        return "".join(block.get("text", "") for block in self.message["content"])

    @property
    def tools(self) -> list[tuple[str, Any]]:
        """The tools that it calls."""
        return [
            (block["toolUse"]["name"], block["toolUse"]["input"])
            for block in self.message["content"]
            if "toolUse" in block
        ]


def with_results(said: dict[str, Any]) -> list[Any]:
    """The conversation that goes on with the results of the tools."""
    results = [
        {"toolResult": {"toolUseId": block["toolUse"]["toolUseId"], "content": [{"text": RESULT}], "status": "success"}}
        for block in said["content"]
        if "toolUse" in block
    ]
    return [*ASKED, said, {"role": "user", "content": results}]


def _heard(said: Any, usage: Any, reason: str, headers: Any, pieces: int | None) -> Heard:
    used = [(block["toolUse"]["name"], block["toolUse"]["input"]) for block in said["content"] if "toolUse" in block]
    cut = reason == "max_tokens"
    assert cut or reason == ("tool_use" if used else "end_turn")
    read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
    return Heard(
        text="".join(block.get("text", "") for block in said["content"]),
        tools=used,
        usage=Count(prompt=usage["inputTokens"] + read + written, read=read, output=usage["outputTokens"]),
        headers=headers,
        pieces=pieces,
        cut=cut,
    )


def _headers(answer: Any) -> dict[str, str]:
    headers: dict[str, str] = answer["ResponseMetadata"]["HTTPHeaders"]
    return headers


def _body(messages: list[Any], **options: Any) -> str:
    about = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": MAX_TOKENS, "system": SYSTEM}
    return json.dumps({**about, "messages": messages, **options})


def _claude_heard(said: dict[str, Any], headers: Any, pieces: int | None) -> Heard:
    used = [(block["name"], block["input"]) for block in said["content"] if block["type"] == "tool_use"]
    cut = said["stop_reason"] == "max_tokens"
    assert cut or said["stop_reason"] == ("tool_use" if used else "end_turn")
    usage = said["usage"]
    read, written = usage.get("cache_read_input_tokens") or 0, usage.get("cache_creation_input_tokens") or 0
    return Heard(
        text="".join(block.get("text", "") for block in said["content"]),
        tools=used,
        usage=Count(prompt=usage["input_tokens"] + read + written, read=read, output=usage["output_tokens"]),
        model=said["model"],
        headers=headers,
        pieces=pieces,
        cut=cut,
    )


def _claude_with_results(said: dict[str, Any]) -> list[Any]:
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": RESULT}
        for block in said["content"]
        if block["type"] == "tool_use"
    ]
    return [*claude.ASKED, {"role": "assistant", "content": said["content"]}, {"role": "user", "content": results}]
