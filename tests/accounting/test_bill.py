"""The bill itself: it shares nothing with what it is held against, and its own arithmetic is right by hand."""

from __future__ import annotations

import ast
from fractions import Fraction
from pathlib import Path

import pytest

from tests.accounting import bill as module
from tests.accounting.bill import Counts, as_anthropic, as_bedrock, as_openai, bill, of_anthropic, of_bedrock, of_openai

IMPORTS = {"__future__", "collections.abc", "fractions", "typing"}


def test_the_bill_imports_nothing_of_turnout() -> None:
    assert module.__file__ is not None
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    found = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    found |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert found == IMPORTS


@pytest.mark.parametrize(
    ("model_id", "counts", "usd"),
    [
        # 6,000 written at $3.75 and 20 fresh at $3, 300 of output at $15 per million
        ("global.anthropic.claude-sonnet-4-6", Counts(fresh=20, write_5m=6_000, output=300), "0.02706"),
        # the same read: 6,000 at $0.30
        ("global.anthropic.claude-sonnet-4-6", Counts(fresh=20, read=6_000, output=300), "0.00636"),
        # an hour's write: 6,000 at $6, and all of it 1.1 times in the EU
        ("eu.anthropic.claude-sonnet-4-6", Counts(fresh=20, write_1h=6_000, output=300), "0.044616"),
        # 100,000 tokens are not yet long: $0.10 and $0.50
        ("global.anthropic.claude-haiku-5-5", Counts(fresh=40_000, read=60_000, output=1_000), "0.0051"),
        # 100,001 are: $0.50, $0.05 and $2.50, the read and the answer too
        ("global.anthropic.claude-haiku-5-5", Counts(fresh=40_001, read=60_000, output=1_000), "0.0255005"),
        # 1.2 times for GovCloud
        ("us-gov.anthropic.claude-haiku-4-5-20251001-v1:0", Counts(fresh=1_000, output=100), "0.0018"),
    ],
)
def test_bills_by_hand(model_id: str, counts: Counts, usd: str) -> None:
    assert bill(model_id, counts) == Fraction(usd)


def test_reports_are_read_as_they_are_written() -> None:
    counts = Counts(fresh=5, read=11, write_5m=13, write_1h=17, output=19)
    assert of_bedrock(as_bedrock(counts)) == of_anthropic(as_anthropic(counts)) == counts
    assert of_openai(as_openai(counts)) == Counts(fresh=5, read=11, write_5m=30, output=19)
