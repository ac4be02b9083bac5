"""Which model wrote what a provider keeps: a request that goes on from there cannot go elsewhere.

The Responses API keeps answers under an id (``previous_response_id``), in conversations, and item by item. Ids are
remembered here as answers bring them, the newest 20,000 of this process, with the key that they came with: no other key
may go on from them, read or delete them.

Known limitations: what was written before the gateway started, past another of its processes, or without it is not
known. Where one provider alone can be asked that is no matter but for the choice among its models.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from turnout.doors.gateway.problems import RequestError
from turnout.messages.wire.errors import Problem
from turnout.router import Routed, Turn

_MOST = 20_000


class Writer(msgspec.Struct, frozen=True):
    """Who wrote what is kept.

    Attributes:
        model: The model's catalog id.
        turn: The turn that it was written in.
    """

    model: str
    turn: Turn


class HeldState:
    """The writers of what providers keep, by its ids; from one event loop.

    Args:
        most: How many ids are remembered.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._writers: OrderedDict[str, Writer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._writers)

    def note(self, ids: Iterable[str], routed: Routed) -> None:
        """Remember what an answer said that it is kept under."""
        writer = Writer(routed.model.id, routed.turn)
        for one in ids:
            self._writers[one] = writer
            self._writers.move_to_end(one)
        while len(self._writers) > self._most:
            self._writers.popitem(last=False)

    def writer(self, ids: Iterable[str]) -> Writer | None:
        """Who wrote the first of these that is known; none: nobody knows."""
        return next((self._writers[one] for one in ids if one in self._writers), None)

    def forget(self, one: str) -> None:
        """Forget what is no longer kept."""
        self._writers.pop(one, None)


def writer_for(held: HeldState, ids: Iterable[str], key_id: str) -> Writer | None:
    """Who wrote the first of these that is known; none: nobody knows.

    Args:
        held: Where ids are remembered.
        ids: A provider's ids.
        key_id: The id of the key of whoever asks, or empty.

    Raises:
        RequestError: One of them was written for another key. The answer is that for what is not there.
    """
    known = [writer for one in ids if (writer := held.writer((one,))) is not None]
    if any(writer.turn.key_id != key_id for writer in known):
        raise RequestError(Problem(status=404, code="unknown_state", message="there is nothing of this id"))
    return known[0] if known else None
