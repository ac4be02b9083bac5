"""The model card: for people, what a model is, on what it was trained, how well it ranks, and how it is made again."""

from __future__ import annotations

from typing import Any

from turnout.classify.assess import Figure
from turnout.evaluate.training.judged import PairCard


def card(facts: dict[str, Any], pairs: tuple[PairCard, ...]) -> str:
    """The card as Markdown.

    Args:
        facts: What ``model.json`` says of the training.
        pairs: How well the model ranks.
    """
    names = " → ".join(facts["candidates"])
    lines = [
        f"# A learned router: {names}",
        "",
        "Says for each request and candidate how likely it is that the most capable candidate would do no better.",
        "",
        "## Data",
        "",
        f"- {facts['prompts']:,} prompts in {facts['groups']:,} groups that all candidates answered, of "
        f"{facts['rows']:,} rows in {', '.join(facts['files'])}",
        f"- SHA-256 of the rows: `{facts['data_sha256']}`",
        f"- costs {'were known' if facts['costs_known'] else 'were not known'}; "
        + (
            f"scores were smoothed: {facts['expected_share']:.0%} of a target is what the answers of {facts['others']} "
            "other models make expected"
            if facts["expected_share"]
            else "scores were taken as they are"
        ),
        "",
        "## How well it ranks",
        "",
        f"By {facts['folds']}-fold cross-validation that splits no group, on {facts['selected_on']:,} prompts; in "
        "brackets 95 % intervals by bootstrap over groups. Penalties and head were weighed on the same folds, so "
        "figures are a little too good; `turnout evaluate` chooses inside the training part.",
        "",
        "| cheaper | most capable | their scores | APGR (0.5 is blind) | saved at 95 % | saved at 98 % |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one.cheap} | {one.capable} | {one.cheap_score:.3f}, {one.capable_score:.3f} | {_shown(one.apgr)} "
            f"| {_shown(one.saved_95)} | {_shown(one.saved_98)} |"
            for one in pairs
        ),
        "",
        f"Saved: of {'the USD' if facts['costs_known'] else 'the calls'} of always taking the most capable candidate, "
        "at that share of its quality, read off the curve.",
        "",
        "## What it is",
        "",
        f"- features: {facts['mode']}; head: {facts['head']}; penalties: {_penalties(facts)}",
        *(
            [f"- {facts['categories']} categories are used: a request that carries none is judged less well"]
            if facts["categories"]
            else []
        ),
        *([f"- ranking by USD: gain over cost to the power {facts['price_power']:g}"] if facts["costs_known"] else []),
        "- mean squared errors of the gain by head: "
        + ", ".join(f"{name} {error:.5f}" for name, error in facts["errors"].items()),
        "",
        "## Made again",
        "",
        "The same rows, versions and kind of processor give the same bytes:",
        "",
        "```",
        facts["command"],
        "```",
        "",
        "## Limits",
        "",
        "It holds for requests like those above, for the same models and the same way of grading. It is no guarantee "
        "of quality: calibrate it on answers that it was not trained on.",
        "",
    ]
    return "\n".join(lines)


def label_card(facts: dict[str, Any], caution: float) -> str:
    """The card of a model that learned from labels of queries.

    Args:
        facts: What ``model.json`` says of the training.
        caution: By how much its log-odds are lowered.
    """
    lines = [
        "# The packaged default of the learned classifier",
        "",
        "Says how likely the label of a query is `simple`. It is no universal router: it knows nothing of any model, "
        "nor of your traffic. `turnout doctor --prompts FILE` says whether your prompts are like those that it knows; "
        "`turnout train` makes a router of your own graded answers.",
        "",
        "## Data",
        "",
        f"- {facts['prompts']:,} invented support queries in {facts['groups']:,} look-alike pairs, one simple and one "
        "complex: the splits `examples` and `calibration` of the packaged set (docs/query-set.md), Apache-2.0",
        f"- SHA-256 of the rows: `{facts['data_sha256']}`",
        "- labels, not graded answers: nothing in it says which model suffices",
        "",
        "## What it is",
        "",
        f"- features: {facts['mode']}; head: {facts['head']}; penalty: {_penalties(facts)}; seed: {facts['seed']}",
        f"- cautious: log-odds are lowered by {caution:.3g}; a query unlike those above gets P = 0; it never expects "
        "more than half of all queries to be simple",
        "- `turnout classify --held-out --only learned` measures it on the 98 queries that had no part in it",
        "",
        "## Made again",
        "",
        "```",
        facts["command"],
        "```",
        "",
    ]
    return "\n".join(lines)


def _shown(figure: Figure | None) -> str:
    return "not defined" if figure is None else f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _penalties(facts: dict[str, Any]) -> str:
    of_scores, *of_costs = facts["penalties"]
    return f"an average around {of_scores:.2g}" + "".join(f", for costs {one:g}" for one in of_costs)
