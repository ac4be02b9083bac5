"""Labelled queries."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from turnout.classify.examples import (
    LabelledExample,
    LabelledSetError,
    load_examples,
    load_queries,
    of_split,
)

TEST_PROMPTS = (
    "What is your return policy for laptops?",
    "Tell me about your smartphone options",
    "My laptop won't turn on, can you help me troubleshoot?",
    "I want to buy a laptop. What are the specs and what's the return policy?",
    "Hello! What can you help me with today?",
)


def row(number: int, label: str, **changes: Any) -> dict[str, Any]:
    base = {"pair": f"p{number}", "id": f"p{number}-{label[0]}", "topic": "t", "text": f"{label} {number}"}
    return {**base, "label": label, "split": "examples", "why": "because", **changes}


def written(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return path


def test_the_packaged_set_keeps_its_promises() -> None:
    queries = load_queries()
    pairs = {query.pair for query in queries}
    assert len(pairs) >= 120
    assert len(queries) == 2 * len(pairs)
    for split in ("examples", "calibration", "held_out"):
        labels = [query.label for query in of_split(queries, split)]
        assert labels.count("simple") == labels.count("complex") > 0


def test_the_packaged_pairs_have_about_the_same_length() -> None:
    words: dict[str, list[int]] = defaultdict(list)
    for query in load_queries():
        words[query.label].append(len(query.text.split()))
    assert sum(words["simple"]) == pytest.approx(sum(words["complex"]), rel=0.05)


def test_no_test_prompt_is_in_the_packaged_set() -> None:
    def plain(text: str) -> str:
        return " ".join(re.findall(r"\w+", text.lower()))

    texts = {plain(query.text) for query in load_queries()}
    assert not texts & {plain(prompt) for prompt in TEST_PROMPTS}


def test_the_users_examples_need_text_and_label_only(tmp_path: Path) -> None:
    file = written(
        tmp_path / "mine.jsonl", [{"text": "a", "label": "simple", "team": 7}, {"text": "b", "label": "complex"}]
    )
    assert load_examples(file) == (LabelledExample("a", "simple"), LabelledExample("b", "complex"))


def test_blank_lines_are_left_out_and_lines_still_counted(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('\n{"text": "a", "label": "simple"}\n\n{"text": "b", "label": "hard"}\n')
    with pytest.raises(LabelledSetError, match=r"mine.jsonl, line 4: .*hard"):
        load_examples(file)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "a", "label": "simple"}], "no query is labelled 'complex'"),
        ([{"text": "a"}], "line 1: .*`label`"),
        ([{"text": "  ", "label": "simple"}], "line 1: the text is empty"),
        ([{"text": 7, "label": "simple"}], "line 1: .*text"),
        (["a"], "line 1: "),
        (
            [{"text": "A  b", "label": "simple"}, {"text": "a B", "label": "complex"}],
            "line 2: the text of line 1 again",
        ),
        ([], "no query is labelled 'simple'"),
    ],
)
def test_examples_that_cannot_be_used(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(LabelledSetError, match=message):
        load_examples(written(tmp_path / "mine.jsonl", rows))


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"{", b'{"text": "\xff", "label": "simple"}'])
def test_a_file_that_is_no_json(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_bytes(data)
    with pytest.raises(LabelledSetError, match="line 1"):
        load_examples(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LabelledSetError, match=r"cannot read the labelled queries .*none.jsonl': No such file"):
        load_examples(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [row(1, "simple"), row(1, "complex", split="held_out")],
            "line 2: pair 'p1' is in split 'held_out' here but in 'examples' on line 1",
        ),
        (
            [row(1, "simple"), row(1, "simple", id="x", text="x")],
            "line 2: pair 'p1' must be one simple and one complex",
        ),
        ([row(1, "simple"), row(2, "complex")], "line 1: pair 'p1' must be one simple and one complex query, got 1"),
        ([row(1, "simple"), row(1, "complex", id="p1-s")], "line 2: the id 'p1-s' is already on line 1"),
        ([row(1, "simple"), row(1, "complex", split="test")], "line 2: .*test"),
    ],
)
def test_sets_of_pairs_that_cannot_be_used(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(LabelledSetError, match=message):
        load_queries(written(tmp_path / "set.jsonl", rows))


def test_a_set_of_the_users(tmp_path: Path) -> None:
    rows = [
        row(1, "simple"),
        row(1, "complex"),
        row(2, "simple", split="held_out"),
        row(2, "complex", split="held_out"),
    ]
    queries = load_queries(written(tmp_path / "set.jsonl", rows))
    assert [query.id for query in of_split(queries, "held_out")] == ["p2-s", "p2-c"]
    assert queries[0].example == LabelledExample("simple 1", "simple")
