"""What real Claude models refuse of the parameters that only some of them know: the doubles' own table.

Apart from Turnout's catalog, so that it can contradict it. Read on 2026-11-23: Anthropic's pages "Troubleshooting
thinking" and "Effort", the migration guides of the 5.5 models, Amazon Bedrock's "Adaptive thinking" and its model card
of Haiku 5.5; the words of the errors as users report them (anthropics/claude-code issue 30795, lidge-jun/opencodex pull
request 65, Wei-Shaw/sub2api pull request 2507, BerriAI/litellm 1.106). A model that is not in the table takes all.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

CONTEXT_MANAGEMENT = "context-management-2025-06-27"
"""The beta without which ``context_management`` is no member of the API."""

_TO_HIGH = ("low", "medium", "high")
_ALL = (*_TO_HIGH, "xhigh", "max")


@dataclass(frozen=True)
class _Rules:
    """What a model takes: values of ``thinking.type`` and of ``output_config.effort``.

    ``off_to_high``: thinking can be switched off at an effort of ``high`` or below only.
    """

    thinking: tuple[str, ...]
    efforts: tuple[str, ...] = ()
    off_to_high: bool = False


_TABLE = (
    (r"claude-(haiku|sonnet)-4-5", _Rules(("enabled", "disabled"))),
    (r"claude-opus-4-5", _Rules(("enabled", "disabled"), _TO_HIGH)),
    (r"claude-(sonnet|opus)-4-6", _Rules(("adaptive", "enabled", "disabled"), (*_TO_HIGH, "max"))),
    (r"claude-opus-4-[78]|claude-sonnet-5(?!-5)", _Rules(("adaptive", "disabled"), _ALL)),
    (r"claude-opus-5(?!-5)|claude-haiku-5-5", _Rules(("adaptive", "disabled"), _ALL, off_to_high=True)),
    (r"claude-sonnet-5-5", _Rules(("adaptive", "between_tools"), _ALL)),
    (r"claude-opus-5-5|claude-fable-5", _Rules(("adaptive",), _ALL)),
)


def refusal(model: str, fields: Mapping[str, Any], betas: Collection[str]) -> str | None:
    """Why a model refuses ``thinking``, ``output_config.effort`` or ``context_management``; none if it takes them.

    Args:
        model: The model's id; what stands around the name does not matter.
        fields: Those members, as the Messages API has them.
        betas: The betas that the request switches on.
    """
    thinking, config = fields.get("thinking"), fields.get("output_config")
    kind = thinking.get("type") if isinstance(thinking, Mapping) else None
    effort = config.get("effort") if isinstance(config, Mapping) else None
    rules = next((rules for name, rules in _TABLE if re.search(name, model)), None)
    if rules is not None and (kind or effort) and (why := _of_model(rules, kind, effort)):
        return why
    management = fields.get("context_management")
    if management is None:
        return None
    if CONTEXT_MANAGEMENT not in betas:
        return "context_management: Extra inputs are not permitted"
    edits = management.get("edits", ()) if isinstance(management, Mapping) else ()
    clears = any(str(edit.get("type", "")).startswith("clear_thinking") for edit in edits)
    thinks = kind in ("enabled", "adaptive") or (kind is None and rules is not None and "enabled" not in rules.thinking)
    if clears and not thinks:
        return "`clear_thinking_20251015` strategy requires `thinking` to be enabled or adaptive"
    return None


def _of_model(rules: _Rules, kind: Any, effort: Any) -> str | None:
    if kind is not None and kind not in rules.thinking:
        if kind == "adaptive":
            return "adaptive thinking is not supported on this model"
        instead = ' Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        return f'"thinking.type.{kind}" is not supported for this model.{instead}'
    if effort is None:
        return None
    if not rules.efforts:
        return "This model does not support the effort parameter."
    if effort not in rules.efforts:
        return f"output_config.effort: this model supports {', '.join(rules.efforts)}; got {effort}"
    if rules.off_to_high and kind == "disabled" and effort not in _TO_HIGH:
        return f'"thinking.type.disabled" is not supported at effort {effort}.'
    return None
