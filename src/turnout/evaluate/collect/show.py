"""A collection as tables and sentences for a terminal."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from rich.table import Table

from turnout.core.cost import pico_to_usd
from turnout.evaluate.collect.agreement import Agreement
from turnout.evaluate.collect.card import Card
from turnout.evaluate.collect.choosing import Sample
from turnout.evaluate.collect.collecting import Ended
from turnout.evaluate.collect.session import Collected, Plan
from turnout.evaluate.collect.wanted import Wanted

_WHAT = {"cheap": "an answer that is not recorded", "capable": "the capable model's answer", "judge": "judging"}


def usd(pico: int) -> str:
    """An amount for people."""
    return f"{pico_to_usd(pico):.4f}"


def heading(wanted: Wanted) -> str:
    """Whom a collection compares."""
    return f"{wanted.models.cheap.id} -> {wanted.models.capable.id}"


def sample_table(sample: Sample) -> Table:
    """What was read, what was left out and why, and what is in the sample."""
    table = _table()
    table.add_row("requests read", f"{sample.read:,}")
    for why, count in sorted(sample.left_out.items(), key=lambda item: (-item[1], item[0])):
        table.add_row(_plain(f"left out: {why}"), f"{count:,}")
    table.add_row("could be in the sample", f"{sample.population:,}")
    for name, (whole, taken) in sample.strata.items():
        if whole and len(sample.strata) > 1:
            table.add_row(f"  {name}", f"{taken:,} of {whole:,}")
    table.add_row("in the sample", f"{len(sample.requests):,}")
    table.add_row("  with the answer that was served", f"{sample.answers:,}")
    table.add_row("  known to the ledger", f"{sample.in_ledger:,}")
    return table


def plan_table(plan: Plan) -> Table:
    """The calls that a run would make."""
    table = Table(title="calls still to be made", title_justify="left")
    for heading in ("for", "model", "calls", "expected USD", "highest USD"):
        table.add_column(heading, justify="left" if heading in ("for", "model") else "right", overflow="fold")
    for bill in plan.bills:
        table.add_row(
            _WHAT[bill.what], _plain(bill.model), f"{bill.calls:,}", usd(bill.expected_pico), usd(bill.highest_pico)
        )
    table.add_row("together", "", f"{plan.calls:,}", usd(plan.expected_pico), usd(plan.highest_pico))
    return table


def plan_sentence(plan: Plan, calls_per_minute: float) -> str:
    """What remains to be said of a plan."""
    return (
        f"{plan.pending:,} requests are still to be done, at {calls_per_minute:g} calls a minute in "
        f"{plan.calls / calls_per_minute:.1f} minutes or more. Spent so far: {usd(plan.spent_pico)} USD. "
        "Nothing was called."
    )


def card_table(card: Card) -> Table:
    """What is graded so far."""
    table = _table()
    table.add_row("in the sample", f"{card.sampled:,} of {card.population:,}")
    table.add_row("graded", f"{card.graded:,}")
    for why, count in card.failed.items():
        table.add_row(_plain(f"not graded: {why}"), f"{count:,}")
    if card.pending:
        table.add_row("still to be done", f"{card.pending:,}")
    if card.cheap_score is not None and card.capable_score is not None:
        table.add_row("mean score, cheap (weighted by 1 / propensity)", f"{card.cheap_score:.3f}")
        table.add_row("mean score, capable", f"{card.capable_score:.3f}")
    table.add_row("calls of all runs", f"{card.calls:,}")
    table.add_row("counted against the budget", f"{Decimal(card.spent_usd):.6f} USD")
    return table


def sentences(done: Collected, out: Path) -> list[str]:
    """What remains to be said of a run."""
    card = done.card
    said = [] if card.agreement is None else agreement_sentences(card.agreement)
    if why := _end(done.ended):
        said.append(why)
    said.append(f"{done.rows:,} outcomes written to {out} (it holds prompts; only you can read it). Next:")
    said.append(f"turnout outcomes inspect {out} --pair {card.cheap},{card.capable}")
    return said


def inspected(name: str, card: Card, rows: int | None) -> list[str]:
    """What is to be known of a collection's table before it is relied on; first whom it compares, and its sample.

    Args:
        name: The table's name.
        card: Its card.
        rows: How many rows the table has; none: that is not known.
    """
    shares = "".join(f", {share:g} up to P {upto:g}" for upto, share in card.strata)
    said = [
        f"{name}: collected for {card.cheap} -> {card.capable}, judged by {card.judge}; share of requests that was "
        f"sampled: {card.share:g}{shares}" + (f"; this is a part of {card.part_of}" if card.part_of else "")
    ]
    if card.agreement is not None:
        said += agreement_sentences(card.agreement)
    if card.pending:
        said.append(f"NOT DONE: {card.pending:,} requests of the sample are not graded; turnout collect goes on.")
    if rows is not None and not card.part_of and rows != 2 * card.graded:
        said.append(
            f"CHANGED: the card is of {card.graded:,} graded requests, two rows each; the table has {rows:,} rows."
        )
    return said


def agreement_sentences(found: Agreement) -> list[str]:
    """How far a judge agrees with itself."""
    if found.agreed is None:
        return ["The judge was asked about no two different answers."]
    text = (
        f"The judge said the same in both orders in {found.agreed.value:.1%} of {found.judged:,} requests "
        f"(95 % interval {found.agreed.low:.1%} to {found.agreed.high:.1%}"
        + ("" if found.kappa is None else f"; kappa {found.kappa:.2f}")
        + f"): cheap better {found.cheap_preferred:,}, capable better {found.capable_preferred:,}, tie "
        f"{found.ties:,}; {found.contradicted:,} contradictions count as ties."
    )
    if (first := found.first_preferred) is not None:
        text += (
            f" Of its preferences {first.value:.1%} ({first.low:.1%} to {first.high:.1%}) were for the answer shown "
            "first: half without a bias of position."
        )
    if not found.weak:
        return [text]
    return [
        text,
        "WARNING: so many contradictions make ties of what the judge cannot tell, and a tie says that the cheap model "
        "suffices: take another judge, a rubric, or a check in code before you rely on these scores.",
    ]


def notes(wanted: Wanted, sample: Sample) -> list[str]:
    """What a user should know before the first call."""
    found = []
    if sample.others:
        found.append(f"columns read over: {', '.join(sorted(sample.others))}")
    judging = wanted.models.judging
    if judging in (wanted.models.cheap, wanted.models.capable) and judging is not None:
        found.append(f"note: the judge {judging.id} judges answers of its own, and judges prefer those: take another")
    return found


def _end(ended: Ended) -> str:
    match ended.why:
        case "budget":
            return "The highest cost of the next call does not fit in the budget: raise --budget to go on."
        case "stopped":
            return "Stopped: the same command goes on from here."
        case "failing":
            return f"Stopped after failures in a row, the last: {ended.last_failure}. The same command tries again."
    return ""


def _table() -> Table:
    table = Table(show_header=False)
    table.add_column("what", overflow="fold")
    table.add_column("figure", justify="right")
    return table


def _plain(text: str) -> str:
    """Text that rich shows as it is."""
    from rich.markup import escape

    return escape(text)
