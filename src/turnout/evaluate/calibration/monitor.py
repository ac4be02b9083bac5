"""Whether a calibration still holds for what was routed since: by the ledger, the settings and the catalog.

Looked at are the decisions since the calibration was made, of its candidates and under its bar; simulated ones are not.
Of each turn the first verdict counts once. Three things end a calibration: another model or classifier, verdicts that
are spread otherwise than on the calibration's requests, and requests that are further away from them.

Known limitations: the ledger knows no grades: that answers became worse on the same requests (a model that changed
behind its name) only new grades can say. Verdicts are asked for only where they count, so a change in prices or caches
can change whose requests are seen. See `turnout.evaluate.calibration.drift` too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import msgspec

from turnout.config.calibration import DIGITS, CalibrationFile
from turnout.core.policy import Reason
from turnout.evaluate.calibration.drift import evidence, together
from turnout.trace.events import DecisionEvent

LEVEL = 0.01
"""The probability with which there may ever be an alarm though nothing has changed, if nothing else is asked for."""

FEWEST = 50
"""With fewer verdicts nothing is said of drift."""


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """What verdicts said, against what they said on the calibration's requests.

    Attributes:
        of: Of what: a candidate's P(suffices), P(simple), or unlikeness.
        p: The probability that requests like those would ever have looked so unlike, at the most.
        psi: The population stability index, for people.
        mean_then: The mean on the calibration's requests.
        mean_now: The mean since.
    """

    of: str
    p: float
    psi: float
    mean_then: float
    mean_now: float


class Monitored(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        decisions: Decisions since, of the calibration's candidates.
        verdicts: Turns with a verdict under the calibration's bar.
        other_bar: Decisions under another bar, such as a preset that a request named: the statement is not of them.
        past_the_bar: Decisions for a candidate that did not clear the bar, by reason: pins, stays, failovers.
        failed_verdicts: Decisions without a verdict since the classifier failed: the most capable served.
        unlike: Turns that were unlike the calibration's requests.
        unlike_expected: Their share if nothing has changed, at the most; none: nobody looks.
        shares: For each candidate the share of decisions that it served.
        p: The probability that requests like the calibration's would ever have looked so unlike them, at the most.
        streams: What the verdicts said.
        again: Why it should be calibrated again; empty: it need not.
        notes: What else is to be known.
    """

    decisions: int
    verdicts: int
    other_bar: int
    past_the_bar: dict[str, int]
    failed_verdicts: int
    unlike: int
    unlike_expected: float | None
    shares: dict[str, float]
    p: float
    streams: tuple[Stream, ...]
    again: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the calibration."""
        return not self.again


def monitor(
    calibration: CalibrationFile,
    batches: Iterable[Sequence[DecisionEvent]],
    *,
    changed: Sequence[str] = (),
    prices: Sequence[str] = (),
    level: float = LEVEL,
    progress: Callable[[int], None] = lambda decisions: None,
) -> Monitored:
    """Look at what was decided since a calibration.

    Args:
        calibration: The calibration.
        batches: The decisions since, in their order.
        changed: What of settings and catalog does not fit it any more.
        prices: The models whose prices have changed.
        level: The probability with which there may ever be an alarm though nothing has changed.
        progress: Is told how many decisions were looked at.
    """
    seen = _Seen(calibration)
    for batch in batches:
        for decision in batch:
            if not decision.simulated:
                seen.add(decision)
        progress(len(batch))
    streams = []
    found = []
    enough = len(next(iter(seen.said.values()), [])) >= FEWEST
    for name, sample in {**calibration.probabilities, **_unlikenesses(calibration)}.items():
        came = seen.unlikenesses if name == UNLIKENESS else seen.said.get(name, [])
        if not enough or not came or not sample:
            continue
        one = evidence(sample, came)
        found.append(one)
        streams.append(
            Stream(
                of=name,
                p=one.p,
                psi=one.psi,
                mean_then=sum(sample) / len(sample),
                mean_now=sum(came) / len(came),
            )
        )
    p = together(found)
    again, notes = list(changed), list[str]()
    if p <= level:
        worst = min(streams, key=lambda stream: stream.p)
        what = "requests" if worst.of == UNLIKENESS else "verdicts"
        again.append(
            f"{what} are unlike the calibration's, beyond chance: {worst.of} was {worst.mean_then:.3f} on average "
            f"and is {worst.mean_now:.3f}, p = {p:.2g}"
        )
    if prices:
        told = f"prices have changed: {', '.join(prices)}; expected costs were found with the old ones"
        costs = calibration.targets[calibration.target].kind in ("budget_usd", "cost_ratio")
        (again if costs else notes).append(told)
    if not enough:
        notes.append(f"fewer than {FEWEST} verdicts since: nothing can be said of drift yet")
    if seen.other_bar:
        notes.append(f"{seen.other_bar:,} decisions were under another bar: the statement is not of them")
    past = sum(seen.past.values())
    if past:
        whys = ", ".join(f"{reason} {count:,}" for reason, count in seen.past.most_common())
        notes.append(f"{past:,} decisions went past the bar ({whys}): the statement is not of them")
    served = sum(seen.served.values())
    return Monitored(
        decisions=seen.decisions,
        verdicts=seen.verdicts,
        other_bar=seen.other_bar,
        past_the_bar=dict(seen.past),
        failed_verdicts=seen.failed,
        unlike=seen.unlike,
        unlike_expected=None if calibration.references is None else calibration.references.share,
        shares={name: seen.served[name] / served for name in calibration.candidates if served},
        p=p,
        streams=tuple(streams),
        again=tuple(again),
        notes=tuple(notes),
    )


UNLIKENESS = "unlikeness"
"""The name of that stream."""


def _unlikenesses(calibration: CalibrationFile) -> dict[str, tuple[float, ...]]:
    return {UNLIKENESS: calibration.unlikenesses} if calibration.unlikenesses else {}


class _Seen:
    """What decisions came to."""

    def __init__(self, calibration: CalibrationFile) -> None:
        self._calibration = calibration
        self._candidates = set(calibration.candidates)
        self._turns: set[str] = set()
        self._cleared: set[tuple[str, str]] = set()
        self.decisions = self.verdicts = self.other_bar = self.failed = self.unlike = 0
        self.past: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.said: dict[str, list[float]] = {}
        self.unlikenesses: list[float] = []

    def add(self, event: DecisionEvent) -> None:
        given, decision = event.given, event.decision
        policy = given.policy
        if {candidate.model for candidate in policy.candidates} != self._candidates or decision.model is None:
            return
        self.decisions += 1
        if any(getattr(policy, name) != bar for name, bar in self._calibration.bars.items()):
            self.other_bar += 1
            return
        self.served[decision.model] += 1
        chosen = decision.estimate(decision.model)
        if decision.model != self._calibration.candidates[-1]:
            # Without a p it serves since another rule says so, or since the most capable candidate could not.
            cleared = bool(chosen.clears_bar) and chosen.p is not None
            stays = decision.reason is Reason.HARD_STAY and (event.turn_id, decision.model) in self._cleared
            if cleared:
                self._cleared.add((event.turn_id, decision.model))
            elif not stays:
                self.past[str(decision.reason)] += 1
        verdict = given.verdict
        if verdict is None or event.turn_id in self._turns:
            return
        self._turns.add(event.turn_id)
        if verdict.failure is not None:
            self.failed += 1
            return
        if verdict.basis != self._calibration.basis:
            return
        self.verdicts += 1
        self.unlike += verdict.unlike
        if verdict.unlikeness is not None:
            self.unlikenesses.append(round(verdict.unlikeness, DIGITS))
        said = {"simple": verdict.p_simple} if verdict.basis == "label" else verdict.p_suffices
        for name, p in said.items():
            if p is not None and name in self._calibration.probabilities:
                self.said.setdefault(name, []).append(round(p, DIGITS))
