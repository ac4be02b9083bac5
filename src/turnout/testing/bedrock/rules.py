"""What Bedrock and the model refuse beyond the shape of a request, in their own words where those are known."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from turnout.testing import claude_rules
from turnout.testing.bedrock.errors import invalid, refused_by_model
from turnout.testing.bedrock.models import SimulatedModel
from turnout.testing.bedrock.prompt import Prompt
from turnout.testing.bedrock.thinking import forces_a_tool, thinking_of, thinking_setting

MAX_CACHE_POINTS = 4
_DEFAULTS = {"temperature": 1.0, "topP": 0.99}
_WIRE_NAMES = {"temperature": "temperature", "topP": "top_p", "top_k": "top_k"}
_SMALLEST_BUDGET = 1024


def check_conversation(model: SimulatedModel, request: Mapping[str, Any]) -> None:
    """Check roles, contents and tools of a request.

    Raises:
        BedrockError: ``ValidationException``.
    """
    for unsupported in ("guardrailConfig", "promptVariables"):
        if unsupported in request:
            raise invalid(f"This is a simulated Bedrock without {unsupported}. Remove {unsupported} and try again.")
    messages = request.get("messages") or []
    _check_blocks(request)
    _check_roles(model, messages)
    _check_contents(messages)
    _check_tools(request, messages)
    if forces_a_tool(request) and not model.forced_tool_choice:
        raise refused_by_model('tool_choice: type "tool" and "any" are not supported for this model.')


def check_parameters(model: SimulatedModel, request: Mapping[str, Any]) -> None:
    """Check the parameters that models differ in.

    Raises:
        BedrockError: ``ValidationException``.
    """
    inference = request.get("inferenceConfig") or {}
    max_tokens = inference.get("maxTokens")
    if max_tokens is not None and max_tokens > model.max_output_tokens:
        raise invalid(
            f"The maximum tokens you requested exceeds the model limit of {model.max_output_tokens}. Try again with a "
            f"maximum tokens value that is lower than {model.max_output_tokens}."
        )
    _check_sampling(model, request, inference)
    _check_thinking(model, request, max_tokens)
    fields = dict(request.get("additionalModelRequestFields") or {})
    if (effort := (request.get("outputConfig") or {}).get("effort")) is not None:
        fields["output_config"] = {"effort": effort}
    if why := claude_rules.refusal(model.id, fields, fields.get("anthropic_beta") or ()):
        raise refused_by_model(why)
    text_format = (request.get("outputConfig") or {}).get("textFormat")
    if text_format is None:
        return
    if not model.structured_output:
        raise invalid("This model doesn't support the outputConfig field. Remove outputConfig and try again.")
    try:
        schema = json.loads(text_format["structure"]["jsonSchema"]["schema"])
    except ValueError:
        schema = None
    if not isinstance(schema, dict):
        raise refused_by_model("output_config.format.schema: Input should be a valid dictionary")


def check_prompt(model: SimulatedModel, prompt: Prompt) -> None:
    """Check the length of a prompt, and the number and order of its cache points.

    Raises:
        BedrockError: ``ValidationException``.
    """
    if prompt.tokens > model.context_window:
        raise invalid("Input is too long for requested model.")
    if len(prompt.cache_points) > MAX_CACHE_POINTS:
        raise refused_by_model(
            f"A maximum of {MAX_CACHE_POINTS} blocks with cache_control may be provided. "
            f"Found {len(prompt.cache_points)}."
        )
    for before, after in pairwise(prompt.cache_points):
        if (before.ttl, after.ttl) == ("5m", "1h"):
            raise refused_by_model(
                f"{after.path}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' "
                "cache_control block. Note that blocks are processed in the following order: `tools`, `system`, "
                "`messages`."
            )


def _check_blocks(request: Mapping[str, Any]) -> None:
    """Each block is of one kind; the service model does not say so of every one."""
    listed = [
        ("toolConfig.tools", (request.get("toolConfig") or {}).get("tools", ())),
        ("system", request.get("system", ())),
    ]
    for index, message in enumerate(request.get("messages") or ()):
        listed.append((f"messages.{index}.content", message["content"]))
        for part, block in enumerate(message["content"]):
            if "toolResult" in block:
                listed.append((f"messages.{index}.content.{part}.toolResult.content", block["toolResult"]["content"]))
    for path, blocks in listed:
        for index, block in enumerate(blocks):
            if len(block) != 1:
                raise invalid(f"The object at {path}.{index} must set exactly one key; it sets {len(block)}.")


def _check_roles(model: SimulatedModel, messages: Sequence[Mapping[str, Any]]) -> None:
    if not messages or messages[0]["role"] != "user":
        raise invalid(
            "A conversation must start with a user message. Try again with a conversation that starts with a user "
            "message."
        )
    for index, message in enumerate(messages):
        if message["role"] == "system":
            raise invalid(f"messages.{index}.role: system messages inside a conversation are not simulated")
    if any(before["role"] == after["role"] for before, after in pairwise(messages)):
        raise invalid(
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates "
            "between user and assistant roles and try again."
        )
    if messages[-1]["role"] == "assistant":
        if not model.prefill:
            raise refused_by_model(
                "This model does not support assistant message prefill. The conversation must end with a user message."
            )
        texts = [block["text"] for block in messages[-1]["content"] if "text" in block]
        if texts and texts[-1] != texts[-1].rstrip():
            raise refused_by_model("messages: final assistant content cannot end with trailing whitespace")


def _check_contents(messages: Sequence[Mapping[str, Any]]) -> None:
    for index, message in enumerate(messages):
        if not message["content"]:
            raise invalid(
                f"The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to "
                "the content field and try again."
            )
        for part, block in enumerate(message["content"]):
            where = f"messages.{index}.content.{part}"
            if "text" in block and not block["text"].strip():
                raise invalid(
                    f"The text field in the ContentBlock object at {where} is blank. Add text to the text field, and "
                    "try again."
                )
            if "reasoningContent" in block:
                if message["role"] != "assistant":
                    raise refused_by_model("User messages cannot contain reasoning content.")
                if thinking_of(block) is None:
                    raise refused_by_model(f"{where}: Invalid `signature` in `thinking` block")
            if "cachePoint" in block and part and "reasoningContent" in message["content"][part - 1]:
                raise invalid(
                    "Cache point cannot be inserted after reasoning block. Please remove the invalid cache point and "
                    "try again."
                )


def _check_tools(request: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> None:
    tool_config = request.get("toolConfig")
    asked: list[str] = []
    for index, message in enumerate(messages):
        calls, results = _ids(message, "toolUse"), _ids(message, "toolResult")
        if (calls or results) and tool_config is None:
            raise invalid("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
        if (message["role"] == "user" and calls) or (message["role"] == "assistant" and results):
            misplaced, role = ("toolUse", "assistant") if calls else ("toolResult", "user")
            raise invalid(f"The {misplaced} blocks at messages.{index}.content must be in a message of role {role}.")
        if len(results) > len(asked):
            raise invalid(
                f"The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks of "
                "previous turn."
            )
        if missing := [tool_use_id for tool_use_id in asked if tool_use_id not in results]:
            raise invalid(
                f"Expected toolResult blocks at messages.{index}.content for the following Ids: {', '.join(missing)}"
            )
        if len(set(calls)) < len(calls):
            raise invalid(f"The toolUse blocks at messages.{index}.content contain duplicate Ids.")
        asked = calls
    if asked:
        raise invalid(
            f"Expected toolResult blocks at messages.{len(messages)}.content for the following Ids: {', '.join(asked)}"
        )
    names = list(_tool_names(tool_config or {}))
    if duplicate := next((name for name in names if names.count(name) > 1), None):
        raise invalid(f"The tool {duplicate} is defined more than once in toolConfig.tools.")
    forced = ((tool_config or {}).get("toolChoice") or {}).get("tool")
    if forced and forced["name"] not in names:
        raise invalid(f"toolConfig.toolChoice.tool.name is {forced['name']}, which is not among the tools offered.")


def _check_sampling(model: SimulatedModel, request: Mapping[str, Any], inference: Mapping[str, Any]) -> None:
    given = dict(inference) | dict(request.get("additionalModelRequestFields") or {})
    for name in sorted(model.rejected_parameters & given.keys()):
        if given[name] != _DEFAULTS.get(name):
            raise refused_by_model(f"`{_WIRE_NAMES.get(name, name)}` is deprecated for this model.")
    if "temperature" in given and "topP" in given:
        raise refused_by_model(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        )


def _check_thinking(model: SimulatedModel, request: Mapping[str, Any], max_tokens: int | None) -> None:
    setting = thinking_setting(request)
    kind = setting.get("type")
    if model.thinks_first:
        if kind == "enabled":
            raise refused_by_model(
                '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
                '"output_config.effort" to control thinking behavior.'
            )
        if kind not in (None, "adaptive", model.thinking_off):
            instead = f' Use "thinking.type.{model.thinking_off or "adaptive"}" instead.'
            raise refused_by_model(f'"thinking.type.{kind}" is not supported for this model.{instead}')
        return
    if kind not in (None, "disabled", "enabled", "adaptive"):
        raise refused_by_model(f'"thinking.type.{kind}" is not supported for this model.')
    if kind in (None, "disabled"):
        return
    if forces_a_tool(request):
        raise refused_by_model("Thinking may not be enabled when tool_choice forces tool use.")
    if (request.get("inferenceConfig") or {}).get("temperature", 1.0) != 1.0:
        raise refused_by_model("`temperature` may only be set to 1 when thinking is enabled.")
    if kind != "enabled":
        return
    budget = setting.get("budget_tokens")
    if not isinstance(budget, int) or budget < _SMALLEST_BUDGET:
        raise refused_by_model(
            f"thinking.enabled.budget_tokens: Input should be greater than or equal to {_SMALLEST_BUDGET}"
        )
    if max_tokens is not None and max_tokens <= budget:
        raise refused_by_model("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _ids(message: Mapping[str, Any], kind: str) -> list[str]:
    return [block[kind]["toolUseId"] for block in message["content"] if kind in block]


def _tool_names(tool_config: Mapping[str, Any]) -> Iterator[str]:
    for tool in tool_config.get("tools", ()):
        for kind in ("toolSpec", "systemTool"):
            if kind in tool:
                yield tool[kind]["name"]
