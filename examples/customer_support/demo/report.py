"""What the demonstration found, as values: for tables, JSON and the chart alike."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from examples.customer_support.backends import Backend
from examples.customer_support.demo.queries import Query
from examples.customer_support.demo.run import Answered
from turnout.classify.assess import Assessment
from turnout.core.cost import pico_to_usd
from turnout.core.decision import Decision
from turnout.core.verdict import Verdict
from turnout.trace.views.compare import Comparison
from turnout.trace.views.documents import to_json
from turnout.trace.views.metrics import RunMetrics


class Arms(NamedTuple):
    """One set of queries through v3 and v4.

    Attributes:
        title: What the set is.
        pair: The name of the pair of models.
        queries: What was asked.
        v3: The version that does not route.
        v4: The version that routes.
        comparison: Their difference, classifier and cache writes counted.
        answers: What v4 answered, with its decisions.
        verdicts: For each query of the test prompts, what each classifier says; empty for larger sets.
    """

    title: str
    pair: str
    queries: Sequence[Query]
    v3: RunMetrics
    v4: RunMetrics
    comparison: Comparison
    answers: Sequence[Answered]
    verdicts: Sequence[dict[str, Verdict]]


class Report(NamedTuple):
    """Everything, and where the models ran."""

    backend_name: str
    label: str
    simulated: bool
    assessments: Sequence[Assessment]
    arms: Sequence[Arms]
    names: dict[str, str]
    ledger: str


def expected_usd(decision: Decision) -> dict[str, Decimal]:
    """What each eligible candidate was expected to cost, in USD."""
    return {
        estimate.model: pico_to_usd(estimate.expected.cost_pico)
        for estimate in decision.estimates
        if estimate.expected is not None
    }


def right_labels(arms: Arms) -> tuple[int, int]:
    """How many labelled queries the routing classifier labelled as expected, of how many it was asked for."""
    asked = [one for one in arms.answers if one.query.label is not None and one.decision.given.verdict is not None]
    right = [one for one in asked if _label(one) == one.query.label]
    return len(right), len(asked)


def to_document(report: Report, chart: str | None) -> dict[str, Any]:
    """The report for machines; ``simulated`` says whether the models were."""
    return {
        "simulated": report.simulated,
        "models": report.label,
        "ledger": report.ledger,
        "chart": chart,
        "classifiers": list(report.assessments),
        "runs": [_arms_document(arms, report) for arms in report.arms],
    }


def backend_title(backend: Backend) -> str:
    """Cheap and capable model of a backend, by their short names."""
    catalog = backend.models.catalog
    ranked = sorted(backend.policy.candidates, key=lambda candidate: candidate.rank)
    return " / ".join(catalog[candidate.model].name for candidate in ranked)


def _arms_document(arms: Arms, report: Report) -> dict[str, Any]:
    right, asked = right_labels(arms)
    return {
        "simulated": report.simulated,
        "queries": arms.title,
        "pair": arms.pair,
        "labels_as_expected": {"right": right, "of": asked} if asked else None,
        "v3": to_json(arms.v3, names=report.names),
        "v4": to_json(arms.v4, names=report.names),
        "comparison": to_json(arms.comparison),
        "turns": [
            {
                "query": one.query.title,
                "text": one.query.text,
                "expected_label": one.query.label,
                "label": _label(one),
                "reason": one.decision.decision.reason,
                "model": one.decision.decision.model,
                "expected_cost_usd": {key: str(cost) for key, cost in expected_usd(one.decision.decision).items()},
                "answer": one.text,
                "verdicts": arms.verdicts[index] if arms.verdicts else None,
            }
            for index, one in enumerate(arms.answers)
        ],
    }


def _label(one: Answered) -> str | None:
    verdict = one.decision.given.verdict
    return None if verdict is None else verdict.label
