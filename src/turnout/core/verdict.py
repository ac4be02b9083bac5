"""What a classifier says of a conversation."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from turnout.core.usage import NO_USAGE, Usage

Complexity = Literal["simple", "complex"]
"""The label of LLM-based classification: whether the cheap model is likely to carry the query."""

Basis = Literal["label", "outcome"]
"""What a verdict's probabilities mean: of a label, or of a graded answer being good enough."""

FailureKind = Literal["timeout", "error", "unparsed"]
"""Why a classifier gave no answer: too slow, raised or refused by its model, or said something else."""

UsageSource = Literal["reported", "partial", "estimated", "none"]
"""Where a call's tokens are known from: the provider, a part of its report, our own count, or nowhere."""


class ClassifierCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One model call that a classifier made; it is charged to the turn, also if it failed."""

    model: str
    usage: Usage = NO_USAGE
    usage_source: UsageSource = "reported"
    started_ms: int = 0
    latency_ms: float = 0.0
    error: str | None = None


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Why there is no label. ``detail`` never holds prompt text or keys."""

    kind: FailureKind
    detail: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A classifier's answer, or its failure.

    Attributes:
        classifier: Which classifier gave it.
        label: ``simple`` or ``complex``; none if it failed.
        basis: ``label``: `p_simple` is the probability that the label is simple, and nothing is said of quality.
            ``outcome``: `p_suffices` was calibrated on graded answers.
        p_simple: P(label is simple) under the policy's prior share of simple queries.
        p_suffices: For each candidate by name, P(its answer is good enough). Only with basis ``outcome``.
        failure: Set instead of a label where the classifier failed.
        calls: The model calls made on the way.
        latency_ms: Time from question to verdict in milliseconds.
        unlikeness: How far the request is from those of the calibration, 1 being the cut; none where nobody looked.
    """

    classifier: str
    label: Complexity | None = None
    basis: Basis = "label"
    p_simple: float | None = None
    p_suffices: dict[str, float] = {}
    failure: Failure | None = None
    calls: tuple[ClassifierCall, ...] = ()
    latency_ms: float = 0.0
    unlikeness: float | None = None

    @property
    def unlike(self) -> bool:
        """Whether the request is beyond the cut: what the calibration found does not speak of it."""
        return self.unlikeness is not None and self.unlikeness > 1.0

    def __post_init__(self) -> None:
        if (self.label is None) == (self.failure is None):
            raise ValueError("a verdict has either a label or a failure")
        for name, p in [("p_simple", self.p_simple), *self.p_suffices.items()]:
            if p is not None and not 0.0 <= p <= 1.0:
                raise ValueError(f"the probability {name} must be between 0 and 1, got {p}")
        if self.unlikeness is not None and not 0.0 <= self.unlikeness < math.inf:
            raise ValueError(f"unlikeness must be 0 or more, got {self.unlikeness}")
        if self.basis == "label" and self.p_suffices:
            raise ValueError("a verdict on labels makes no statement about quality: p_suffices needs basis 'outcome'")
        if self.basis == "label" and self.failure is None and self.p_simple is None:
            raise ValueError("a verdict on labels needs p_simple")
