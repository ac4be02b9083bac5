"""The gateway's own description, ``/openapi.json``: its paths, what it needs of a body, and its answers.

Bodies are those of the providers' APIs; described is what Turnout itself reads of them, and everything else is passed
on. Answers come from providers and are described as objects; errors are the door's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from turnout.doors.gateway.routes import Route
from turnout.messages.wire.asked import WireProtocol

_TEXT = {"type": "string"}
_OBJECT: dict[str, Any] = {"type": "object"}
_ROLES = {"enum": ["user", "assistant"]}


def _object(needed: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "required": list(needed), "properties": {**needed, **(optional or {})}}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_LIMIT = {"type": ["integer", "null"], "minimum": 1, "maximum": 2**31}
_SHARE = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_BOOLEAN = {"type": ["boolean", "null"]}
_MODEL = {"$ref": "#/components/schemas/Model"}
_METADATA = {"type": "object", "additionalProperties": _TEXT}

BODIES: dict[str, dict[str, Any]] = {
    "ChatCompletion": _object(
        {
            "model": _MODEL,
            "messages": _list(
                _object({"role": {"enum": ["system", "developer", "user", "assistant"]}, "content": _TEXT})
            ),
        },
        {
            "stream": _BOOLEAN,
            "max_tokens": _LIMIT,
            "max_completion_tokens": _LIMIT,
            "temperature": _SHARE,
            "top_p": _SHARE,
            "metadata": _METADATA,
            "tools": _list(_object({"type": {"enum": ["function"]}, "function": _object({"name": _TEXT})})),
        },
    ),
    "Message": _object(
        {
            "model": _MODEL,
            "max_tokens": {"type": "integer", "minimum": 1, "maximum": 2**31},
            "messages": _list(_object({"role": _ROLES, "content": _TEXT})),
        },
        {
            "stream": _BOOLEAN,
            "system": _TEXT,
            "temperature": _SHARE,
            "top_p": _SHARE,
            "metadata": _object({}, {"user_id": {"type": ["string", "null"]}}),
        },
    ),
    "Conversation": _object(
        {"messages": _list(_object({"role": _ROLES, "content": _list(_object({"text": _TEXT}))}))},
        {
            "system": _list(_object({"text": _TEXT})),
            "inferenceConfig": _object({}, {"maxTokens": _LIMIT, "temperature": _SHARE, "topP": _SHARE}),
            "requestMetadata": _METADATA,
        },
    ),
    "Response": _object(
        {
            "model": _MODEL,
            "input": {"anyOf": [_TEXT, _list(_object({"role": {"enum": ["user", "system"]}, "content": _TEXT}))]},
        },
        {
            "stream": _BOOLEAN,
            "instructions": {"type": ["string", "null"]},
            "max_output_tokens": _LIMIT,
            "temperature": _SHARE,
            "top_p": _SHARE,
            "metadata": _METADATA,
            "store": _BOOLEAN,
            "previous_response_id": {"type": ["string", "null"]},
        },
    ),
    "ClaudeMessage": _object(
        {
            "anthropic_version": {"const": "bedrock-2023-05-31"},
            "max_tokens": {"type": "integer", "minimum": 1, "maximum": 2**31},
            "messages": _list(_object({"role": _ROLES, "content": _TEXT})),
        },
        {"system": _TEXT, "temperature": _SHARE, "top_p": _SHARE},
    ),
    "Counted": _object(
        {
            "input": {
                "oneOf": [
                    _object({"converse": {"$ref": "#/components/schemas/Conversation"}}),
                    _object({"invokeModel": _object({"body": {"type": "string", "contentEncoding": "base64"}})}),
                ]
            }
        }
    ),
}
"""What Turnout reads of bodies, by name."""

ERRORS: dict[str, dict[str, Any]] = {
    "OpenAIError": _object({"error": _object({"message": _TEXT, "type": _TEXT})}),
    "AnthropicError": _object({"type": {"const": "error"}, "error": _object({"type": _TEXT, "message": _TEXT})}),
    "BedrockError": _object({"message": _TEXT}),
}
"""The shape of errors, by name."""

_ERROR_NAMES = {
    WireProtocol.OPENAI_CHAT: "OpenAIError",
    WireProtocol.OPENAI_RESPONSES: "OpenAIError",
    WireProtocol.ANTHROPIC: "AnthropicError",
    WireProtocol.CONVERSE: "BedrockError",
    WireProtocol.INVOKE: "BedrockError",
}
_BODY_NAMES = {
    WireProtocol.OPENAI_CHAT: "ChatCompletion",
    WireProtocol.OPENAI_RESPONSES: "Response",
    WireProtocol.ANTHROPIC: "Message",
    WireProtocol.CONVERSE: "Conversation",
    WireProtocol.INVOKE: "ClaudeMessage",
}
_HEADERS = ("x-turnout-pin", "x-turnout-session", "x-turnout-tags", "x-turnout-query-id")
_REFUSED = ("400", "403", "404", "405", "408", "413", "429", "4XX", "5XX")


def described(names: Sequence[str] = ("turnout",)) -> dict[str, Any]:
    """The description, as OpenAPI 3.1.

    Args:
        names: The names of models that are shown; candidates have other names too.
    """
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Turnout",
            "version": "1",
            "description": "OpenAI's, Anthropic's and Bedrock's APIs before routed models.",
        },
        "paths": _PATHS,
        "components": {
            "schemas": {
                "Model": {"anyOf": [{"enum": list(names)}, {"type": "string", "minLength": 1, "maxLength": 256}]},
                **BODIES,
                **ERRORS,
            }
        },
    }


def encoded(names: Sequence[str]) -> bytes:
    """The same as JSON."""
    return msgspec.json.encode(described(names))


def _named(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _refusals(protocol: WireProtocol) -> dict[str, Any]:
    answer = {"description": "refused, or failed at the provider", "content": _json(_named(_ERROR_NAMES[protocol]))}
    return dict.fromkeys(_REFUSED, answer)


def _answer(protocol: WireProtocol, *, streams: str = "", shape: dict[str, Any] = _OBJECT) -> dict[str, Any]:
    content = {} if streams == "only" else _json(shape)
    if protocol in (WireProtocol.CONVERSE, WireProtocol.INVOKE) and streams:
        content["application/vnd.amazon.eventstream"] = {"schema": _TEXT}
    elif streams:
        content["text/event-stream"] = {"schema": _TEXT}
    return {"200": {"description": "the answer", "content": content}, **_refusals(protocol)}


def _asks(
    route: Route, *, streams: str = "", shape: dict[str, Any] = _OBJECT, extra: Any = (), body: str = ""
) -> dict[str, Any]:
    headers = [{"name": name, "in": "header", "schema": {"type": "string", "maxLength": 512}} for name in _HEADERS]
    return {
        "post": {
            "parameters": [*headers, *extra],
            "requestBody": {"required": True, "content": _json(_named(body or _BODY_NAMES[route.protocol]))},
            "responses": _answer(route.protocol, streams=streams, shape=shape),
        }
    }


def _gets(shape: dict[str, Any], *, extra: Any = (), also: tuple[str, ...] = ()) -> dict[str, Any]:
    answer = {"description": "the answer", "content": _json(shape)}
    answers = {"200": answer, **dict.fromkeys(also, answer)}
    return {"get": {"parameters": [*extra], "responses": {**_refusals(WireProtocol.OPENAI_CHAT), **answers}}}


def _stored(*methods: str) -> dict[str, Any]:
    answers = {"200": {"description": "what the provider says", "content": _json(_OBJECT)}}
    operation = {"responses": {**_refusals(WireProtocol.OPENAI_RESPONSES), **answers}}
    return {"parameters": [_RESPONSE_ID], **dict.fromkeys(methods, operation)}


def _parameter(name: str, where: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": where, "required": where == "path", "schema": schema}


_OPENAI = Route("answer", WireProtocol.OPENAI_CHAT)
_ANTHROPIC = Route("answer", WireProtocol.ANTHROPIC)
_CONVERSE = Route("answer", WireProtocol.CONVERSE)
_RESPONSES = Route("answer", WireProtocol.OPENAI_RESPONSES)
_INVOKE = Route("answer", WireProtocol.INVOKE)
_RESPONSE_ID = _parameter("id", "path", {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,256}$"})
_MODEL_ID = [_parameter("modelId", "path", _MODEL)]
_VERSION = [_parameter("anthropic-version", "header", {"const": "2023-06-01"})]
_READY = _object({"status": {"enum": ["ready", "stopping"]}, "busy": {"type": "integer", "minimum": 0}})
_LISTED = _object({"data": _list(_object({"id": _TEXT}))})
_DECIDED = _object(
    {
        "object": {"const": "turnout.decision"},
        "model": {"type": ["string", "null"]},
        "reason": _TEXT,
        "candidates": _list(_object({"model": _TEXT, "eligible": {"type": "boolean"}})),
    }
)
_PATHS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": _asks(_OPENAI, streams="too"),
    "/v1/messages": _asks(_ANTHROPIC, streams="too", extra=_VERSION),
    "/v1/messages/count_tokens": _asks(_ANTHROPIC, extra=_VERSION),
    "/v1/responses": _asks(_RESPONSES, streams="too"),
    "/v1/responses/input_tokens": _asks(_RESPONSES),
    "/v1/responses/{id}": _stored("get", "delete"),
    "/v1/responses/{id}/cancel": _stored("post"),
    "/v1/responses/{id}/input_items": _stored("get"),
    "/v1/route": _asks(
        _OPENAI,
        shape=_DECIDED,
        extra=[
            _parameter("protocol", "query", {"enum": ["openai_chat"]}),
            _parameter("stream", "query", {"enum": ["true", "false"]}),
        ],
    ),
    "/v1/models": _gets(_LISTED),
    "/v1/models/{model}": _gets(
        _object({"id": _TEXT}),
        extra=[_parameter("model", "path", _MODEL)],
    ),
    "/healthz": _gets(_object({"status": {"const": "ok"}})),
    "/readyz": _gets(_READY, also=("503",)),
    "/openapi.json": _gets(_OBJECT),
    "/metrics": {
        "get": {
            "responses": {
                **_refusals(WireProtocol.OPENAI_CHAT),
                "200": {
                    "description": "the metrics, as Prometheus or OpenMetrics has them",
                    "content": {kind: {"schema": _TEXT} for kind in ("text/plain", "application/openmetrics-text")},
                },
            }
        }
    },
    "/model/{modelId}/converse": _asks(_CONVERSE, extra=_MODEL_ID),
    "/model/{modelId}/converse-stream": _asks(_CONVERSE, streams="only", extra=_MODEL_ID),
    "/model/{modelId}/invoke": _asks(_INVOKE, extra=_MODEL_ID),
    "/model/{modelId}/invoke-with-response-stream": _asks(_INVOKE, streams="only", extra=_MODEL_ID),
    "/model/{modelId}/count-tokens": _asks(_CONVERSE, extra=_MODEL_ID, body="Counted"),
}
