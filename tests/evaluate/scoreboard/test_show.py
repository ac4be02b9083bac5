from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.evaluate.scoreboard.test_board import table
from turnout.classify.assess import Figure
from turnout.evaluate.scoreboard.board import Board, Plan, Wanted, scoreboard
from turnout.evaluate.scoreboard.figures import METRICS
from turnout.evaluate.scoreboard.show import BY_GAP, figure_text, markdown, number_text, tables, two_lines


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    pairs = [Wanted(cheap="cheap", capable="capable", dataset=name) for name in ("even", "odd")]
    source = table(tmp_path_factory.mktemp("t") / "t.csv")
    return scoreboard(Plan(source=source, pairs=pairs, routers=[], resamples=20, folds=3))


def printed(board: Board, *, every: bool, width: int) -> str:
    console = Console(width=width, no_color=True, file=io.StringIO())
    with console.capture() as captured:
        for one in tables(board, every=every):
            console.print(one)
    return captured.get()


def test_every_figure_is_printed(board: Board) -> None:
    text = printed(board, every=True, width=400)
    for metric in METRICS:
        assert metric.heading in text
    assert "random *" in text
    assert "oracle **" in text
    assert "medians over 2 pairs" in text
    assert "more than random: mean over 2 pairs" in text
    assert BY_GAP in text
    assert "15 prompts (15 different), score 0.667 -> 1.000, 1 -> 10 USD for 1,000" in text
    assert "3 folds, thresholds chosen on the others" in text


def test_a_figure_is_never_cut_off(board: Board) -> None:
    assert "…" not in printed(board, every=False, width=140)


def test_markdown_has_a_table_a_pair(board: Board) -> None:
    text = markdown(board)
    assert text.count("| router | APGR |") == 4
    assert text.count("\n| random * | 0.500 |") == 2
    assert "**Medians over 2 pairs**" in text
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.count("|") in (6, 12, 13)
    assert "**More than random, mean over 2 pairs**" in text
    assert f"| saved at 98 % | {BY_GAP} |" in text


def test_figures_in_words() -> None:
    figure = Figure(0.1234, -0.05, 0.2)
    assert figure_text(figure, "score") == "0.123 [-0.050, 0.200]"
    assert figure_text(figure, "share") == "12.3 % [-5.0, 20.0]"
    assert two_lines(figure, "score") == "0.123\n-.05–.20"
    assert two_lines(Figure(0.5, 0.5, 0.5), "score") == "0.500"
    assert (figure_text(None, "score"), two_lines(None, "score"), number_text(None, "score")) == ("–", "–", "–")
    assert number_text(48.25, "percent") == "48.2"
