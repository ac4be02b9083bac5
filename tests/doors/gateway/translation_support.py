"""The three clients asked alike, and what came of it told alike: for tests of every pair of protocols."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.doors.gateway.support import ANTHROPIC, BEDROCK, OPENAI, PIXEL, Served, Upstreams

MODELS = {"openai": OPENAI[1], "anthropic": ANTHROPIC[1], "bedrock": BEDROCK[1]}
"""One model of each provider; doors have the names of the providers whose clients they serve."""

PAIRS = [(door, upstream) for door in MODELS for upstream in MODELS if door != upstream]
NAMES = ("weather", "time")
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"place": {"type": "string"}}}


class Outcome(NamedTuple):
    """An answer as any client has it; calls are (id, name, arguments), tokens those of prompt and output."""

    text: str
    calls: list[tuple[str, str, dict[str, Any]]]
    reason: str
    tokens: tuple[int, int]
    message: Any
    headers: dict[str, str]
    model: str


class Ask(NamedTuple):
    """What is asked, and the rounds before it, each an answer whose calls all get results."""

    text: str = "How is the weather?"
    image: bool = False
    tools: bool = False
    stream: bool = False
    rounds: tuple[Outcome, ...] = ()


class Door:
    """A client of the gateway."""

    def __init__(self, served: Served, name: str, options: dict[str, Any] | None = None) -> None:
        self.served, self.name = served, name
        self._options = options or {}

    def ask(self, model: str, ask: Ask = Ask()) -> Outcome:  # noqa: B008 - a tuple of constants
        """Ask, by whichever client."""
        asked: Outcome = getattr(self, f"_{self.name}")(model, ask)
        return asked

    def _openai(self, model: str, ask: Ask) -> Outcome:
        content: Any = ask.text
        if ask.image:
            url = {"url": f"data:image/png;base64,{PIXEL}"}
            content = [{"type": "text", "text": ask.text}, {"type": "image_url", "image_url": url}]
        messages: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]
        for before in ask.rounds:
            messages.append(before.message)
            messages += [{"role": "tool", "tool_call_id": one, "content": "fine"} for one, _, _ in before.calls]
        functions = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in NAMES]
        given: dict[str, Any] = {"model": model, "messages": messages, "max_completion_tokens": 500}
        given |= {"tools": functions} if ask.tools else {}
        with self.served.openai(**self._options) as client:
            if not ask.stream:
                raw = client.chat.completions.with_raw_response.create(**given)
                answer = raw.parse()
                (choice,) = answer.choices
                calls: list[Any] = list(choice.message.tool_calls or [])
                return Outcome(
                    choice.message.content or "",
                    [(one.id, one.function.name, json.loads(one.function.arguments)) for one in calls],
                    choice.finish_reason,
                    (answer.usage.prompt_tokens, answer.usage.completion_tokens),
                    choice.message.model_dump(exclude_none=True),
                    dict(raw.headers),
                    answer.model,
                )
            text, reason, tokens, found, served_by = "", "", (0, 0), dict[int, list[str]](), ""
            roles = []
            with client.chat.completions.create(**given, stream=True, stream_options={"include_usage": True}) as got:
                for chunk in got:
                    served_by = chunk.model
                    if chunk.usage is not None:
                        assert chunk.choices == []
                        tokens = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                        continue
                    delta = chunk.choices[0].delta
                    roles.append(delta.role)
                    text += delta.content or ""
                    reason = chunk.choices[0].finish_reason or reason
                    for part in delta.tool_calls or []:
                        one = found.setdefault(part.index, ["", "", ""])
                        one[0] += part.id or ""
                        one[1] += part.function.name or "" if part.function else ""
                        one[2] += part.function.arguments or "" if part.function else ""
            assert roles[0] == "assistant"
            assert set(roles[1:]) == {None}
            assert sorted(found) == list(range(len(found)))
            parsed = [(one[0], one[1], json.loads(one[2])) for one in found.values()]
            return Outcome(text, parsed, reason, tokens, None, dict(got.response.headers), served_by)

    def _anthropic(self, model: str, ask: Ask) -> Outcome:
        content: Any = ask.text
        if ask.image:
            source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
            content = [{"type": "image", "source": source}, {"type": "text", "text": ask.text}]
        messages: list[Any] = [{"role": "user", "content": content}]
        for before in ask.rounds:
            results = [{"type": "tool_result", "tool_use_id": one, "content": "fine"} for one, _, _ in before.calls]
            messages += [{"role": "assistant", "content": before.message}, {"role": "user", "content": results}]
        given: dict[str, Any] = {"model": model, "max_tokens": 500, "system": "Be brief.", "messages": messages}
        given |= {"tools": [{"name": name, "input_schema": SCHEMA} for name in NAMES]} if ask.tools else {}
        with self.served.anthropic(**self._options) as client:
            if ask.stream:
                with client.messages.stream(**given) as got:
                    check_anthropic_order([event.type for event in got])
                    message, headers = got.get_final_message(), dict(got.response.headers)
            else:
                raw = client.messages.with_raw_response.create(**given)
                message, headers = raw.parse(), dict(raw.headers)
            used = message.usage
            return Outcome(
                "".join(block.text for block in message.content if block.type == "text"),
                [(one.id, one.name, dict(one.input)) for one in message.content if one.type == "tool_use"],
                str(message.stop_reason),
                (used.input_tokens, used.output_tokens),
                [block.model_dump(exclude_none=True) for block in message.content],
                headers,
                message.model,
            )

    def _bedrock(self, model: str, ask: Ask) -> Outcome:
        content: list[Any] = [{"text": ask.text}]
        if ask.image:
            content.append({"image": {"format": "png", "source": {"bytes": base64.b64decode(PIXEL)}}})
        messages: list[Any] = [{"role": "user", "content": content}]
        for before in ask.rounds:
            results = [{"toolResult": {"toolUseId": one, "content": [{"text": "fine"}]}} for one, _, _ in before.calls]
            messages += [before.message, {"role": "user", "content": results}]
        specs = [{"toolSpec": {"name": name, "inputSchema": {"json": SCHEMA}}} for name in NAMES]
        given: dict[str, Any] = {"modelId": model, "messages": messages, "system": [{"text": "Be brief."}]}
        given |= {"inferenceConfig": {"maxTokens": 500}} | ({"toolConfig": {"tools": specs}} if ask.tools else {})
        with self.served.bedrock(**self._options) as client:
            if not ask.stream:
                answer = client.converse(**given)
                message, reason, used = answer["output"]["message"], answer["stopReason"], answer["usage"]
            else:
                answer = client.converse_stream(**given)
                message, reason, used = folded(list(answer["stream"]))
        uses = [block["toolUse"] for block in message["content"] if "toolUse" in block]
        return Outcome(
            "".join(block.get("text", "") for block in message["content"]),
            [(use["toolUseId"], use["name"], use["input"]) for use in uses],
            reason,
            (used["inputTokens"], used["outputTokens"]),
            message,
            answer["ResponseMetadata"]["HTTPHeaders"],
            "",
        )


def check_anthropic_order(names: list[str]) -> None:
    """The order of a stream of the Messages API; the SDK's own events (``text``, ``input_json``) are left out."""
    wire = [name for name in names if name.startswith(("message_", "content_block_"))]
    assert wire[0] == "message_start"
    assert wire[-2:] == ["message_delta", "message_stop"]
    inside = False
    for name in wire[1:-2]:
        assert (name == "content_block_start") != inside
        inside = name != "content_block_stop"
    assert not inside


