"""A simulated OpenAI: ``POST /v1/chat/completions``, and ``/v1/responses`` with what belongs to it.

The same under Azure's paths: ``/openai/v1/...``, and ``/openai/deployments/{name}/chat/completions`` with the query
``api-version``; there a key may come as ``api-key``. Source of the shapes: the types of openai 3.54, read 2026-11.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from turnout.testing.completions import openai_responses
from turnout.testing.completions.base import Call, CompletionDouble, CompletionHandler
from turnout.testing.completions.openai_responses import KeptResponses
from turnout.testing.completions.saying import Said, Tokens

_TYPES = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
_CHAT = re.compile(r"(?:/openai)?/v1/chat/completions|/openai/deployments/[^/]+/chat/completions")
_RESPONSES = re.compile(r"(?:/openai)?(?:/v1)?/responses(?P<rest>/input_tokens)?")
_KEPT = re.compile(r"(?:/openai)?/v1/responses/(?P<id>\w+)(?P<rest>/cancel|/input_items)?")
_ABOUT = {"id": "chatcmpl-simulated", "created": 1_793_491_200, "system_fingerprint": "fp_simulated"}


class OpenAIHandler(CompletionHandler):
    """Answers Chat Completions and Responses."""

    server_version = "turnout-simulated-openai"

    def refused(self, call: Call) -> tuple[int, str] | None:
        """A wrong path, or no key."""
        path, _, query = call.path.partition("?")
        known = _CHAT.fullmatch(path) or _RESPONSES.fullmatch(path) or _KEPT.fullmatch(path)
        if not known or ("/deployments/" in path and "api-version=" not in query):
            return 404, "There is nothing at this path; there are /v1/chat/completions and /v1/responses."
        azure = path.startswith("/openai/") and call.headers.get("api-key")
        if self._double.needs_key and not azure and not call.headers.get("authorization", "").startswith("Bearer "):
            return 401, "You did not provide an API key."
        return openai_responses.refused(self._kept, call.request) if _is_response(call) else None

    def other(self, call: Call) -> dict[str, Any] | None:
        """The number of tokens."""
        if not call.path.partition("?")[0].endswith("/input_tokens"):
            return None
        return {"object": "response.input_tokens", "input_tokens": 1 + len(json.dumps(call.request)) // 4}

    def do_GET(self) -> None:
        """A response that is kept, or what was its input."""
        self._serve_kept()

    def do_DELETE(self) -> None:
        """Delete a response that is kept."""
        self._serve_kept()

    def do_POST(self) -> None:
        """Answer one request."""
        if (found := _KEPT.fullmatch(self.path.partition("?")[0])) and found["rest"]:
            self._serve_kept()
        else:
            super().do_POST()

    def _serve_kept(self) -> None:
        self.drain(self.headers.get("content-length", ""))
        self.close_connection = False
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Call(method=self.command, path=self.path, headers=headers, body=b"", request={})
        self.server.double.calls.append(call)
        found = _KEPT.fullmatch(self.path.partition("?")[0])
        response = self._kept.get(found["id"]) if found else None
        if (why := self.refused(call)) is not None:
            self.write_json(why[0], self.error(*why))
        elif found is None or response is None:
            self.write_json(404, self.error(404, f"Response with id '{found and found['id']}' not found."))
        elif self.command == "DELETE":
            self._kept.delete(response["id"])
            self.write_json(200, {"id": response["id"], "object": "response", "deleted": True})
        elif found["rest"] == "/input_items":
            self.write_json(200, {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False})
        else:
            self.write_json(200, response, self.headers_of(200))
        call.ended.set()

    def error(self, status: int, message: str) -> dict[str, Any]:
        """``{"error": {...}}``."""
        kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": None}}

    def headers_of(self, status: int) -> dict[str, str]:
        """The request's id, and one of the rate limits."""
        return {"x-request-id": "req_simulated", "x-ratelimit-remaining-requests": "99"}

    def answer(self, call: Call, said: Said, tokens: Tokens) -> dict[str, Any]:
        """A completion, or a response."""
        if _is_response(call):
            response = openai_responses.response_of(self._kept.new_number(), call.request, said, tokens)
            if self._double.failing > 0:
                self._double.failing -= 1
                error = {"code": "server_error", "message": "The model failed."}
                return {**response, "status": "failed", "output": [], "error": error, "usage": None}
            if call.request.get("store", True):
                self._kept.keep(response)
            return response
        message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None}
        if said.tools:
            message["tool_calls"] = _tools(said)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _reason(said)}
        return {**self._about(call, "chat.completion"), "choices": [choice], "usage": usage(tokens)}

    def events(self, call: Call, said: Said, tokens: Tokens) -> Sequence[bytes]:
        """Chunks, the usage if it was asked for, and ``[DONE]``; or the events of a response."""
        if _is_response(call):
            number = self._kept.new_number()
            if call.request.get("store", True):
                self._kept.keep(openai_responses.response_of(number, call.request, said, tokens))
            return openai_responses.events(number, call.request, said, tokens)
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

    def error_event(self, call: Call, status: int, message: str) -> bytes:
        """A chunk or an event with an error."""
        if _is_response(call):
            error = self.error(status, message)["error"]
            return openai_responses.error_event(0, call.request, error, status)
        return b"data: %b\n\n" % json.dumps(self.error(status, message)).encode()

    @property
    def _double(self) -> OpenAIDouble:
        double = self.server.double
        assert isinstance(double, OpenAIDouble), "this handler serves that double"
        return double

    @property
    def _kept(self) -> KeptResponses:
        return self._double.kept

    def _about(self, call: Call, kind: str) -> dict[str, Any]:
        return {**_ABOUT, "object": kind, "model": call.model}


class OpenAIDouble(CompletionDouble):
    """A simulated OpenAI on loopback: point an OpenAI client's ``base_url`` at ``double.url + "/v1"``.

    Attributes:
        kept: The responses that it keeps.
        needs_key: Whether calls without a key are refused; not so at servers of one's own.
        failing: How many responses to come fail although the request is answered with 200, where they are not streamed.
    """

    service = "OpenAI"
    handler = OpenAIHandler

    def __init__(self, *args: Any, **options: Any) -> None:
        """A double that has not been started; see `CompletionDouble`."""
        super().__init__(*args, **options)
        self.kept = KeptResponses()
        self.failing = 0
        self.needs_key = True


def _is_response(call: Call) -> bool:
    return _RESPONSES.fullmatch(call.path.partition("?")[0]) is not None


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
