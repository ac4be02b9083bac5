"""Circuit breakers: which models, each in its region, are left alone for a while because their calls fail.

A breaker is ``closed`` while calls go through, ``open`` while none should, and ``half_open`` while a few probes find
out whether the upstream is back. The state is a frozen value and every change of it a pure function of the time; the
holder, `Breakers`, keeps one for each model and region of this process.

Only errors that speak about the upstream's health count (`turnout.upstream.errors.Failure.of_upstream`). What an open
breaker means for a request is `turnout.core.decide`'s affair: it is never a reason to refuse one.

Known limitation: replicas do not share it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Literal

import msgspec

from turnout.core.calls import BreakerRules

logger = logging.getLogger(__name__)

BreakerState = Literal["closed", "open", "half_open"]
"""What a breaker does with calls."""

_SLICES = 10
"""In how many slices a window's calls are counted: it is exact to a tenth of itself."""


class Slice(msgspec.Struct, frozen=True, gc=False):
    """The calls that ended within a tenth of a window."""

    number: int
    calls: int
    failures: int


class Breaker(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The state of one breaker.

    Attributes:
        state: As of the last change; an open one lets probes through once its time is over (`seen_at`).
        since_ms: When it got into that state.
        consecutive: Failures in a row.
        slices: The calls of the window, oldest first.
        probes_ms: When the probes began that have not ended.
        passed: How many probes have succeeded.
    """

    state: BreakerState = "closed"
    since_ms: int = 0
    consecutive: int = 0
    slices: tuple[Slice, ...] = ()
    probes_ms: tuple[int, ...] = ()
    passed: int = 0


CLOSED = Breaker()
"""What nothing is known of."""


def seen_at(breaker: Breaker, rules: BreakerRules, now_ms: int) -> Breaker:
    """The breaker at that time: half open once it has been open long enough; probes that never ended are forgotten."""
    open_ms = round(rules.open_s * 1000)
    # A clock that was set back must not keep it open.
    if breaker.state == "open" and not 0 <= now_ms - breaker.since_ms < open_ms:
        return Breaker(state="half_open", since_ms=now_ms)
    if breaker.state == "half_open":
        probes = tuple(began for began in breaker.probes_ms if 0 <= now_ms - began < open_ms)
        return msgspec.structs.replace(breaker, probes_ms=probes)
    return breaker


def admits(breaker: Breaker, rules: BreakerRules, now_ms: int) -> bool:
    """Whether a call may go through at that time."""
    seen = seen_at(breaker, rules, now_ms)
    return seen.state == "closed" or (seen.state == "half_open" and len(seen.probes_ms) < rules.probes)


def began(breaker: Breaker, rules: BreakerRules, now_ms: int) -> Breaker:
    """After a call was let through: in a half-open breaker it is a probe."""
    seen = seen_at(breaker, rules, now_ms)
    if seen.state != "half_open":
        return seen
    return msgspec.structs.replace(seen, probes_ms=(*seen.probes_ms, now_ms))


def succeeded(breaker: Breaker, rules: BreakerRules, now_ms: int) -> Breaker:
    """After a call that the upstream served."""
    seen = seen_at(breaker, rules, now_ms)
    if seen.state == "open":
        return seen  # a call from before it opened
    if seen.state == "half_open":
        passed = seen.passed + 1
        if passed >= rules.probes:
            return Breaker(since_ms=now_ms)
        return msgspec.structs.replace(seen, passed=passed, probes_ms=seen.probes_ms[1:])
    return msgspec.structs.replace(seen, consecutive=0, slices=_counted(seen, rules, now_ms, failed=False))


def failed(breaker: Breaker, rules: BreakerRules, now_ms: int) -> Breaker:
    """After a call whose error speaks about the upstream's health."""
    seen = seen_at(breaker, rules, now_ms)
    if seen.state == "open":
        return seen
    if seen.state == "half_open":
        return Breaker(state="open", since_ms=now_ms)
    consecutive, slices = seen.consecutive + 1, _counted(seen, rules, now_ms, failed=True)
    calls, failures = sum(one.calls for one in slices), sum(one.failures for one in slices)
    often = calls >= rules.minimum_calls and failures >= rules.error_rate * calls
    if often or consecutive >= rules.consecutive_failures:
        return Breaker(state="open", since_ms=now_ms)
    return msgspec.structs.replace(seen, consecutive=consecutive, slices=slices)


def released(breaker: Breaker, rules: BreakerRules, now_ms: int) -> Breaker:
    """After a call that says nothing about the upstream: it was cancelled, or the request itself was refused."""
    seen = seen_at(breaker, rules, now_ms)
    return msgspec.structs.replace(seen, probes_ms=seen.probes_ms[1:])


def _slice_at(rules: BreakerRules, now_ms: int) -> int:
    return int(now_ms // (rules.window_s * 1000 / _SLICES))


def _counted(breaker: Breaker, rules: BreakerRules, now_ms: int, *, failed: bool) -> tuple[Slice, ...]:
    number = _slice_at(rules, now_ms)
    kept = [one for one in breaker.slices if number - _SLICES < one.number < number]
    # A clock that was set back must not make the window grow.
    same = next((one for one in breaker.slices if one.number == number), Slice(number, 0, 0))
    return (*kept, Slice(number, same.calls + 1, same.failures + failed))


_Change = Callable[[Breaker, BreakerRules, int], Breaker]


class BreakerKey(msgspec.Struct, frozen=True, order=True, cache_hash=True, gc=False):
    """What a breaker is kept for: a catalog id in a region; the region is empty where a provider has none."""

    model: str
    region: str = ""


class Breakers:
    """The breakers of this process, safe for threads.

    Args:
        rules: When they open and close.
    """

    def __init__(self, rules: BreakerRules | None = None) -> None:
        self.rules = rules or BreakerRules()
        self._breakers: dict[BreakerKey, Breaker] = {}
        self._troubled: set[BreakerKey] = set()
        # Calls that went well since, while closed and all in the newest slice: folded in before a breaker changes.
        self._well: dict[BreakerKey, list[int]] = {}
        self._lock = threading.Lock()

    @property
    def all_closed(self) -> bool:
        """Whether every breaker lets every call through."""
        return not self._troubled

    def states(self, now_ms: int) -> dict[BreakerKey, BreakerState]:
        """The state of every breaker that has seen a call, by model and region."""
        with self._lock:
            return {key: seen_at(one, self.rules, now_ms).state for key, one in sorted(self._breakers.items())}

    def admits(self, key: BreakerKey, now_ms: int) -> bool:
        """Whether a call may go through; nothing changes."""
        with self._lock:
            return key not in self._troubled or admits(self._breakers.get(key, CLOSED), self.rules, now_ms)

    def admit(self, key: BreakerKey, now_ms: int, *, anyway: bool = False) -> bool:
        """Let a call through, if the breaker does or if it is made ``anyway``; it may be the probe of a half-open one.

        Returns:
            Whether it was let through. Then its end is to be told by `succeeded`, `failed` or `released`; a probe whose
            end is never told is forgotten after ``open_s``.
        """
        with self._lock:
            if key not in self._troubled:
                return True
            breaker = self._breakers.get(key, CLOSED)
            if not anyway and not admits(breaker, self.rules, now_ms):
                return False
            self._breakers[key] = began(breaker, self.rules, now_ms)
            return True

    def succeeded(self, key: BreakerKey, now_ms: int) -> None:
        """A call was served."""
        number = _slice_at(self.rules, now_ms)
        with self._lock:
            well = self._well.get(key)
            if well is not None and well[0] == number:
                well[1] += 1  # nearly always: nothing else of the breaker would change
                return
        after = self._change(key, succeeded, now_ms)
        if after.state == "closed" and after.slices:
            with self._lock:
                if self._breakers.get(key) is after:
                    self._well[key] = [number, 0]

    def failed(self, key: BreakerKey, now_ms: int) -> None:
        """A call failed by the upstream's fault."""
        self._change(key, failed, now_ms)

    def released(self, key: BreakerKey, now_ms: int) -> None:
        """A call ended in a way that says nothing about the upstream."""
        self._change(key, released, now_ms)

    def _change(self, key: BreakerKey, change: _Change, now_ms: int) -> Breaker:
        with self._lock:
            before = self._breakers.get(key, CLOSED)
            well = self._well.pop(key, None)
            if well is not None:
                *older, newest = before.slices
                same = Slice(newest.number, newest.calls + well[1], newest.failures)
                before = msgspec.structs.replace(before, slices=(*older, same))
            after = self._breakers[key] = change(before, self.rules, now_ms)
            (self._troubled.discard if after.state == "closed" else self._troubled.add)(key)
        if after.state != before.state:
            logger.warning(
                "model=<%s>, region=<%s>, from_state=<%s>, to_state=<%s> | the breaker changed",
                key.model,
                key.region,
                before.state,
                after.state,
            )
        return after
