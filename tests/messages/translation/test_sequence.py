"""Blocks that come one after another."""

from __future__ import annotations

import pytest

from turnout.messages.translation.parts import BlockDelta, BlockStart, BlockStop
from turnout.messages.translation.sequence import Sequence
from turnout.messages.wire.malformed import MalformedStreamError


def test_numbers_have_no_gaps_and_a_block_ends_where_the_next_begins() -> None:
    blocks = Sequence()
    assert blocks.skip(3) == []
    assert blocks.delta(3, "nothing") == []
    assert blocks.start(7, "text") == [BlockStart(0, "text")]
    assert blocks.is_open(7)
    assert blocks.delta(7, "a") == [BlockDelta(0, "a")]
    assert blocks.start(9, "tool", "id", "name") == [BlockStop(0), BlockStart(1, "tool", "id", "name")]
    assert blocks.stop(7) == []
    assert blocks.stop(9) == [BlockStop(1)]
    assert blocks.close() == []


def test_a_piece_of_a_block_that_is_not_open() -> None:
    with pytest.raises(MalformedStreamError):
        Sequence().delta(0, "a")
