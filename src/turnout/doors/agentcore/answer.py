"""What a service answers: the text, and which model gave it, why, at what cost, and under which ids."""

from __future__ import annotations

from typing import Any

from strands.agent import AgentResult

from turnout.core.cost import pico_to_usd
from turnout.doors.agentcore.log import Heard
from turnout.trace.events import DecisionEvent


def answer_of(result: AgentResult, heard: Heard, *, session_id: str, label: str = "") -> dict[str, Any]:
    """The answer to one question.

    ``model_used`` is the catalog id of the model that gave the last words, ``decision`` tells of the decision that
    opened the turn; both are null for an agent whose model is none of ours. ``complexity`` is null where no verdict was
    needed or there was none. ``cost_usd`` is exact, as text, and counts classifiers and failed attempts.

    Args:
        result: What the agent came to.
        heard: The turn's events.
        session_id: The session.
        label: What is said first, such as that models are simulated; empty: nothing.
    """
    decisions = heard.decisions
    verdict = decisions[0].given.verdict if decisions else None
    message = result.message["content"]
    return {
        **({"label": label} if label else {}),
        "response": "\n".join(block["text"] for block in message if "text" in block),
        "model_used": decisions[-1].decision.model if decisions else None,
        "complexity": verdict.label if verdict is not None else None,
        "cost_usd": str(pico_to_usd(heard.cost_pico)) if heard.events else None,
        "simulated": heard.simulated or bool(label),
        "stop_reason": result.stop_reason,
        "session_id": session_id,
        **heard.ids,
        "decision": decision_of(decisions) if decisions else None,
    }


def decision_of(decisions: list[DecisionEvent]) -> dict[str, Any]:
    """The decision that opened a turn, and which models failed in it."""
    first = decisions[0]
    verdict = first.given.verdict
    failed_over = list(dict.fromkeys(attempt.model for event in decisions for attempt in event.given.failed))
    return {
        "reason": str(first.decision.reason),
        "runner_up": first.decision.runner_up,
        "classifier": verdict.classifier if verdict is not None else None,
        "p_simple": verdict.p_simple if verdict is not None else None,
        "bar": first.decision.bar,
        "expected_cost_usd": {
            estimate.model: str(pico_to_usd(estimate.expected.cost_pico))
            for estimate in first.decision.estimates
            if estimate.expected is not None
        },
        **({"failed_over_from": failed_over} if failed_over else {}),
    }
