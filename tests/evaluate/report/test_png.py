from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.report.conftest import MakeReport
from tests.evaluate.report.hostile import HOSTILE
from tests.evaluate.report.runs import ALONE, run_of
from turnout.evaluate.report.charts import charts_of
from turnout.evaluate.report.data import Report
from turnout.evaluate.report.png import draw

pytestmark = pytest.mark.once


def colours(path: Path) -> int:
    from PIL import Image

    with Image.open(path) as image:
        found = image.convert("RGB").getcolors(maxcolors=2**24)
    return len(found or ())


def test_every_chart_becomes_a_picture(real: Report, tmp_path: Path) -> None:
    paths = draw(charts_of(real), tmp_path / "new" / "folder")
    names = ["cost.png", "latency.png", "spend.png", "models.png", "cache.png", "reasons.png"]
    assert [path.name for path in paths] == names
    assert all(colours(path) > 5 for path in paths)


def test_somebody_elses_text_is_drawn_and_not_understood(report_of: MakeReport, tmp_path: Path) -> None:
    queries = tuple(text.replace("\x00", "") for text in (*HOSTILE, "_hidden", "日本", "$\\frac{1}{0}$"))
    assert (
        len(draw(charts_of(report_of(run_of("a$^", ALONE, queries=queries), run_of("_b", queries=queries))), tmp_path))
        == 5
    )


def test_one_turn_is_enough(report_of: MakeReport, tmp_path: Path) -> None:
    assert len(draw(charts_of(report_of(run_of("a", queries=("only",)))), tmp_path)) == 5


def test_a_folder_that_cannot_be_made(two: Report, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        draw(charts_of(two), tmp_path / "file" / "folder")
