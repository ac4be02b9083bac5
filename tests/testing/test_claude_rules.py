"""What the doubles refuse as real Claude models do."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.config import load_catalog
from turnout.core.parameters import stance
from turnout.messages.wire.claude_parameters import claude_parameters
from turnout.testing.claude_rules import CONTEXT_MANAGEMENT, refusal

CLAUDES = [model for model in load_catalog().models if "claude" in model.model_id]
KINDS = (None, "enabled", "adaptive", "disabled", "between_tools")
EFFORTS = (None, "low", "high", "xhigh", "max")


@pytest.mark.parametrize("model", CLAUDES, ids=lambda model: model.id)
def test_what_the_catalog_states_is_accepted(model: Any) -> None:
    """Two tables, read off the same pages by themselves: what one states as accepted, the other does not refuse."""
    for kind in KINDS:
        for effort in EFFORTS:
            thinking = None if kind is None else {"type": kind}
            names = claude_parameters(thinking, effort, manages_context=False)
            takes = all(stance(model, name) == "takes" for name in names)
            fields = {"thinking": thinking, "output_config": {"effort": effort}}
            refused = refusal(model.model_id, fields, ()) is not None
            if "opus-4-7" in model.model_id and kind == "disabled":
                assert not takes  # disputed
            else:
                assert takes != refused, (kind, effort)


def test_context_management_is_a_beta_and_clears_thinking_only_where_there_is_some() -> None:
    fields: dict[str, Any] = {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}
    name = "claude-sonnet-4-6"
    assert refusal(name, fields, ()) == "context_management: Extra inputs are not permitted"
    why = refusal(name, fields, [CONTEXT_MANAGEMENT])
    assert why is not None
    assert "requires `thinking`" in why
    assert refusal(name, fields | {"thinking": {"type": "adaptive"}}, [CONTEXT_MANAGEMENT]) is None
    assert refusal("claude-opus-5", fields, [CONTEXT_MANAGEMENT]) is None
    assert refusal(name, {"context_management": {"edits": []}}, [CONTEXT_MANAGEMENT]) is None


def test_a_model_that_is_not_known_takes_all() -> None:
    assert refusal("mine", {"thinking": {"type": "x"}, "output_config": {"effort": "y"}}, ()) is None
