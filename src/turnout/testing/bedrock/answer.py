"""From what a responder says to what a model answers: thinking first, limits, the reason why it stopped, its events."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from turnout.testing.bedrock.models import SimulatedModel
from turnout.testing.bedrock.thinking import thinking_block, thinks
from turnout.testing.bedrock.tokens import block_tokens, longest_within

Event = tuple[str, dict[str, Any]]
StopReason = Literal["end_turn", "tool_use", "max_tokens", "stop_sequence"]

_WORDS_PER_DELTA = 4


@dataclass(frozen=True)
class Answer:
    """One message of a model, with the tokens that it took to write, thinking included."""

    content: Sequence[Mapping[str, Any]]
    stop_reason: StopReason
    output_tokens: int

    @property
    def message(self) -> dict[str, Any]:
        """The message as Converse returns it."""
        return {"role": "assistant", "content": list(self.content)}


def finish(model: SimulatedModel, request: Mapping[str, Any], said: Sequence[Mapping[str, Any]]) -> Answer:
    """The answer that is left of ``said`` under the request's and the model's limits.

    A text that does not fit into ``maxTokens`` is cut, a tool use that does not fit is left out, and what follows is
    lost. Thinking comes first and counts; where it takes all there is, the answer stops after it.
    """
    inference = request.get("inferenceConfig") or {}
    limit = inference.get("maxTokens", model.max_output_tokens)
    content: list[Mapping[str, Any]] = []
    used = 0
    if thinks(model, request):
        used = min(model.thinking_tokens, limit)
        content.append(thinking_block(model, request, used))
        if used == limit:
            return Answer(content, "max_tokens", used)
    stop_sequences = inference.get("stopSequences") or ()
    for block in said:
        stopped = _stopped(block, stop_sequences)
        tokens = block_tokens(stopped or block, model.token_ratio)
        if used + tokens > limit:
            if cut := longest_within((stopped or block).get("text", ""), limit - used, model.token_ratio):
                content.append({"text": cut})
                used += block_tokens({"text": cut}, model.token_ratio)
            return Answer(content, "max_tokens", used)
        used += tokens
        if stopped is not None:
            return Answer([*content, stopped] if stopped["text"] else content, "stop_sequence", used)
        content.append(block)
    return Answer(content, "tool_use" if any("toolUse" in block for block in said) else "end_turn", used)


def events(answer: Answer, metadata: Mapping[str, Any]) -> Iterator[Event]:
    """The answer as ConverseStream sends it: name and payload of each event."""
    yield "messageStart", {"role": "assistant"}
    for index, block in enumerate(answer.content):
        if tool_use := block.get("toolUse"):
            start = {"toolUse": {"toolUseId": tool_use["toolUseId"], "name": tool_use["name"]}}
            yield "contentBlockStart", {"contentBlockIndex": index, "start": start}
        for delta in _deltas(block):
            yield "contentBlockDelta", {"contentBlockIndex": index, "delta": delta}
        yield "contentBlockStop", {"contentBlockIndex": index}
    yield "messageStop", {"stopReason": answer.stop_reason}
    yield "metadata", dict(metadata)


def _deltas(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if "text" in block:
        for part in _parts(block["text"]):
            yield {"text": part}
    elif "toolUse" in block:
        encoded = json.dumps(block["toolUse"]["input"])
        for part in (encoded[: len(encoded) // 2], encoded[len(encoded) // 2 :]):
            yield {"toolUse": {"input": part}}
    elif "reasoningContent" in block:
        thought = block["reasoningContent"]["reasoningText"]
        if thought["text"]:
            yield {"reasoningContent": {"text": thought["text"]}}
        yield {"reasoningContent": {"signature": thought["signature"]}}


def _parts(text: str) -> Iterator[str]:
    words = re.findall(r"\s*\S+|\s+$", text)
    for first in range(0, len(words), _WORDS_PER_DELTA):
        yield "".join(words[first : first + _WORDS_PER_DELTA])


def _stopped(block: Mapping[str, Any], stop_sequences: Sequence[str]) -> dict[str, Any] | None:
    """The text up to the first stop sequence, or none if it has none."""
    text = block.get("text", "")
    ends = [text.find(stop) for stop in stop_sequences if stop and stop in text]
    return {"text": text[: min(ends)]} if ends else None
