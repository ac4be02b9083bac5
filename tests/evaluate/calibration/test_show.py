from __future__ import annotations

from pathlib import Path

from rich.console import Console

from tests.evaluate.calibration.test_calibrating import made
from tests.evaluate.calibration.test_monitor import event, looked, says
from tests.evaluate.calibration.worlds import graded
from turnout.evaluate.calibration.calibrating import Wanted
from turnout.evaluate.calibration.show import monitored_lines, sentences, stream_table, target_table


def printed(table: object) -> str:
    console = Console(width=160, no_color=True)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_targets_and_what_is_guaranteed(tmp_path: Path) -> None:
    found = made(graded(tmp_path / "t.jsonl", 900), Wanted("quality", 0.95), Wanted("capable_share", 0.9))
    shown = printed(target_table(found))
    assert "quality of 0.95" in shown
    assert "at most 0.9 to the most capable" in shown
    assert "not 10.0000" in shown
    said = list(sentences(found))
    assert said[0] == (
        "With probability at least 0.95 over the drawing of the calibration set, the mean score on requests "
        "exchangeable with it is at least 0.95 of the capable model's, as measured by this scorer."
    )
    assert said[1].startswith("It ends when traffic drifts, or when a model, its parameters")
    assert "Not checked: nobody knows here on what the router was trained." in said[2]
    assert "at most 2.0% are taken for such" in said[3]


def test_what_is_lacking_is_told(tmp_path: Path) -> None:
    few = " ".join(sentences(made(graded(tmp_path / "t.jsonl", 60), Wanted("quality", 0.98))))
    assert "Always capable: 60 different prompts are too few. " in few
    assert "are needed at the least, for a router that loses nothing; about" in few
    assert "Nobody looks for requests that are unlike these." in few
    against = made(graded(tmp_path / "u.jsonl", 900), Wanted("quality", 0.95), Wanted("capable_share", 0.04))
    assert any(line.startswith("NOT POSSIBLE TOGETHER: quality of 0.95 sends") for line in sentences(against))
    worst = made(graded(tmp_path / "v.jsonl", 900), Wanted("quality", 0.9), served="any")
    assert "Whichever of the candidates that clear the bar serves." in list(sentences(worst))


def test_what_the_ledger_said() -> None:
    found = looked(*(event(says(0.99, 1.5)) for _ in range(60)))
    shown = printed(stream_table(found))
    assert "60 verdicts since" in shown
    assert "unlikeness" in shown
    lines = list(monitored_lines(found))
    assert "60 decisions of these candidates" in lines[0]
    assert lines[1] == "unlike: 60 of 60 requests (100.0%); at most 2.0% are expected"
    assert lines[-1].startswith("CALIBRATE AGAIN: ")
    assert list(monitored_lines(looked()))[-1] == "nothing speaks against the calibration"
