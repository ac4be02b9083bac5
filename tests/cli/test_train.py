from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.evaluate.training.graded import graded

BASE = ("train", "t.csv", "--models", "cheap,capable", "--features", "ngrams", "--to", "router")


@pytest.fixture(autouse=True)
def outcomes(tmp_path: Path) -> None:
    graded(tmp_path / "t.csv")


def test_a_table_for_people_and_a_folder(turnout: Run, tmp_path: Path) -> None:
    code, out, err = turnout(*BASE)
    assert (code, err) == (0, "")
    assert "learned from 120 prompts, smoothed by 3 other models; features ngrams, head linear" in out
    assert "written: router" in out
    assert sorted(one.name for one in (tmp_path / "router").iterdir()) == [
        "MODEL_CARD.md",
        "model.json",
        "numbers.safetensors",
        "trained_on.safetensors",
    ]


def test_json_for_machines_and_names_of_the_catalog(turnout: Run) -> None:
    code, out, _ = turnout(*BASE, "--as", "a,b", "--json", "--seed", "4")
    found = json.loads(out)
    assert code == 0
    assert (found["candidates"], found["table_names"], found["seed"]) == (["a", "b"], ["cheap", "capable"], 4)
    assert found["pairs"][0]["apgr"]["low"] > 0.5


def test_what_was_trained_is_evaluated_by_its_folder(turnout: Run) -> None:
    assert turnout(*BASE)[0] == 0
    code, out, _ = turnout(
        "evaluate",
        "--outcomes",
        "t.csv",
        "--pair",
        "cheap,capable",
        "--router",
        "router",
        "--resamples",
        "20",
        "--json",
    )
    assert code == 0
    assert "router" in {line["router"] for line in json.loads(out)["board"]["pairs"][0]["lines"]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--models", "cheap"), "--models must be two or more names, the least capable first, got 'cheap'"),
        (("--models", "cheap,capabel"), "no answer of 'capabel'"),
        (("--as", "a,"), "--as must be two or more names"),
        (("--as", "a,b,c"), "2 different names are needed"),
        (("--dataset", "nothing"), "no answer of 'cheap'"),
    ],
)
def test_mistakes_are_told_in_one_line(turnout: Run, arguments: tuple[str, str], words: str) -> None:
    code, out, err = turnout(*BASE, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_a_folder_that_cannot_be_written(turnout: Run, tmp_path: Path) -> None:
    (tmp_path / "router").write_text("a file")
    code, _, err = turnout(*BASE)
    assert code == 2
    assert "cannot write router" in err
