"""A plan as tables for a terminal, as Markdown for a pull request and as JSON for machines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from turnout.core.cost import usd_text
from turnout.evaluate.plan.limits import Held
from turnout.evaluate.plan.planning import Plan, Played, per_1000_pico, per_day_pico
from turnout.evaluate.plan.wording import SOURCES, basis, headline, keys, notes, routes, rows
from turnout.trace.views.fitting import FittingTable

NO_CHANGE = "Nothing differs: every request goes as it does."


def tables(plan: Plan, held: Sequence[Held] = ()) -> Iterable[RenderableType]:
    """What a terminal shows."""
    names = f"{plan.old.side.name} → {plan.new.side.name}"
    if plan.differences:
        table = Table(title=Text(f"{names}: what differs"), title_justify="left")
        for heading in ("key", "old", "new"):
            table.add_column(heading, overflow="fold")
        for row in keys(plan):
            table.add_row(Text(row.what), Text(row.old), Text(row.new))
        yield table
    else:
        yield Text(f"{names}: nothing differs")
    figures = FittingTable(title=f"{names}: {headline(plan)}", title_justify="left")
    for heading in ("what", "old", "new", "change"):
        figures.add_column(heading, justify="left" if heading == "what" else "right")
    for row in rows(plan):
        figures.add_row(*row)
    yield figures
    if changed := routes(plan):
        table = FittingTable(title="the routes that change most", title_justify="left")
        for heading in ("requests", "old", "new", "why", "spend, USD"):
            table.add_column(
                heading, justify="right" if heading in ("requests", "spend, USD") else "left", overflow="fold"
            )
        for route in changed:
            table.add_row(f"{route.requests:,}", route.old, route.new, route.why, route.spend)
        yield table
    yield Text("\n".join([basis(plan), *[f"- {note}" for note in notes(plan)]]))
    for one in held:
        yield Text(sentence(one))


def markdown(plan: Plan, held: Sequence[Held] = ()) -> str:
    """What a pull request shows."""
    old, new = plan.old.side.name, plan.new.side.name
    lines = [f"### Turnout plan: {_code(old)} → {_code(new)}", "", _escaped(headline(plan)), ""]
    if held:
        lines += [f"- {'✅' if one.kept else '❌'} {_escaped(sentence(one))}" for one in held] + [""]
    if plan.differences:
        lines += _table(("key", "old", "new"), [(_code(row.what), row.old, row.new) for row in keys(plan)])
    else:
        lines += [NO_CHANGE, ""]
    lines += _table(("", "old", "new", "change"), rows(plan), right=(1, 2, 3))
    if changed := routes(plan):
        cells = [(f"{one.requests:,}", one.old, one.new, one.why, one.spend) for one in changed]
        lines += _table(("requests", "from", "to", "why", "spend, USD"), cells, right=(0, 4))
    lines += [_escaped(basis(plan)), ""]
    if found := notes(plan):
        lines += ["<details><summary>How to read this</summary>", ""]
        lines += [f"- {_escaped(note)}" for note in found]
        lines += ["", "</details>", ""]
    return "\n".join(lines)


def document(plan: Plan, held: Sequence[Held] = ()) -> dict[str, Any]:
    """What machines are given. Amounts are USD as text."""
    return {
        "old": _side(plan, plan.old),
        "new": _side(plan, plan.new),
        "differences": [one._asdict() for one in plan.differences],
        "window": {
            "first_day": plan.window.first_day,
            "last_day": plan.window.last_day,
            "days": plan.window.days,
            "requests": plan.new.tally.decisions,
            "calls": plan.calls,
            "sessions": plan.sessions,
            "run": plan.window.run,
            "simulated": plan.window.simulated,
        },
        "recorded_usd": usd_text(plan.recorded_pico),
        "changed_requests": plan.changes.decisions,
        "changed_sessions": plan.changes.sessions,
        "routes": [
            {
                **change._asdict(),
                "requests": count,
                "spend_change_usd": usd_text(plan.changes.spend_pico[change]),
            }
            for change, count in sorted(plan.changes.routes.items(), key=lambda item: (-item[1], str(item[0])))
        ],
        "named_requests": plan.named,
        "bounds": [one._asdict() for one in held],
        "notes": notes(plan),
    }


def sentence(one: Held) -> str:
    """A bound and what became of it."""
    return f"{'kept' if one.kept else 'BROKEN'}: {one.bound}: {one.words}"


def _side(plan: Plan, played: Played) -> dict[str, Any]:
    tally, spend, quality = played.tally, played.tally.spend, played.quality
    return {
        "name": played.side.name,
        "catalog_sha256": played.side.lock.catalog_sha256,
        "spend_usd": usd_text(spend.pico),
        "spend_low_usd": usd_text(spend.low_pico),
        "spend_high_usd": usd_text(spend.high_pico),
        "exact_usd": usd_text(spend.exact_pico),
        "classifier_usd": usd_text(tally.classifier_pico),
        "spend_usd_per_day": usd_text(per_day_pico(plan, tally)),
        "spend_usd_per_1000_requests": usd_text(per_1000_pico(tally)),
        "requests": {str(model): count for model, count in sorted(tally.by_model.items(), key=str)},
        "reasons": dict(sorted(tally.reasons.items())),
        "switches": tally.switches,
        "refused": tally.refused,
        "estimated_requests": tally.estimated,
        "kept_requests": tally.kept,
        "unjudged_requests": tally.unjudged,
        "quality": quality.value,
        "quality_low": quality.low,
        "quality_high": quality.high,
        "quality_source": quality.source,
        "quality_meaning": SOURCES[quality.source],
        "quality_requests": quality.known,
        "grades": quality.grades,
    }


def _table(headings: Sequence[str], cells: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    rule = ["--:" if place in right else "---" for place in range(len(headings))]
    found = [f"| {' | '.join(headings)} |", f"|{'|'.join(rule)}|"]
    found += [f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in cells]
    return [*found, ""]


def _code(text: str) -> str:
    return f"`{text.replace('`', '')}`"


def _escaped(text: str) -> str:
    """A cell or a sentence: names of models come from files and may hold anything."""
    if text.startswith("`") and text.endswith("`"):
        return text.replace("|", "\\|")
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
