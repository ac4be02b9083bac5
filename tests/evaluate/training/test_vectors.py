from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from turnout.evaluate.training import vectors
from turnout.evaluate.training.vectors import RememberedVectors


class Counting:
    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Any:
        self.asked += texts
        return np.array([[float(len(text)), 1.0] for text in texts])


def test_each_text_is_asked_for_once() -> None:
    counting = Counting()
    remembered = RememberedVectors(counting)
    assert remembered(["aa", "b", "aa"]).tolist() == [[2.0, 1.0], [1.0, 1.0], [2.0, 1.0]]
    assert remembered(["b", "ccc"])[:, 0].tolist() == [1.0, 3.0]
    assert counting.asked == ["aa", "b", "ccc"]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "MOST_REMEMBERED", 1)
    counting = Counting()
    remembered = RememberedVectors(counting)
    for _ in range(2):
        assert remembered(["aa", "b"])[:, 0].tolist() == [2.0, 1.0]
    assert counting.asked == ["aa", "b", "b"]
