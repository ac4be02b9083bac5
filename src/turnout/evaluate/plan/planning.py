"""The plan itself: both sides played on the same recorded decisions, and what differs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable

import msgspec

from turnout.config.policy_lock import LockedPrediction, LockedWindow, PolicyLock
from turnout.config.policy_lock_changes import Difference, differences
from turnout.core.cost import pico_to_usd, usd_text
from turnout.evaluate.outcomes.files import Source
from turnout.evaluate.plan.naming import naming_of
from turnout.evaluate.plan.player import Again, Player
from turnout.evaluate.plan.quality import Grades, Quality, by_verdicts
from turnout.evaluate.plan.recorded import Window, recorded, window_of
from turnout.evaluate.plan.sides import Side
from turnout.evaluate.plan.tally import Changes, Distinct, Tally
from turnout.trace.store.ledger import Ledger
from turnout.trace.views.figures import rounded

Advance = Callable[[int], None]
"""Is told how many decisions were replayed since the last time."""


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What one side makes of the window.

    Attributes:
        side: What routes.
        tally: The sums.
        quality: The estimate of quality.
    """

    side: Side
    tally: Tally
    quality: Quality


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Two sides on the same recorded decisions.

    Attributes:
        window: Which decisions.
        old: What holds.
        new: What is proposed.
        differences: The keys that differ.
        changes: The decisions that differ.
        calls: How many calls for an answer belong to the decisions.
        sessions: How many sessions there are.
        recorded_pico: What those calls, and the classifier's, did cost at the prices of their time.
        sha256: A hash over the decisions and calls, and over the graded answers if there are any.
        other_grades: Grades of models that are on neither side.
        named: How many decisions were made by each preset or route that the caller named.
    """

    window: Window
    old: Played
    new: Played
    differences: tuple[Difference, ...]
    changes: Changes
    calls: int
    sessions: int
    recorded_pico: int
    sha256: str
    other_grades: int = 0
    named: dict[str, int] = {}


def make_plan(
    ledger: Ledger,
    old: Side,
    new: Side,
    *,
    days: int,
    run: str | None = None,
    outcomes: Source | None = None,
    begin: Callable[[Window], None] = lambda window: None,
    advance: Advance = lambda decisions: None,
) -> Plan:
    """Play two sides on the last days of a ledger.

    Args:
        ledger: An open one.
        old: What holds.
        new: What is proposed.
        days: How many days (UTC), that of the newest decision included.
        run: Only this run's decisions; none: all.
        outcomes: Graded answers; none: quality is estimated by the recorded verdicts.
        begin: Is told of the window before anything of it is read.
        advance: Is told of decisions that were replayed.

    Raises:
        PlanError: There is nothing to replay.
        LedgerError: The ledger cannot be read.
        OutcomesError: The graded answers cannot be read.
    """
    window = window_of(ledger, days, run)
    grades = None if outcomes is None else Grades(outcomes, (*old.prices.models, *new.prices.models))
    begin(window)
    naming = naming_of(window.policies, (old.policy, new.policy), {**new.lock.routes, **old.lock.routes})
    same = (old.policy, old.bound, old.prices, old.lock.routes) == (
        new.policy,
        new.bound,
        new.prices,
        new.lock.routes,
    )
    again = Again()
    held = (old.policy.markers, old.policy.fill_ttl) == (new.policy.markers, new.policy.fill_ttl)
    players = [
        Player(side, window, naming, held_markers=held, own_account=not same, again=again) for side in (old, new)
    ]
    tallies = (Tally(), Tally())
    changes, sessions = Changes(), Distinct()
    calls = recorded_pico = 0
    digest = hashlib.sha256()
    named: Counter[str] = Counter()
    for batch in recorded(ledger, window):
        for one in batch:
            event = one.event
            first, second = (player.play(one) for player in players)
            for tally, served in zip(tallies, (first, second), strict=True):
                tally.add(served)
            session = (event.run, event.session_id)
            changes.add(session, first, second)
            sessions.add(session)
            calls += len(one.answers)
            paid = [(call.event_id, call.cost.total_pico) for call in (*one.answers, *one.classifier)]
            recorded_pico += sum([pico for _, pico in paid])
            digest.update(msgspec.msgpack.encode((event.event_id, event.started_ms, paid)))
            named[naming.of(event.given.policy)] += 1
            if grades is not None:
                grades.meet(one, first.verdict_p)
        advance(len(batch))
    if grades is not None:
        digest.update(grades.digest)
    played = [
        Played(side=side, tally=tally, quality=by_verdicts(tally) if grades is None else grades.quality(tally))
        for side, tally in zip((old, new), tallies, strict=True)
    ]
    return Plan(
        window=window,
        old=played[0],
        new=played[1],
        differences=differences(old.lock, new.lock),
        changes=changes,
        calls=calls,
        sessions=sessions.count(),
        recorded_pico=recorded_pico,
        sha256=digest.hexdigest(),
        other_grades=0 if grades is None else grades.others,
        named={name: count for name, count in sorted(named.items()) if name},
    )


def locked(plan: Plan) -> PolicyLock:
    """The new side as a lock, with what it was reckoned to make of the window."""
    played, window = plan.new, plan.window
    tally, spend, quality = played.tally, played.tally.spend, played.quality
    return msgspec.structs.replace(
        played.side.lock,
        window=LockedWindow(
            first_day=window.first_day,
            last_day=window.last_day,
            days=window.days,
            decisions=tally.decisions,
            calls=plan.calls,
            sessions=plan.sessions,
            simulated=window.simulated,
            sha256=plan.sha256,
        ),
        predicted=LockedPrediction(
            spend_usd=_trimmed(usd_text(spend.pico)),
            spend_low_usd=_trimmed(usd_text(spend.low_pico)),
            spend_high_usd=_trimmed(usd_text(spend.high_pico)),
            exact_usd=_trimmed(usd_text(spend.exact_pico)),
            spend_usd_per_day=f"{rounded(pico_to_usd(per_day_pico(plan, tally)), 6):f}",
            spend_usd_per_1000_requests=f"{rounded(pico_to_usd(per_1000_pico(tally)), 6):f}",
            quality=_rounded(quality.value),
            quality_low=_rounded(quality.low),
            quality_high=_rounded(quality.high),
            quality_source=quality.source if quality.value is not None else "none",
            share={model.id: round(tally.share(model.id), 6) for model in played.side.catalog.models},
        ),
    )


def per_day_pico(plan: Plan, tally: Tally) -> int:
    """What a day of the window costs, in pico-USD."""
    return round(tally.spend.pico / plan.window.days)


def per_1000_pico(tally: Tally) -> int:
    """What 1,000 decisions cost, in pico-USD."""
    return round(tally.spend.pico * 1000 / tally.decisions) if tally.decisions else 0


def _trimmed(usd: str) -> str:
    """An exact amount without the zeros that say nothing."""
    whole, _, part = usd.partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
