"""What is counted of events: sums in integers, so that they equal the ledger's to the last pico-USD.

Every label is from a closed list: models that are not in use are `OTHER`, and text that a caller or a provider chose
(sessions, tags, errors' names, classifiers' names) is no label at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from turnout.core.policy import Reason
from turnout.core.verdict import FailureKind
from turnout.trace.events import CallEvent, DecisionEvent, Event, Role, Status
from turnout.trace.prometheus.histogram import (
    CALL_SECONDS,
    CLASSIFIER_SECONDS,
    CONTENT_SECONDS,
    DECISION_SECONDS,
    Histogram,
)
from turnout.trace.views.exactness import Certainty, certainty

OTHER = "other"
"""The label of a model that is not in use."""

NO_MODEL = "none"
"""The label of a refused request's model."""


class CallKey(NamedTuple):
    """The labels of calls, as in `turnout.trace.events.CallEvent`.

    ``certainty`` is how well their cost is known (`turnout.trace.views.exactness`).
    """

    model: str
    role: Role
    status: Status
    certainty: Certainty


class CallSums:
    """The sums over calls of one kind: their number, tokens, pico-USD and times.

    Attributes:
        calls: How many.
        again: How many of the answer's were not their request's first: retries, and calls after a failover.
        tokens: Input, cache reads, cache writes for 5 minutes and for 1 hour, output (`TOKEN_KINDS`).
        reasoning_tokens: The part of the output that was thinking.
        low_pico: What they cost at the least.
        high_pico: What they can have cost at the most, where that is known.
        latency: How long they took.
    """

    __slots__ = ("again", "calls", "high_pico", "latency", "low_pico", "reasoning_tokens", "tokens")

    def __init__(self) -> None:
        self.calls = self.again = self.reasoning_tokens = self.low_pico = self.high_pico = 0
        self.tokens = [0, 0, 0, 0, 0]
        self.latency = Histogram(CALL_SECONDS)

    def add(self, event: CallEvent, low_pico: int) -> None:
        """Count one call."""
        usage, tokens = event.usage, self.tokens
        self.calls += 1
        if event.attempt > 1 and event.role == "answer":
            self.again += 1
        tokens[0] += usage.input_tokens
        tokens[1] += usage.cache_read_tokens
        tokens[2] += usage.cache_write_5m_tokens
        tokens[3] += usage.cache_write_1h_tokens
        tokens[4] += usage.output_tokens
        self.reasoning_tokens += usage.reasoning_tokens
        self.low_pico += low_pico
        self.high_pico += max(low_pico, event.cost_high_pico)
        self.latency.add(event.latency_ms)

    def merge(self, other: CallSums) -> None:
        """Count what other sums have counted too."""
        for name in ("calls", "again", "reasoning_tokens", "low_pico", "high_pico"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.tokens = [one + more for one, more in zip(self.tokens, other.tokens, strict=True)]
        self.latency.merge(other.latency)


TOKEN_KINDS = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
"""The kinds of tokens, which do not overlap: the names of `turnout.core.usage.Usage` without their ends."""


class Totals:
    """The sums over all events.

    Args:
        models: The catalog ids that get a label of their own.

    Attributes:
        models: See above; it may be replaced.
        calls: The sums over calls.
        first_content: For each model the time to the first content of streamed answers.
        decisions: How many decisions chose a model for a reason; `NO_MODEL` where the request was refused.
        failovers: For each model that failed, how many decisions another model was chosen in instead.
        classifier_failures: How many verdicts failed, by kind.
        classifying: How long requests waited for verdicts that they asked for.
        deciding: How long decisions took, verdicts apart.
    """

    def __init__(self, models: Iterable[str]) -> None:
        self.models = frozenset(models)
        self.calls: dict[CallKey, CallSums] = {}
        self.first_content: dict[str, Histogram] = {}
        self.decisions: dict[tuple[str, Reason], int] = {}
        self.failovers: dict[str, int] = {}
        self.classifier_failures: dict[FailureKind, int] = dict.fromkeys(("timeout", "error", "unparsed"), 0)
        self.classifying = Histogram(CLASSIFIER_SECONDS)
        self.deciding = Histogram(DECISION_SECONDS)

    def label(self, model: str) -> str:
        """A model's label."""
        return model if model in self.models else OTHER

    def add(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, CallEvent):
            self._call(event)
        else:
            self._decision(event)

    def merge(self, other: Totals) -> None:
        """Count what another process has counted too."""
        for key, sums in other.calls.items():
            self.calls.setdefault(key, CallSums()).merge(sums)
        for model, histogram in other.first_content.items():
            self.first_content.setdefault(model, Histogram(histogram.bounds)).merge(histogram)
        for chosen, count in other.decisions.items():
            self.decisions[chosen] = self.decisions.get(chosen, 0) + count
        for failed, count in other.failovers.items():
            self.failovers[failed] = self.failovers.get(failed, 0) + count
        for kind, count in other.classifier_failures.items():
            self.classifier_failures[kind] += count
        self.classifying.merge(other.classifying)
        self.deciding.merge(other.deciding)

    def _call(self, event: CallEvent) -> None:
        model = event.model if event.model in self.models else OTHER
        cost = event.cost
        # Written out: the property and a name of its own for each field would double what this method takes.
        low_pico = (
            cost.input_pico
            + cost.cache_read_pico
            + cost.cache_write_5m_pico
            + cost.cache_write_1h_pico
            + cost.output_pico
        )
        known = certainty(event.usage_source, event.status, event.error, low_pico, event.cost_high_pico)
        # As `CallKey` makes one, in a third of the time.
        key = tuple.__new__(CallKey, (model, event.role, event.status, known))
        sums = self.calls.get(key)
        if sums is None:
            sums = self.calls[key] = CallSums()
        sums.add(event, low_pico)
        if event.first_content_ms is not None and event.role == "answer":
            histogram = self.first_content.get(model)
            if histogram is None:
                histogram = self.first_content[model] = Histogram(CONTENT_SECONDS)
            histogram.add(event.first_content_ms)

    def _decision(self, event: DecisionEvent) -> None:
        given, decision = event.given, event.decision
        model = NO_MODEL if decision.model is None else self.label(decision.model)
        key = model, decision.reason
        self.decisions[key] = self.decisions.get(key, 0) + 1
        self.deciding.add(event.latency_ms)
        if given.failed and decision.model is not None:
            failed = self.label(given.failed[-1].model)
            self.failovers[failed] = self.failovers.get(failed, 0) + 1
        # A turn's later decisions use its verdict again, or its failure; they did not wait for it.
        if event.classifier_ms:
            self.classifying.add(event.classifier_ms)
            if given.verdict is not None and given.verdict.failure is not None:
                self.classifier_failures[given.verdict.failure.kind] += 1
