from __future__ import annotations

import pytest

from turnout.trace.closing import Closing


class Door(Closing):
    """Counts how often it was closed."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self, timeout_s: float = 1.0) -> bool:
        self.closed += 1
        return True


def test_it_is_closed_once_at_the_end_of_the_block() -> None:
    door = Door()
    with door as entered:
        assert entered is door
        assert door.closed == 0
    assert door.closed == 1


def test_an_error_closes_it_and_goes_on() -> None:
    door = Door()
    with pytest.raises(RuntimeError, match="on purpose"), door:
        raise RuntimeError("on purpose")
    assert door.closed == 1


def test_what_cannot_be_closed_cannot_be_made() -> None:
    class Wall(Closing):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Wall()  # type: ignore[abstract]  # what must not be possible
