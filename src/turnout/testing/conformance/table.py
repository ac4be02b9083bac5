"""What survives a switch, as a table: for each row of the cases, what comes of it between each two protocols."""

from __future__ import annotations

from collections.abc import Sequence

from turnout.testing.conformance.cases import KINDS, Case

PROTOCOLS = {"bedrock": "Bedrock", "anthropic": "Anthropic", "openai": "OpenAI"}
"""How protocols are named in tables."""


def markdown(cases: Sequence[Case]) -> str:
    """The table in Markdown: a row for each row of the cases, a column for each pair of protocols."""
    pairs = [(one, other) for one in PROTOCOLS for other in PROTOCOLS]
    heads = " | ".join(f"{PROTOCOLS[one]} to {PROTOCOLS[other]}" for one, other in pairs)
    lines = [f"| what the history holds | {heads} |", f"|---{'|---' * len(pairs)}|"]
    for row in _rows(cases):
        cells = [_cell([case for case in cases if case.row == row and case.protocols == pair]) for pair in pairs]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _rows(cases: Sequence[Case]) -> list[str]:
    ordered = sorted(cases, key=lambda case: KINDS.index(case.kind))
    return list(dict.fromkeys(case.row for case in ordered if case.row))


def _cell(cases: Sequence[Case]) -> str:
    return " / ".join(dict.fromkeys(str(case.expected[0]["outcome"]) for case in cases)) or "-"
