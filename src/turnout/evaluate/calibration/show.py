"""A calibration for people: tables, the guarantee in words, and what it does not say."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from turnout.config.calibration import Kind, Range, Target
from turnout.evaluate.calibration.calibrating import Calibrated
from turnout.evaluate.calibration.figures import Figures
from turnout.evaluate.calibration.monitor import UNLIKENESS, Monitored

REQUESTS = 1_000
"""Costs are shown for so many requests."""

ENDS = (
    "It ends when traffic drifts, or when a model, its parameters, the classifier or the scorer change: "
    "turnout calibrate --check says what it can see of that."
)
"""What a guarantee hangs on."""

_WANTED: dict[Kind, str] = {
    "quality": "quality of {:g}",
    "capable_share": "at most {:.4g} to the most capable",
    "budget_usd": "at most {:.6g} USD a request",
    "cost_ratio": "at most {:.4g} of the capable model's cost",
}


def target_table(found: Calibrated) -> Table:
    """The targets, the bar of each, and what it does to the calibration's requests."""
    file = found.file
    data = file.data
    table = Table(
        title=Text(f"{data.units:,} different prompts, 95 % intervals"),
        title_justify="left",
    )
    cheaper = ", ".join(file.table_names[:-1])
    for heading in ("target", "bar", f"to {file.table_names[-1]}", "quality kept", f"USD for {REQUESTS:,}", "cost"):
        table.add_column(heading, overflow="fold")
    table.caption = Text(f"what does not go to {file.table_names[-1]} goes to {cheaper}; cost: of always asking it")
    table.caption_justify = "left"
    for target, figures in zip(file.targets, found.figures, strict=True):
        table.add_row(
            Text(_WANTED[target.kind].format(target.value)),
            bar_text(target),
            _share(figures.shares[-1]),
            _share(figures.kept),
            _usd(figures),
            _share(figures.ratio),
        )
    return table


def bar_text(target: Target) -> str:
    """A bar for people."""
    return "always capable" if target.bar is None else f"{target.bar:.6g}"


def sentences(found: Calibrated) -> Iterator[str]:
    """What is guaranteed, what is lacking, and what is not known."""
    file = found.file
    for place, target in enumerate(file.targets):
        if target.statement:
            yield target.statement
            yield from _lacking(found, place)
    if any(target.statement for target in file.targets):
        yield ENDS
    if file.served == "any":
        yield "Whichever of the candidates that clear the bar serves."
    if found.left_out:
        yield f"left out: {found.left_out:,} prompts that the classifier was trained on"
    if not found.overlap_known:
        yield ("Not checked: nobody knows here on what the router was trained. It must not have been on these prompts.")
    if file.references is not None:
        yield (
            f"Requests that are unlike these go to {file.table_names[-1]}: of requests like them at most "
            f"{file.references.share:.1%} are taken for such."
        )
    elif file.data.set_aside == 0:
        yield "Nobody looks for requests that are unlike these."
    if found.conflict:
        yield f"NOT POSSIBLE TOGETHER: {found.conflict}"


def _lacking(found: Calibrated, place: int) -> Iterator[str]:
    outcome, target = found.quality[place], found.file.targets[place]
    units = found.file.data.units
    if outcome.bar is None:
        if outcome.least is None:
            yield "Always capable: no number of prompts is enough to keep that much."
        elif units < outcome.least:
            yield (
                f"Always capable: {units:,} different prompts are too few. {outcome.least:,} are needed at the least, "
                f"for a router that loses nothing{_about(outcome.more)}."
            )
        else:
            needed = "different prompts are needed for this router"
            yield (
                f"Always capable: {units:,} different prompts are too few for this router to be sure of "
                f"{target.value:g}{_about(outcome.more, needed)}."
            )


def _about(more: int | None, needed: str = "for this one") -> str:
    if more is None:
        return "; the highest bar loses too much on these, more of them would not help"
    return f"; about {more:,} {needed}, if others are like these"


def stream_table(found: Monitored) -> Table:
    """What verdicts said since."""
    table = Table(title=Text(f"{found.verdicts:,} verdicts since"), title_justify="left")
    for heading in ("of", "mean then", "mean now", "PSI", "p"):
        table.add_column(heading, justify="left" if heading == "of" else "right", overflow="fold")
    for one in found.streams:
        name = UNLIKENESS if one.of == UNLIKENESS else f"P({one.of})"
        table.add_row(Text(name), f"{one.mean_then:.3f}", f"{one.mean_now:.3f}", f"{one.psi:.3f}", f"{one.p:.2g}")
    return table


def monitored_lines(found: Monitored) -> Iterator[str]:
    """What came of a look at the ledger."""
    if found.decisions:
        shares = ", ".join(f"{name} {share:.1%}" for name, share in found.shares.items())
        yield f"{found.decisions:,} decisions of these candidates; served: {shares or 'nothing under this bar'}"
    if found.unlike_expected is not None and found.verdicts:
        yield (
            f"unlike: {found.unlike:,} of {found.verdicts:,} requests ({found.unlike / found.verdicts:.1%}); at most "
            f"{found.unlike_expected:.1%} are expected"
        )
    if found.failed_verdicts:
        yield f"{found.failed_verdicts:,} turns had no verdict: the most capable model served"
    yield from found.notes
    if found.again:
        yield from (f"CALIBRATE AGAIN: {why}" for why in found.again)
    else:
        yield "nothing speaks against the calibration"


def _share(found: Range | None) -> str:
    return "–" if found is None else f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def _usd(figures: Figures) -> str:
    if figures.usd is None or figures.capable_usd is None:
        return "not known"
    return f"{figures.usd.value * REQUESTS:.4f}, not {figures.capable_usd.value * REQUESTS:.4f}"
