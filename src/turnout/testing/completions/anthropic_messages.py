"""A simulated Anthropic: ``POST /v1/messages`` and ``/v1/messages/count_tokens``.

Source of the shapes: the types of anthropic 2.12, read 2026-11.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from turnout.testing import claude_rules
from turnout.testing.completions.base import Call, CompletionDouble, CompletionHandler
from turnout.testing.completions.saying import Said, Tokens

_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class AnthropicHandler(CompletionHandler):
    """Answers the Messages API."""

    server_version = "turnout-simulated-anthropic"

    def refused(self, call: Call) -> tuple[int, str] | None:
        """A wrong path, no key, no version, or a parameter that the model does not take."""
        if call.path.partition("?")[0] not in ("/v1/messages", "/v1/messages/count_tokens"):
            return 404, "There is nothing at this path; there is /v1/messages."
        if not call.headers.get("x-api-key") and not call.headers.get("authorization"):
            return 401, "x-api-key header is required"
        if not call.headers.get("anthropic-version"):
            return 400, "anthropic-version: header is required"
        betas = [name.strip() for name in call.headers.get("anthropic-beta", "").split(",")]
        why = claude_rules.refusal(call.model, call.request, betas)
        return None if why is None else (400, why)

    def other(self, call: Call) -> dict[str, Any] | None:
        """The number of tokens."""
        if not call.path.partition("?")[0].endswith("/count_tokens"):
            return None
        return {"input_tokens": 1 + len(json.dumps(call.request)) // 4}

    def error(self, status: int, message: str) -> dict[str, Any]:
        """``{"type": "error", ...}``."""
        kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_simulated"}

    def headers_of(self, status: int) -> dict[str, str]:
        """The request's id, and one of the rate limits."""
        return {"request-id": "req_simulated", "anthropic-ratelimit-requests-remaining": "99"}

    def answer(self, call: Call, said: Said, tokens: Tokens) -> dict[str, Any]:
        """A message."""
        return {
            **self._message(call),
            "content": _blocks(said),
            "stop_reason": _reason(said),
            "usage": {**_input(tokens), "output_tokens": tokens.output},
        }

    def events(self, call: Call, said: Said, tokens: Tokens) -> Sequence[bytes]:
        """From ``message_start`` to ``message_stop``."""
        start = {**self._message(call), "content": [], "usage": {**_input(tokens), "output_tokens": 1}}
        events: list[dict[str, Any]] = [{"type": "message_start", "message": start}, {"type": "ping"}]
        for index, block in enumerate(_blocks(said)):
            if block["type"] == "text":
                empty: dict[str, Any] = {"type": "text", "text": ""}
                deltas = [{"type": "text_delta", "text": piece} for piece in said.pieces()]
            else:
                empty = {**block, "input": {}}
                whole = json.dumps(block["input"])
                half = len(whole) // 2
                deltas = [{"type": "input_json_delta", "partial_json": part} for part in (whole[:half], whole[half:])]
            events.append({"type": "content_block_start", "index": index, "content_block": empty})
            events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
            events.append({"type": "content_block_stop", "index": index})
        stop = {"stop_reason": _reason(said), "stop_sequence": None}
        events.append({"type": "message_delta", "delta": stop, "usage": {"output_tokens": tokens.output}})
        events.append({"type": "message_stop"})
        return [_event(event) for event in events]

    def error_event(self, call: Call, status: int, message: str) -> bytes:
        """An event ``error``."""
        return _event(self.error(status, message))

    def _message(self, call: Call) -> dict[str, Any]:
        about = {"id": "msg_simulated", "type": "message", "role": "assistant", "model": call.model}
        return {**about, "stop_reason": None, "stop_sequence": None}


class AnthropicDouble(CompletionDouble):
    """A simulated Anthropic on loopback: point an Anthropic client's ``base_url`` at ``double.url``."""

    service = "Anthropic"
    handler = AnthropicHandler


def _input(tokens: Tokens) -> dict[str, Any]:
    return {
        "input_tokens": tokens.fresh,
        "cache_read_input_tokens": tokens.read,
        "cache_creation_input_tokens": tokens.write_5m + tokens.write_1h,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.write_5m,
            "ephemeral_1h_input_tokens": tokens.write_1h,
        },
    }


def _blocks(said: Said) -> list[dict[str, Any]]:
    text = [{"type": "text", "text": said.text}] if said.text else []
    tools = [
        {"type": "tool_use", "id": f"toolu_{index}", "name": tool.name, "input": dict(tool.arguments)}
        for index, tool in enumerate(said.tools)
    ]
    return [*text, *tools]


def _reason(said: Said) -> str:
    return "tool_use" if said.tools else "end_turn"


def _event(event: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode())
