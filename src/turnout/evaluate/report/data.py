"""What a report shows, read from the ledger: runs, what they would have cost without routing, and their comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from turnout.evaluate.report.not_routing import NotRouting, not_routing
from turnout.trace.errors import LedgerError
from turnout.trace.store.ledger import Ledger, Run
from turnout.trace.views.compare import Comparison, compare
from turnout.trace.views.metrics import RunMetrics, run_metrics

MOST_RUNS = 6
"""More runs than that cannot be told apart in a chart."""


class ReportedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run.

    Attributes:
        run: Its row in the ledger.
        short: A name that tells it apart from the others of the report.
        metrics: Its turns and totals.
        not_routing: What it would have cost on the most capable candidate alone; none where nothing was routed.
    """

    run: Run
    short: str
    metrics: RunMetrics
    not_routing: NotRouting | None

    @property
    def simulated(self) -> bool:
        """Whether any of its models was simulated."""
        return self.metrics.simulated or self.run.simulated


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the page and the pictures show.

    Attributes:
        runs: The runs, in the order in which they were named.
        comparison: The second run held against the first, where there are two.
        names: Short names of models by catalog id.
        made_ms: When the report was made, in milliseconds since the epoch.
    """

    runs: tuple[ReportedRun, ...]
    comparison: Comparison | None
    names: dict[str, str]
    made_ms: int

    @property
    def simulated(self) -> bool:
        """Whether any model of any run was simulated."""
        return any(run.simulated for run in self.runs)

    def name(self, model: str) -> str:
        """A model's short name, else its id without the provider."""
        return self.names.get(model) or model.partition("/")[2] or model


def read_report(
    ledger: Ledger,
    runs: Sequence[str],
    *,
    names: Mapping[str, str],
    made_ms: int,
    advance: Callable[[int], None] = lambda events: None,
) -> Report:
    """Read the runs of a report.

    Args:
        ledger: Holds them.
        runs: Their names, one to `MOST_RUNS`.
        names: Short names of models by catalog id.
        made_ms: The moment that the page gives as its own.
        advance: Is told how many decisions were read.

    Raises:
        LedgerError: There are too many runs, one stands there twice, one is not in the ledger, or has no events.
    """
    if not 1 <= len(runs) <= MOST_RUNS:
        raise LedgerError(f"a report shows 1 to {MOST_RUNS} runs, got {len(runs)}")
    if len(set(runs)) != len(runs):
        raise LedgerError(f"a run stands twice among {', '.join(runs)}")
    described = [ledger.run(name) for name in runs]
    read = []
    for run, short in zip(described, short_names(runs), strict=True):
        metrics = run_metrics(ledger, run.name)
        if not metrics.turns:
            raise LedgerError(f"the run {run.name!r} has no events: there is nothing to report")
        alone = not_routing(ledger, run.name, advance)
        read.append(ReportedRun(run=run, short=short, metrics=metrics, not_routing=alone))
    comparison = compare(read[0].metrics, read[1].metrics) if len(read) == 2 else None
    return Report(runs=tuple(read), comparison=comparison, names=dict(names), made_ms=made_ms)


def short_names(names: Sequence[str]) -> list[str]:
    """What tells names apart: without the words that all of them begin with. One alone is ``this run``."""
    if len(names) < 2:
        return ["this run"] * len(names)
    first, last = min(names), max(names)
    same = next((place for place, one in enumerate(first) if one != last[place : place + 1]), len(first))
    kept = max(first.rfind(separator, 0, same) for separator in "-_/ .:") + 1
    short = [name[kept:] for name in names]
    return short if all(short) else list(names)
