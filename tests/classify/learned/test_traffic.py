from __future__ import annotations

from pathlib import Path

import pytest

from tests.classify.learned.models import model_of
from turnout.classify.learned.traffic import MOST_READ, PromptsError, looked_through, read_prompts, traffic_of


@pytest.mark.parametrize(
    ("unlike", "prompts", "found"),
    [
        (0, 0, "too few"),
        (20, 20, "too few"),
        (2, 40, "like"),
        (8, 100, "like"),
        (40, 100, "unlike"),
        (18, 100, "unlike"),
    ],
)
def test_what_shares_say(unlike: int, prompts: int, found: str) -> None:
    assert traffic_of(unlike, prompts).found == found


def test_prompts_are_held_against_training() -> None:
    model = model_of()
    assert looked_through(model, ["word " * number for number in range(2, 42)]).found == "like"
    assert looked_through(model, [f"Quite another thing, {number}!" for number in range(40)]).found == "unlike"


@pytest.mark.parametrize(
    ("name", "text", "prompts"),
    [
        ("p.txt", "one\r\n\n two\n", ["one", " two"]),
        ("p.jsonl", '"one"\n\n{"prompt": "two"}\n{"text": "three", "more": 1}\n', ["one", "two", "three"]),
        ("p.csv", 'id,prompt\n1,"one\nmore"\n2,two\n3,\n', ["one\nmore", "two"]),
        ("p.csv", "text\none\n", ["one"]),
    ],
)
def test_files_of_prompts(tmp_path: Path, name: str, text: str, prompts: list[str]) -> None:
    (tmp_path / name).write_text(text, newline="")
    assert read_prompts(tmp_path / name) == prompts


def test_only_the_first_prompts_are_read(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("x\n" * (MOST_READ + 5))
    assert len(read_prompts(tmp_path / "p.txt")) == MOST_READ


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("none.txt", None, "cannot read .*none.txt"),
        ("p.txt", b"\n \n", "holds no prompt"),
        ("p.txt", b"caf\xe9", "not UTF-8 text"),
        ("p.jsonl", b'"a"\n{"x": 1}\n', "line 2: neither a string nor an object with prompt, text, query"),
        ("p.jsonl", b"{\n", "line 1: no JSON"),
        ("p.csv", b"a,b\n1,2\n", "has no column prompt, text, query; it has a, b"),
        ("p.csv", b"", "it has none"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, name: str, data: bytes | None, message: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(PromptsError, match=message):
        read_prompts(tmp_path / name)
