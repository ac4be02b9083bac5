"""The table of what survives a switch is the one that the conformance suite's cases give."""

from __future__ import annotations

from pathlib import Path

from turnout.messages.portability import SwitchReason
from turnout.testing.conformance import load_cases
from turnout.testing.conformance.table import markdown

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "switching.md").read_text(encoding="utf-8")


def test_the_table_is_the_suites() -> None:
    table = markdown(load_cases())
    assert table in PAGE, f"docs/switching.md has another table than the suite's cases give:\n{table}"


def test_every_reason_is_explained() -> None:
    for reason in SwitchReason:
        assert f"| `{reason}` |" in PAGE
