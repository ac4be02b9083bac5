"""Which session and which turn a request belongs to, told by its prompt: clients of HTTP keep no state here.

A turn is known by the hash of the prompt up to its person's newest message, tools and system included; a request whose
newest message brings results of tools goes on with the turn of that hash.
"""

from __future__ import annotations

from collections import OrderedDict

from turnout.core.request import HardStay, Request, Segment
from turnout.messages.conversation import Conversation
from turnout.messages.portability import Switches
from turnout.messages.prefix import is_human
from turnout.messages.request import hard_stay
from turnout.router import Router, Turn

_MAX_TURNS = 10_000


class Turns:
    """The open turns, and who wrote each session's newest answer; from one event loop.

    Args:
        router: Opens turns, and knows sessions and candidates.
        before: What was known under earlier settings, which goes on; none: nothing.
    """

    def __init__(self, router: Router, before: Turns | None = None) -> None:
        self._router = router
        self._open: OrderedDict[str, Turn] = OrderedDict() if before is None else before._open
        self._writers: OrderedDict[str, str] = OrderedDict() if before is None else before._writers

    def of(
        self, conversation: Conversation, request: Request, *, goes_on: bool, query_id: str, key_id: str = ""
    ) -> Turn:
        """The turn of a request: the one that goes on, or a new one.

        Args:
            conversation: What is asked.
            request: The same as the decision sees it.
            goes_on: Whether the newest message brings results of tools.
            query_id: The query's id for a new turn.
            key_id: The id of the key that the request came with.
        """
        key = f"{request.session_id}:{turn_key(conversation, request.segments)}"
        if goes_on and (found := self._open.get(key)) is not None:
            return found
        turn = self._router.begin_turn(request.session_id, query_id=query_id, key_id=key_id)
        self._open[key] = turn
        self._open.move_to_end(key)
        if len(self._open) > _MAX_TURNS:
            self._open.popitem(last=False)
        return turn

    def wrote(self, turn: Turn, model_id: str) -> None:
        """Note which model gave the newest answer of a session."""
        self._writers[turn.session_id] = model_id
        self._writers.move_to_end(turn.session_id)
        if len(self._writers) > _MAX_TURNS:
            self._writers.popitem(last=False)

    def writer(self, session_id: str) -> str | None:
        """The model that gave the newest answer of a session; none where that is not known."""
        return self._writers.get(session_id) or self._router.memory.session(session_id).current_model

    def stay(self, switches: Switches, turn: Turn, *, goes_on: bool, bound: bool) -> HardStay | None:
        """The model that must go on serving: that of the tool loop, or the one that the history is bound to.

        Args:
            switches: Where the history may go from the model that wrote it.
            turn: Its turn.
            goes_on: Whether the newest message brings results of tools.
            bound: Whether the history holds state of the model that wrote it (`has_bound_state`).
        """
        loop = goes_on and turn.model is not None
        if not loop and not bound:
            return None
        source = switches.source
        others = [model for model in self._router.catalog.models if model.id != source.id]
        stay = hard_stay(switches.history, source, others, turn_goes_on=loop, switches=switches)
        # A loop that no turn of ours began: nothing is known of who began it.
        return None if stay is not None and stay.cause == "tool_loop" and not loop else stay


def turn_key(conversation: Conversation, segments: tuple[Segment, ...]) -> str:
    """The hash of the prompt up to and with the newest message of a person, or of all of it where there is none."""
    if not segments:
        return ""
    messages = conversation.messages
    last = len(messages) - 1
    while last >= 0 and not is_human(messages[last]["role"], messages[last]["content"]):
        last -= 1
    if last < 0 or last == len(messages) - 1:
        return segments[-1].prefix_hash
    after = sum("cachePoint" not in block for message in messages[last + 1 :] for block in message["content"])
    return segments[-1 - after].prefix_hash if after < len(segments) else segments[0].prefix_hash
