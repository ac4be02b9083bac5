"""Runs cases on a layer and says of each what came of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from turnout.testing.conformance.cases import Case, load_cases
from turnout.testing.conformance.invariants import violations
from turnout.testing.conformance.matching import PARTS, cache_points, difference, without_points

Carry = Callable[[dict[str, Any], dict[str, Any], dict[str, Any], str], Mapping[str, Any]]
"""An adapter: history, source, target, markers; see the package."""


@dataclass(frozen=True)
class CaseReport:
    """What came of one case: the outcome that fits, or what is wrong."""

    case: Case
    outcome: str
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether the layer did what the case expects."""
        return not self.problem


@dataclass(frozen=True)
class Report:
    """What came of all cases."""

    cases: tuple[CaseReport, ...]

    @property
    def failed(self) -> tuple[CaseReport, ...]:
        """The cases that failed."""
        return tuple(case for case in self.cases if not case.passed)

    @property
    def passed(self) -> bool:
        """Whether all passed; not so where none was run."""
        return bool(self.cases) and not self.failed


def run(carry: Carry, cases: Iterable[Case] | None = None) -> Report:
    """Run cases on a layer.

    Args:
        carry: The adapter of the layer. An exception that it raises fails the case.
        cases: The cases; none: all of them.
    """
    return Report(tuple(_run(carry, case) for case in (load_cases() if cases is None else cases)))


def _run(carry: Carry, case: Case) -> CaseReport:
    given = copy.deepcopy(dict(case.history))
    try:
        answer = carry(given, dict(case.source), dict(case.target), case.markers)
    except Exception as error:
        return CaseReport(case, "error", f"{type(error).__name__}: {error}")
    if given != case.history:
        return CaseReport(case, "error", "the layer changed the history that it was given")
    refusal = answer.get("refusal")
    if refusal:
        return _refused(case, str(refusal))
    sent = {part: answer["history"].get(part) or [] for part in PARTS}
    broken = next(violations(sent, case.target), None)
    if broken is not None:
        return CaseReport(case, "sent", broken)
    problems = []
    for alternative in case.expected:
        problem = _compared(case, alternative, sent)
        if problem is None:
            return CaseReport(case, alternative["outcome"])
        problems.append(problem)
    return CaseReport(case, "sent", "; or ".join(problems))


def _refused(case: Case, refusal: str) -> CaseReport:
    places = [alternative["refused"] for alternative in case.expected if "refused" in alternative]
    if not places:
        return CaseReport(case, "refused", f"refused, but it can be sent: {refusal}")
    if not any(place in refusal for place in places):
        return CaseReport(case, "refused", f"refused for {refusal!r}, which does not name {places[0]!r}")
    return CaseReport(case, "refused")


def _compared(case: Case, alternative: Mapping[str, Any], sent: Mapping[str, Any]) -> str | None:
    if "refused" in alternative:
        return f"sent, but it must be refused for {alternative['refused']}"
    expected = case.history if alternative.get("same") else {**case.history, **alternative}
    found = difference(without_points(expected), without_points(sent), case.target, {})
    if found is not None:
        return found
    markers = alternative.get("markers")
    if markers is None and alternative.get("same"):
        markers = [[path, ttl] for path, ttl, _ in cache_points(case.history)]
    points = [[path, ttl] for path, ttl, _ in cache_points(sent)]
    if isinstance(markers, Mapping):
        return None if len(points) == markers["count"] else f"{markers['count']} cache points expected, got {points}"
    if markers is not None and points != markers:
        return f"cache points {markers} expected, got {points}"
    return None
