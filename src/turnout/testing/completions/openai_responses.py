"""What the simulated OpenAI answers to the Responses API: responses, their events, and what it keeps of them.

Source of the shapes: the types of openai 3.54, read 2026-11. Where a request sets ``reasoning`` the model thinks, in an
item that is encrypted where ``include`` asks for that; only the model that wrote it takes it back. Known limitations:
no background, no conversations, and nothing of the tools that OpenAI runs itself.
"""

from __future__ import annotations

import base64
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from turnout.testing.completions.saying import Said, Tokens

_CREATED = 1_793_491_200
_MOST_KEPT = 1_000


class KeptResponses:
    """The responses that are kept, by id. Safe for several threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def new_number(self) -> int:
        """A number that no response had."""
        with self._lock:
            self._count += 1
            return self._count

    def keep(self, response: dict[str, Any]) -> None:
        """Keep a response."""
        with self._lock:
            self._kept[response["id"]] = response
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)

    def get(self, response_id: str) -> dict[str, Any] | None:
        """The response of that id, or none."""
        return self._kept.get(response_id)

    def delete(self, response_id: str) -> bool:
        """Delete a response; whether there was one."""
        with self._lock:
            return self._kept.pop(response_id, None) is not None


def refused(kept: KeptResponses, request: Mapping[str, Any]) -> tuple[int, str] | None:
    """Status and message where OpenAI would refuse a request for what it does not have, or cannot decrypt."""
    previous = request.get("previous_response_id")
    if previous is not None and kept.get(previous) is None:
        return 400, f"Previous response with id '{previous}' not found."
    given = request.get("input")
    for item in given if isinstance(given, list) else ():
        encrypted = item.get("encrypted_content")
        if encrypted is not None and encrypted != _encrypted(str(request.get("model"))):
            return 400, f"The encrypted content for item {item.get('id')} could not be verified."
    return None


def response_of(number: int, request: Mapping[str, Any], said: Said, tokens: Tokens) -> dict[str, Any]:
    """A whole response."""
    limit = request.get("max_output_tokens")
    cut = limit is not None and tokens.output > limit
    return {
        **_about(number, request),
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": _output(number, request, said),
        "usage": usage(tokens),
    }


def events(number: int, request: Mapping[str, Any], said: Said, tokens: Tokens) -> list[bytes]:
    """From ``response.created`` to ``response.completed``."""
    whole = response_of(number, request, said, tokens)
    begun = {
        **_about(number, request),
        "status": "in_progress",
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }
    found: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(whole["output"]):
        empty = {**item, "status": "in_progress"}
        place = {"output_index": index, "item_id": item["id"]}
        if item["type"] == "message":
            middle = _text_events(place, item["content"][0], said.pieces())
            empty["content"] = []
        elif item["type"] == "function_call":
            middle = _call_events(place, item)
            empty["arguments"] = ""
        else:
            middle, empty = [], {**item}
        found.append({"type": "response.output_item.added", "output_index": index, "item": empty})
        found += middle
        found.append({"type": "response.output_item.done", "output_index": index, "item": item})
    found.append({"type": f"response.{whole['status']}", "response": whole})
    return [event({**one, "sequence_number": sequence}) for sequence, one in enumerate(found)]


def error_event(number: int, request: Mapping[str, Any], error: Mapping[str, Any], status: int) -> bytes:
    """An error within a stream: a response that failed for a 500, else an event of its own."""
    if status == 500:
        failed = {"code": "server_error", "message": error["message"]}
        about = {**_about(number, request), "status": "failed", "incomplete_details": None, "output": [], "usage": None}
        return event({"type": "response.failed", "response": {**about, "error": failed}, "sequence_number": 99})
    code = "rate_limit_exceeded" if status == 429 else error["type"]
    return event({"type": "error", "error": {**error, "code": code}, "sequence_number": 99})


def event(value: Mapping[str, Any]) -> bytes:
    """An event's bytes."""
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), json.dumps(value).encode())


def usage(tokens: Tokens) -> dict[str, Any]:
    """A usage report; cached tokens are part of the input."""
    prompt = tokens.fresh + tokens.read
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": tokens.read, "cache_write_tokens": 0},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + tokens.output,
    }


def _about(number: int, request: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"resp_simulated{number}",
        "object": "response",
        "created_at": _CREATED,
        "error": None,
        "instructions": request.get("instructions"),
        "metadata": request.get("metadata") or {},
        "model": request.get("model"),
        "parallel_tool_calls": request.get("parallel_tool_calls", True),
        "previous_response_id": request.get("previous_response_id"),
        "store": request.get("store", True),
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": request.get("tool_choice", "auto"),
        "tools": request.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
    }


def _output(number: int, request: Mapping[str, Any], said: Said) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if request.get("reasoning"):
        thought: dict[str, Any] = {"id": f"rs_simulated{number}", "type": "reasoning", "summary": []}
        if "reasoning.encrypted_content" in (request.get("include") or ()):
            thought["encrypted_content"] = _encrypted(str(request.get("model")))
        found.append(thought)
    if said.text:
        text = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        about = {"id": f"msg_simulated{number}", "type": "message", "role": "assistant", "status": "completed"}
        found.append({**about, "content": [text]})
    for index, tool in enumerate(said.tools):
        called = {"call_id": f"call_{number}_{index}", "name": tool.name, "arguments": json.dumps(dict(tool.arguments))}
        found.append({"id": f"fc_simulated{number}_{index}", "type": "function_call", "status": "completed", **called})
    return found


def _encrypted(model: str) -> str:
    return base64.b64encode(f"simulated thinking of {model}".encode()).decode()


def _text_events(place: dict[str, Any], part: dict[str, Any], pieces: Sequence[str]) -> list[dict[str, Any]]:
    at = {**place, "content_index": 0}
    return [
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []} for piece in pieces),
        {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
    ]


def _call_events(place: dict[str, Any], item: dict[str, Any]) -> list[dict[str, Any]]:
    arguments = item["arguments"]
    half = len(arguments) // 2
    deltas = [
        {"type": "response.function_call_arguments.delta", **place, "delta": part}
        for part in (arguments[:half], arguments[half:])
    ]
    done = {"type": "response.function_call_arguments.done", **place, "arguments": arguments, "name": item["name"]}
    return [*deltas, done]
