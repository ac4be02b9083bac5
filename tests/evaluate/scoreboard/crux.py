"""The lab's graded answers as a table: 465 real prompts, two models."""

from __future__ import annotations

from pathlib import Path

from turnout.evaluate.outcomes.convert import FORMATS
from turnout.evaluate.outcomes.files import Source, source_of, write

LABS = Path(__file__).parents[3] / "labs" / "data" / "outcomes_crux.jsonl"
CHEAP, CAPABLE = "claude-3-haiku-20240307", "claude-3-5-sonnet-20241022"


def crux(folder: Path) -> Source:
    """The table, written to a folder."""
    path = folder / "crux.jsonl"
    write(FORMATS["answers"].read([LABS]), path)
    return source_of([path])