def folded(events: list[dict[str, Any]]) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Message, stop reason and usage of a stream of Converse, whose order is checked."""
    names = [next(iter(event)) for event in events]
    assert names[0] == "messageStart"
    assert names[-2:] == ["messageStop", "metadata"]
    blocks: dict[int, dict[str, Any]] = {}
    stopped = set[int]()
    for name, event in zip(names, events, strict=True):
        value = event[name]
        index = value.get("contentBlockIndex", 0)
        if name == "contentBlockStart":
            assert index == len(blocks)
            blocks[index] = {"toolUse": {**value["start"]["toolUse"], "input": ""}}
        elif name == "contentBlockDelta":
            assert index not in stopped
            delta = value["delta"]
            if "text" in delta:
                block = blocks.setdefault(index, {"text": ""})
                block["text"] += delta["text"]
            elif "toolUse" in delta:
                blocks[index]["toolUse"]["input"] += delta["toolUse"]["input"]
        elif name == "contentBlockStop":
            stopped.add(index)
    assert stopped == set(blocks)
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"] or "{}")
    content = [blocks[index] for index in sorted(blocks)]
    return (
        {"role": "assistant", "content": content},
        events[-2]["messageStop"]["stopReason"],
        events[-1]["metadata"]["usage"],
    )


STOPS = {"openai": "stop", "anthropic": "end_turn", "bedrock": "end_turn"}
CALLED = {"openai": "tool_calls", "anthropic": "tool_use", "bedrock": "tool_use"}


@contextmanager
def speaking(doubles: Upstreams) -> Iterator[None]:
    """While this lasts the simulated Bedrock calls every tool that is offered, as the other doubles do."""
    before = doubles.bedrock.responder

    def respond(model_id: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        tools = [tool["toolSpec"]["name"] for tool in (request.get("toolConfig") or {}).get("tools", ())]
        newest = request["messages"][-1]["content"]
        if tools and not any("toolResult" in block for block in newest):
            inputs = ({"place": f"Berlin {index}"} for index in range(len(tools)))
            return [
                {"toolUse": {"toolUseId": f"tooluse_{index}", "name": name, "input": given}}
                for index, (name, given) in enumerate(zip(tools, inputs, strict=True))
            ]
        seen = "I see an image. " if any("image" in block for block in newest) else ""
        return [{"text": f"{seen}The simulated model heard you and answers in a few words."}]

    doubles.bedrock.responder = respond
    try:
        yield
    finally:
        doubles.bedrock.responder = before
