"""A simulated OpenAI: ``POST /v1/chat/completions``.

Source of the shapes: the types of openai 3.54, read 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from turnout.testing.completions.base import Call, CompletionDouble, CompletionHandler
from turnout.testing.completions.saying import Said, Tokens

_TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
_ABOUT = {"id": "chatcmpl-simulated", "created": 1_793_491_200, "system_fingerprint": "fp_simulated"}


class OpenAIHandler(CompletionHandler):
    """Answers Chat Completions."""

    server_version = "turnout-simulated-openai"

    def refused(self, call: Call) -> tuple[int, str] | None:
        """A wrong path, or no key."""
        if call.path.partition("?")[0] != "/v1/chat/completions":
            return 404, "There is nothing at this path; there is /v1/chat/completions."
        if not call.headers.get("authorization", "").startswith("Bearer "):
            return 401, "You did not provide an API key."
        return None

    def error(self, status: int, message: str) -> dict[str, Any]:
        """``{"error": {...}}``."""
        kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def headers_of(self, status: int) -> dict[str, str]:
        """The request's id, and one of the rate limits."""
        return {"x-request-id": "req_simulated", "x-ratelimit-remaining-requests": "99"}

    def answer(self, call: Call, said: Said, tokens: Tokens) -> dict[str, Any]:
        """A completion."""
        message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None}
        if said.tools:
            message["tool_calls"] = _tools(said)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(said)}
        return {**self._about(call, "chat.completion"), "choices": [choice], "usage": usage(tokens)}

    def events(self, call: Call, said: Said, tokens: Tokens) -> Sequence[bytes]:
        """Chunks, the usage if it was asked for, and ``[DONE]``."""
        options = call.request.get("stream_options") or {}
        reports = options.get("include_usage") is True
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": "" if said.text else None}]
        deltas += [{"content": piece} for piece in said.pieces()]
        for index, tool in enumerate(_tools(said)):
            arguments = tool["function"]["arguments"]
            deltas.append({"tool_calls": [{"index": index, **tool, "function": {**tool["function"], "arguments": ""}}]})
            half = len(arguments) // 2
            deltas += [
                {"tool_calls": [{"index": index, "function": {"arguments": part}}]}
                for part in (arguments[:half], arguments[half:])
            ]
        choices: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
        choices.append({"index": 0, "delta": {}, "finish_reason": _reason(said)})
        about = self._about(call, "chat.completion.chunk")
        usage_of = {"usage": None} if reports else {}
        chunks = [{**about, "choices": [choice], **usage_of} for choice in choices]
        if reports:
            chunks.append({**about, "choices": [], "usage": usage(tokens)})
        return [*(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks), b"data: [DONE]\n\n"]

    def error_event(self, status: int, message: str) -> bytes:
        """A chunk with an error."""
        return b"data: %b\n\n" % json.dumps(self.error(status, message)).encode()

    def _about(self, call: Call, kind: str) -> dict[str, Any]:
        return {**_ABOUT, "object": kind, "model": call.model}


class OpenAIDouble(CompletionDouble):
    """A simulated OpenAI on loopback: point an OpenAI client's ``base_url`` at ``double.url + "/v1"``."""

    service = "OpenAI"
    handler = OpenAIHandler


def usage(tokens: Tokens) -> dict[str, Any]:
    """A usage report; cached tokens are part of the prompt's."""
    prompt = tokens.fresh + tokens.read
    return {
        "prompt_tokens": prompt,
        "completion_tokens": tokens.output,
        "total_tokens": prompt + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _tools(said: Said) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{index}",
            "type": "function",
            "function": {"name": tool.name, "arguments": json.dumps(dict(tool.arguments))},
        }
        for index, tool in enumerate(said.tools)
    ]


def _reason(said: Said) -> str:
    return "tool_calls" if said.tools else "stop"
