"""The rules by which calls to models are tried again, given up and handed on; values only, seconds throughout."""

from __future__ import annotations

import math

import msgspec


def _positive(rules: msgspec.Struct, *names: str) -> None:
    for name in names:
        value = getattr(rules, name)
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be above 0 and finite, got {value}")


class BreakerRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a model in a region counts as out of service, and how it comes back.

    Attributes:
        consecutive_failures: So many failures in a row open the breaker.
        error_rate: So large a share of failures within the window opens it, once there are ``minimum_calls``.
        minimum_calls: The fewest calls within the window that a share says something about.
        window_s: How far back calls count for the share.
        open_s: How long an open breaker keeps requests away before it lets probes through.
        probes: How many probes may run at once, and how many have to succeed before it closes.
    """

    consecutive_failures: int = 5
    error_rate: float = 0.5
    minimum_calls: int = 20
    window_s: float = 60.0
    open_s: float = 15.0
    probes: int = 1

    def __post_init__(self) -> None:
        _positive(self, "consecutive_failures", "minimum_calls", "window_s", "open_s", "probes")
        if not 0.0 < self.error_rate <= 1.0:
            raise ValueError(f"error_rate must be above 0 and at most 1, got {self.error_rate}")


class CallRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long and how often a request is tried.

    Attributes:
        deadline_s: Until its first content has to come, classifier, retries and failovers included; where an answer is
            not streamed, until all of it has come. After an answer broke off, also how long its continuation may take
            to begin.
        stall_s: How long a streamed answer may bring nothing before the model is given up.
        attempts_per_model: The most calls of one request to the same model, the first one included.
        base_backoff_s: The longest wait before a model's second call; it doubles with each further one. The wait is
            drawn evenly between nothing and that ("full jitter").
        max_backoff_s: What the longest wait never exceeds.
        failover_after_s: The most waiting for a failing model while another could serve instead.
        breaker: When a model counts as out of service.
    """

    deadline_s: float = 120.0
    stall_s: float = 60.0
    attempts_per_model: int = 3
    base_backoff_s: float = 0.1
    max_backoff_s: float = 5.0
    failover_after_s: float = 0.2
    breaker: BreakerRules = BreakerRules()

    def __post_init__(self) -> None:
        _positive(self, "deadline_s", "stall_s", "attempts_per_model")
        for name in ("base_backoff_s", "max_backoff_s", "failover_after_s"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be a number that is not negative, got {getattr(self, name)}")
