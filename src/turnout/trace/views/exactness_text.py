"""What is exact of a total and what is not, in words; quiet where there is nothing to say but that it is exact."""

from __future__ import annotations

from collections.abc import Iterator

from turnout.core.cost import pico_to_usd, usd_to_pico
from turnout.trace.views.compare import Comparison
from turnout.trace.views.exactness import CostRange, Exactness, cost_range
from turnout.trace.views.figures import usd, usd_range


def exactness_note(exactness: Exactness) -> str:
    """One sentence on a settled total: that it is exact, or exact but for calls that failed; empty without calls."""
    if not exactness.calls:
        return ""
    if exactness.exact:
        subject = "the call" if exactness.calls == 1 else f"all {exactness.calls:,} calls"
        return f"exact: {subject} reported {_its(exactness.calls)} usage, priced by the catalog"
    exact = f"exact for {_calls(exactness.exact_calls)} that reported usage, priced by the catalog"
    return f"{exact}; {failed_calls(exactness)}"


def exactness_rows(cost: CostRange, exactness: Exactness, digits: int = 6) -> Iterator[tuple[str, str]]:
    """The parts of a total that is not settled, each with its name: exact, bounded, failed.

    Args:
        cost: The total taken apart.
        exactness: That of its calls.
        digits: Decimals of USD.
    """
    exact = usd(pico_to_usd(cost.exact_pico), digits)
    yield "exact part", f"{exact} $, {_calls(exactness.exact_calls)}: reported, priced by the catalog"
    yield "bounded part", f"{bounded_usd(cost, digits)} $, {inexact_calls(exactness)}"
    if exactness.failed_calls:
        yield "failed calls", failed_calls(exactness)


def exactness_line(cost: CostRange, exactness: Exactness, digits: int = 6) -> str:
    """All that is to be said of a total's exactness, on one line."""
    if exactness.settled:
        return exactness_note(exactness)
    return "; ".join(f"{name} {text}" for name, text in exactness_rows(cost, exactness, digits))


def comparison_notes(comparison: Comparison, digits: int = 6) -> list[str]:
    """That both costs of a comparison are exact, in one sentence; else what is exact of each, one line a run.

    Of totals that were typed in nothing is said: nobody can check them.
    """
    before, after = comparison.exactness_before, comparison.exactness_after
    if before is not None and before.settled and after.settled:
        note = exactness_note(before + after)
        return [f"cost as run: {note}"] if note else []
    sides = [(comparison.after, comparison.cost.after, after)]
    if before is not None and comparison.cost.before is not None:
        sides.insert(0, (comparison.before, comparison.cost.before, before))
    lines = [
        (name, exactness_line(cost_range(usd_to_pico(cost), exactness), exactness, digits))
        for name, cost, exactness in sides
    ]
    return [f"{name}: {line}" for name, line in lines if line]


def bounded_usd(cost: CostRange, digits: int = 6) -> str:
    """The part of a cost that is not exact: ``0.001000 to 0.320000``, ``at least 0.001000``."""
    return usd_range(CostRange(exact_pico=0, low_pico=cost.low_pico, high_pico=cost.high_pico), digits)


def inexact_calls(exactness: Exactness) -> str:
    """Which calls are not exact: ``3 calls (usage estimated 2, none 1), 1 of them without an upper bound``."""
    sources = {
        "partial": exactness.partial,
        "estimated": exactness.estimated,
        "none": exactness.none - exactness.failed_calls,
        "reported but without an exact price": exactness.reported - exactness.exact_calls,
        "recorded by others": exactness.foreign,
    }
    named = ", ".join(f"{name} {count:,}" for name, count in sources.items() if count > 0)
    text = f"{_calls(exactness.inexact_calls)} (usage {named})"
    if not exactness.open_calls:
        return text
    if exactness.open_calls == exactness.inexact_calls:
        return f"{text}, without an upper bound"
    return f"{text}, {exactness.open_calls:,} of them without an upper bound"


def failed_calls(exactness: Exactness) -> str:
    """The calls that failed, and what they are taken for; empty where there is none."""
    count = exactness.failed_calls
    if not count:
        return ""
    return f"{count:,} failed call{'' if count == 1 else 's'} reported none, taken as not billed"


def _calls(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"


def _its(count: int) -> str:
    return "its" if count == 1 else "their"
