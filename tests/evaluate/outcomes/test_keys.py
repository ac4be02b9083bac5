from __future__ import annotations

from pathlib import Path

from tests.evaluate.outcomes.tables import answers, file_of
from turnout.evaluate.outcomes.content import group_key, text_key
from turnout.evaluate.outcomes.keys import content_keys


def test_groups_and_texts_each_once(tmp_path: Path) -> None:
    talk = '[{"role":"user","content":"hello"}]'
    rows = [
        *answers("one", 1, 1),
        *answers("two", 1, 1, group="g"),
        {"conversation": talk, "model": "cheap", "score": 1.0},
    ]
    read: list[int] = []
    found = content_keys(file_of(tmp_path / "t.jsonl", *rows), progress=read.append)
    wanted = {text_key("one", None), text_key("two", None), group_key("g"), text_key("hello", talk)}
    assert set(found.tolist()) == wanted
    assert found.tolist() == sorted(found.tolist())
    assert sum(read) == 5
