"""The chart: cost of each test prompt with and without routing, for each pair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from examples.customer_support.demo.report import Arms, Report
from turnout.core.cost import pico_to_usd


def draw(report: Report, path: Path) -> None:
    """Write a PNG; its title carries the label of simulated models.

    Raises:
        OSError: The file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [arms for arms in report.arms if arms.verdicts]
    figure, axes = pyplot.subplots(1, len(shown), figsize=(6.5 * len(shown), 4.5), layout="constrained", squeeze=False)
    for axis, arms in zip(axes[0], shown, strict=True):
        titles = [query.title.replace(" ", "\n") for query in arms.queries]
        for offset, name, color in ((-0.2, "v3", "#8da0b3"), (0.2, "v4", "#1b6ca8")):
            places = [index + offset for index in range(len(titles))]
            costs = _cents(arms, name)
            bars = axis.bar(places, costs, width=0.38, label=_LEGEND[name], color=color)
            axis.bar_label(bars, fmt="%.2f", fontsize=7, padding=2)
        axis.set_xticks(range(len(titles)), titles, fontsize=8)
        axis.set_ylabel("US cents, classifier and cache writes included")
        axis.set_title(arms.pair, fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(frameon=False, fontsize=8)
    label = "SIMULATED MODELS – " if report.simulated else ""
    settled = all(run.totals.exactness.settled for arms in shown for run in (arms.v3, arms.v4))
    least = "" if settled else ", at least (not every call reported its usage)"
    figure.suptitle(f"{label}cost of each test prompt with and without routing{least}", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


_LEGEND = {"v3": "v3: all to the capable model, cached", "v4": "v4: routed"}


def _cents(arms: Arms, version: str) -> Sequence[float]:
    metrics = arms.v3 if version == "v3" else arms.v4
    costs = {turn.query_id: turn.cost_pico for turn in metrics.turns}
    return [float(pico_to_usd(costs.get(query.title, 0)) * 100) for query in arms.queries]
