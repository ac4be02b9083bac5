"""One route a turn: finds the turn that a call of `Model.stream` belongs to.

Strands calls a model once for each step of a turn's tool loop, and again when it retries. Within an agent the turn is
kept in the invocation's state; where there is none (a direct call), the history up to the newest turn of a person
tells it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from turnout.core.request import HardStay
from turnout.doors.strands.conversation import Call
from turnout.messages.prefix import PrefixHasher
from turnout.router import Router, Turn

_STATE_KEY = "turnout:turn"
_MAX_TURNS = 10_000


class Turns:
    """The open turns of one door."""

    def __init__(self, router: Router, hasher: PrefixHasher) -> None:
        self._router = router
        self._hasher = hasher
        self._open: OrderedDict[str, Turn] = OrderedDict()
        self._lock = threading.Lock()
        self._state_key = f"{_STATE_KEY}:{id(self):x}"

    def of(self, call: Call) -> Turn:
        """The turn of a call: the one that goes on, or a new one."""
        key = self._key_of(call)
        if call.state is not None:
            kept = call.state.get(self._state_key)
            # A forced tool asks for the turn's answer again, as structured output, in a message that no person wrote.
            if isinstance(kept, tuple) and (kept[0] == key or call.forced_tool_choice):
                turn: Turn = kept[1]
                return turn
        elif call.tool_loop and (open_turn := self.find(call)) is not None:
            return open_turn
        turn = self.begin(call)
        if call.state is not None:
            call.state[self._state_key] = (key, turn)
        return turn

    def begin(self, call: Call) -> Turn:
        """A new turn, which later calls of the same history find."""
        turn = self._router.begin_turn(self.session_of(call), query_id=call.overrides.get("query_id", ""))
        with self._lock:
            self._open[self._key_of(call)] = turn
            while len(self._open) > _MAX_TURNS:
                self._open.popitem(last=False)
        return turn

    def find(self, call: Call) -> Turn | None:
        """The newest turn of a call's history, or none."""
        with self._lock:
            return self._open.get(self._key_of(call))

    def session_of(self, call: Call) -> str:
        """The session: the id that was given, or the hash of the conversation's opening."""
        return call.session_id or self._hasher.opening(call.conversation)

    def stay(self, call: Call, turn: Turn) -> HardStay | None:
        """The model that must go on serving: that of the tool loop, or the one that the history is bound to."""
        goes_on = call.tool_loop or (call.forced_tool_choice and turn.calls > 0)
        if goes_on and turn.model is not None:
            return HardStay(turn.model, "bound_state" if call.bound else "tool_loop")
        if call.bound:
            current = turn.model or self._router.memory.session(turn.session_id).current_model
            return HardStay(current, "bound_state") if current is not None else None
        return None

    def _key_of(self, call: Call) -> str:
        return f"{self.session_of(call)}:{self._hasher.turn(call.conversation)}"
