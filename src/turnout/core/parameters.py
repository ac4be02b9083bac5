"""Parameters of a request that only some models take: which of them a model refuses, and which may be left out.

Sampling parameters are known to every model, and the few that reject one say so (`Model.rejected_parameters`). The
others here came with single models: a way to think, an effort, the clearing of old content by the server. A model takes
those that the catalog states (`Model.accepted_parameters`); of one of which it states nothing, nobody knows, and it
counts as refusing them, unless the request insists on that model: then nothing is routed, and its provider judges.

Their names:

- ``thinking.enabled`` (with a budget), ``thinking.adaptive``, ``thinking.disabled``, ``thinking.between_tools``,
  ``thinking.unknown``: the ``type`` of Claude's ``thinking``; ``thinking.disabled_above_high``: switched off at an
  effort above ``high``;
- ``effort``: Claude's ``output_config.effort``; ``effort.xhigh``, ``effort.max``, ``effort.unknown``: beside it, a
  level that not every model with an effort has;
- ``context_management``, of Claude's beta ``context-management-2025-06-27``.
"""

from __future__ import annotations

from typing import Literal

from turnout.core.catalog import Model

_OF_SOME_MODELS = ("thinking.", "effort", "context_management")
_BINDING = ("thinking.enabled", "thinking.disabled", "thinking.between_tools", "thinking.unknown")


def stance(model: Model, parameter: str) -> Literal["takes", "rejects", "unknown"]:
    """Whether a model takes a parameter."""
    if parameter in model.rejected_parameters:
        return "rejects"
    if not parameter.startswith(_OF_SOME_MODELS):
        return "takes"
    if model.accepted_parameters is None:
        return "unknown"
    return "takes" if parameter in model.accepted_parameters else "rejects"


def may_be_dropped(parameter: str) -> bool:
    """Whether an answer without the parameter is still one to the same request.

    It is where the parameter leaves to the model how it comes to its answer. It is not where a client relies on a
    budget of thinking, or on there being none.
    """
    return not parameter.startswith(_BINDING)
