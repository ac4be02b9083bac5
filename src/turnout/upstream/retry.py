"""What follows a failed call: the same model again, another model, or an end. Pure: time and chance are arguments.

Turnout's attempts are the only ones: the clients' own retries are to be off, since retries on several levels multiply.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from turnout.core.calls import CallRules
from turnout.upstream.errors import Failure

_MOST_DOUBLINGS = 60


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What to do next.

    Attributes:
        do: ``again``: call the same model; ``failover``: the next candidate; ``stop``: the error is the caller's.
        wait_s: How long to wait first, for ``again``.
        why: For ``stop``: ``error`` (not one to try again), ``exhausted`` or ``deadline``.
    """

    do: Literal["again", "failover", "stop"]
    wait_s: float = 0.0
    why: Literal["", "error", "exhausted", "deadline"] = ""


def backoff_s(rules: CallRules, failures: int, chance: float) -> float:
    """How long to wait after so many failures of a model: exponential, with full jitter.

    Args:
        rules: The base and the ceiling.
        failures: How many calls to it have failed, at least 1.
        chance: Drawn evenly from 0 to 1.
    """
    return chance * min(rules.max_backoff_s, rules.base_backoff_s * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))


def next_step(
    rules: CallRules,
    failure: Failure,
    *,
    failures: int,
    waited_s: float,
    left_s: float,
    same: bool,
    elsewhere: bool,
    chance: float,
) -> Step:
    """What follows a failed call.

    A model is asked again after a short wait, since a failover costs quality or money. It is left at once where the
    wait would hardly help or be too long and another candidate can serve; where none can, it gets all its attempts.

    Args:
        rules: The rules of attempts.
        failure: What the error means.
        failures: How many calls of this request to this model have failed.
        waited_s: How long this request has waited for this model already.
        left_s: The time until the request's deadline.
        same: Whether the same model may be called again at all.
        elsewhere: Whether another candidate can serve.
        chance: Drawn evenly from 0 to 1.
    """
    if failure.kind == "overflow" and elsewhere:
        return Step(do="failover")
    if failure.kind != "retryable":
        return Step(do="stop", why="error")
    if left_s <= 0:
        return Step(do="stop", why="deadline")
    wait_s = max(backoff_s(rules, failures, chance), failure.retry_after_s or 0.0)
    tries_left = same and failures < rules.attempts_per_model
    if elsewhere:
        soon = not failure.slow and waited_s + wait_s <= rules.failover_after_s
        return Step(do="again", wait_s=wait_s) if tries_left and soon and wait_s < left_s else Step(do="failover")
    if not tries_left:
        return Step(do="stop", why="exhausted")
    return Step(do="again", wait_s=wait_s) if wait_s < left_s else Step(do="stop", why="deadline")
