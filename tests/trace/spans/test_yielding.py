from __future__ import annotations

import time

import pytest

from turnout.trace.spans.yielding import EVERY, PAUSE_S, Yielding


def test_it_is_the_list_that_it_was_made_of() -> None:
    items = Yielding(range(3 * EVERY + 1))
    assert items == list(range(3 * EVERY + 1))
    assert list(items) == [*items] == items
    assert (len(items), items[2]) == (3 * EVERY + 1, 2)


def test_it_lets_others_in_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    for _ in Yielding(range(3 * EVERY + 1)):
        pass
    assert pauses == [PAUSE_S] * 3
