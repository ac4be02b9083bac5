"""A decision as JSON, for ``/v1/route``: which model would serve, why, and what each would be expected to cost."""

from __future__ import annotations

from typing import Any

from turnout.core.cost import usd_text
from turnout.core.decision import Decision, DecisionInput


def explained(given: DecisionInput, decision: Decision) -> dict[str, Any]:
    """A decision in words and figures; amounts are exact, as texts, in USD."""
    verdict = given.verdict
    return {
        "object": "turnout.decision",
        "model": decision.model,
        "reason": decision.reason.value,
        "runner_up": decision.runner_up,
        "bar": decision.bar,
        "edits": list(decision.edits),
        "session_id": given.request.session_id,
        "prompt_tokens_estimated": given.request.tokens,
        "verdict": None
        if verdict is None
        else {
            "classifier": verdict.classifier,
            "label": verdict.label,
            "basis": verdict.basis,
            "failure": None if verdict.failure is None else verdict.failure.kind,
        },
        "candidates": [
            {
                "model": one.model,
                "rank": one.rank,
                "eligible": one.eligible,
                "ineligible": list(one.ineligible),
                "clears_bar": one.clears_bar,
                "p": one.p,
                "expected_cost_usd": None if one.expected is None else usd_text(one.expected.cost_pico),
                "edits": list(one.edits),
            }
            for one in decision.estimates
        ],
    }
