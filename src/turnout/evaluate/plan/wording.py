"""A plan in words and figures: the rows and notes that a terminal, a pull request and JSON show alike."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from turnout.core.cost import pico_to_usd
from turnout.evaluate.plan.costs import Spend
from turnout.evaluate.plan.planning import Plan, Played, per_1000_pico, per_day_pico
from turnout.evaluate.plan.quality import Quality
from turnout.trace.views.figures import NOT_KNOWN, signed, usd

MOST_ROUTES = 8
"""How many changed routes are shown, those of the most requests."""

ESTIMATED = "estimated"
"""The label of what is counterfactual."""

SOURCES = {
    "outcomes": "mean score of graded answers",
    "classifier": "expected share that suffices, the classifier's own estimate, not measured",
    "none": "not known",
}
"""Where an estimate of quality comes from, in words."""


class Row(NamedTuple):
    """A figure on both sides, and how it changes."""

    what: str
    old: str
    new: str
    change: str = ""


class Route(NamedTuple):
    """A change of routes: how many decisions go from one model and reason to others, and what that costs."""

    requests: int
    old: str
    new: str
    why: str
    spend: str


def headline(plan: Plan) -> str:
    """The plan in a sentence."""
    old, new = plan.old, plan.new
    a_day = [usd(pico_to_usd(per_day_pico(plan, one.tally)), 4) for one in (old, new)]
    label = "" if _exact(old) and _exact(new) else f" ({ESTIMATED})"
    spend = f"Spend ${a_day[0]} → ${a_day[1]} a day{label}"
    change = _relative(old.tally.spend.pico, new.tally.spend.pico)
    quality = "quality not known"
    if old.quality.value is not None and new.quality.value is not None:
        moved = signed(Decimal(repr(new.quality.value)) - Decimal(repr(old.quality.value)), 4)
        quality = f"quality {old.quality.value:.4f} → {new.quality.value:.4f}, {moved} ({SOURCES[new.quality.source]})"
    return f"{spend}, {change}; {quality}."


def rows(plan: Plan) -> list[Row]:
    """The figures of both sides."""
    old, new = plan.old, plan.new
    before, after = old.tally, new.tally
    found = [
        _money("spend, USD", before.spend.pico, after.spend.pico),
        _money("spend a day, USD", per_day_pico(plan, before), per_day_pico(plan, after)),
        _money("spend for 1,000 requests, USD", per_1000_pico(before), per_1000_pico(after)),
        Row("of the spend exact", _exact_share(before.spend), _exact_share(after.spend)),
        Row("reckoned with, USD", _range(before.spend), _range(after.spend)),
        _money("of it the classifier, USD", before.classifier_pico, after.classifier_pico),
        Row("quality", _quality(old.quality), _quality(new.quality), _moved(old.quality, new.quality)),
    ]
    for model, name in _names(plan).items():
        shares = [f"{one.tally.share(model):.1%}" for one in (old, new)]
        moved = signed(Decimal(repr(after.share(model) - before.share(model))) * 100, 1)
        found.append(Row(f"requests on {name}", shares[0], shares[1], f"{moved} points"))
    for what, one, other in (
        ("switches within sessions", before.switches, after.switches),
        ("requests refused", before.refused, after.refused),
    ):
        found.append(Row(what, f"{one:,}", f"{other:,}", f"{other - one:+,}" if other != one else "0"))
    changed = f"{plan.changes.decisions:,} of {before.decisions:,}"
    found.append(Row("requests that change", "", changed))
    found.append(Row("sessions that change", "", f"{plan.changes.sessions:,} of {plan.sessions:,}"))
    return found


def routes(plan: Plan) -> list[Route]:
    """The changes of routes, those of the most requests first."""
    names = _names(plan)

    def name(model: str | None) -> str:
        return "refused" if model is None else names.get(model, model)

    found = sorted(plan.changes.routes.items(), key=lambda item: (-item[1], str(item[0])))
    return [
        Route(
            requests=count,
            old=name(change.old),
            new=name(change.new),
            why=change.new_reason
            if change.old_reason == change.new_reason
            else f"{change.old_reason} → {change.new_reason}",
            spend=signed(pico_to_usd(plan.changes.spend_pico[change]), 6),
        )
        for change, count in found[:MOST_ROUTES]
    ]


def keys(plan: Plan) -> list[Row]:
    """The keys that differ."""
    return [
        Row(one.key, NOT_KNOWN if one.old is None else one.old, NOT_KNOWN if one.new is None else one.new)
        for one in plan.differences
    ]


def basis(plan: Plan) -> str:
    """What the plan rests on, in a sentence."""
    window, decisions = plan.window, plan.new.tally.decisions
    days = window.first_day if window.days == 1 else f"{window.first_day} to {window.last_day}"
    run = "" if window.run is None else f" of the run {window.run}"
    simulated = ", with simulated models" if window.simulated else ""
    return (
        f"{decisions:,} requests of {plan.sessions:,} sessions{run}, {days} "
        f"({_count(window.days, 'day')}, UTC){simulated}; they did cost {usd(pico_to_usd(plan.recorded_pico))} USD."
    )


def notes(plan: Plan) -> list[str]:
    """What is held as recorded, estimated or left out, as far as it matters for this plan."""
    old, new = plan.old, plan.new
    found = []
    if any(one.tally.estimated for one in (old, new)):
        counts = " and ".join(f"{one.tally.estimated:,} ({side})" for side, one in (("old", old), ("new", new)))
        found.append(
            f"{ESTIMATED.capitalize()}: the cost of {counts} requests, which go otherwise than was recorded or whose "
            "usage was not reported. Lengths of answers follow learned ratios, caches are simulated; conversations, "
            "calls a turn and verdicts are held as recorded."
        )
    if old.side.lock.classifier != new.side.lock.classifier:
        found.append(
            "The classifier changes, and the ledger holds no text that it could read: verdicts stay those that were "
            "recorded, so nothing here tells what the new classifier would say. Measure it with `turnout evaluate`."
        )
    unjudged = max(old.tally.unjudged, new.tally.unjudged)
    if unjudged:
        found.append(
            f"In {unjudged:,} requests a classifier would be asked that was not: the most capable model is taken to "
            "serve them, and the range goes down to the cheapest."
        )
    kept = max(old.tally.kept, new.tally.kept)
    if kept:
        found.append(f"The cost of {kept:,} requests stands as recorded: their usage is not known.")
    if new.tally.refused > old.tally.refused:
        found.append(
            f"{new.tally.refused - old.tally.refused:,} more requests would be refused; they cost nothing here. Pins, "
            "and the models of keys, keep the names that they were recorded with."
        )
    if old.side.bound != new.side.bound or (new.side.bound is not None and plan.differences):
        found.append("The account of the spend bound begins empty with the first of these requests, on both sides.")
    if plan.named:
        counts = ", ".join(f"{name} {count:,}" for name, count in plan.named.items())
        found.append(f"Requests that named a preset or a route are decided by it: {counts}.")
    if plan.window.left_out:
        found.append(f"{plan.window.left_out:,} decisions of simulated models are left out.")
    unknown = new.tally.decisions - new.tally.refused - new.quality.known
    if new.quality.source == "classifier" and unknown > 0:
        found.append(f"Quality leaves out {unknown:,} requests that a cheaper model serves without a verdict.")
    missing = ", ".join(dict.fromkeys([*old.quality.missing, *new.quality.missing]))
    if missing:
        found.append(f"Quality is not known: nobody graded {missing}.")
    if plan.other_grades:
        found.append(f"{plan.other_grades:,} grades of other models are left out.")
    if old.side.lock.edited:
        found.append(f"{old.side.name} was edited by hand: its models are not those that it was written with.")
    return found


def _names(plan: Plan) -> dict[str, str]:
    """Names of the candidates of both sides by id, the most capable first; ids where a name is not its own."""
    models = {model.id: model for side in (plan.old.side, plan.new.side) for model in side.catalog.models}
    ranks = {one.model: one.rank for side in (plan.new.side, plan.old.side) for one in side.policy.candidates}
    ordered = sorted(models.values(), key=lambda model: (-ranks[model.id], model.id))
    called = [model.name for model in ordered]
    return {model.id: model.name if called.count(model.name) == 1 else model.id for model in ordered}


def _exact(played: Played) -> bool:
    return not played.tally.estimated


def _money(what: str, old: int, new: int) -> Row:
    return Row(what, usd(pico_to_usd(old)), usd(pico_to_usd(new)), _relative(old, new))


def _relative(old: int, new: int) -> str:
    if old == new:
        return "no change"
    return "from nothing" if not old else f"{signed(Decimal(new - old) * 100 / old, 2)} %"


def _exact_share(spend: Spend) -> str:
    return (
        "all"
        if spend.exact_pico == spend.high_pico == spend.low_pico
        else f"{spend.exact_pico / spend.pico:.1%}"
        if spend.pico
        else "none"
    )


def _range(spend: Spend) -> str:
    low, high = usd(pico_to_usd(spend.low_pico)), usd(pico_to_usd(spend.high_pico))
    return low if low == high else f"{low} to {high}"


def _quality(quality: Quality) -> str:
    if quality.value is None or quality.low is None or quality.high is None:
        return "not known"
    return f"{quality.value:.4f} ({quality.low:.4f} to {quality.high:.4f})"


def _moved(old: Quality, new: Quality) -> str:
    if old.value is None or new.value is None:
        return ""
    return "no change" if old.value == new.value else signed(Decimal(repr(new.value)) - Decimal(repr(old.value)), 4)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
