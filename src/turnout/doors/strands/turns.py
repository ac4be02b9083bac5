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
from turnout.messages.request import hard_stay
from turnout.router import Router, Turn

_STATE_KEY = "turnout:turn"
_MAX_TURNS = 10_000


class Turns:
    """The open turns of one door.

    Args:
        router: Opens turns, and knows sessions and candidates.
        hasher: Tells turns apart by their history.
        leave_thinking: As of `turnout.messages.portability.safe_to_switch`.
    """

    def __init__(self, router: Router, hasher: PrefixHasher, *, leave_thinking: bool = False) -> None:
        self._router = router
        self._leave_thinking = leave_thinking
        self._writers: OrderedDict[str, str] = OrderedDict()
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

    def wrote(self, turn: Turn, model_id: str) -> None:
        """Note which model gave the newest answer of a session."""
        with self._lock:
            self._writers[turn.session_id] = model_id
            self._writers.move_to_end(turn.session_id)
            while len(self._writers) > _MAX_TURNS:
                self._writers.popitem(last=False)

    def writer(self, turn: Turn) -> str | None:
        """The model that gave the newest answer of a session, or was chosen to; none where that is not known."""
        with self._lock:
            written = self._writers.get(turn.session_id)
        return written or turn.model or self._router.memory.session(turn.session_id).current_model

    def stay(self, call: Call, turn: Turn) -> HardStay | None:
        """The model that must go on serving: that of the tool loop, or the one that the history is bound to."""
        goes_on = turn.model is not None and (call.tool_loop or (call.forced_tool_choice and turn.calls > 0))
        current = self.writer(turn)
        if current is None or not (goes_on or call.bound):
            return None
        catalog = self._router.catalog
        if current not in catalog:
            return HardStay(current, "bound_state" if call.bound else "tool_loop")
        others = [model for model in catalog.models if model.id != current]
        stay = hard_stay(
            call.conversation,
            catalog[current],
            others,
            turn_goes_on=goes_on,
            leave_thinking=self._leave_thinking,
        )
        # Direct calls may bring a loop that no turn of ours began: then nothing is known of who began it.
        return None if stay is not None and stay.cause == "tool_loop" and not goes_on else stay

    def _key_of(self, call: Call) -> str:
        return f"{self.session_of(call)}:{self._hasher.turn(call.conversation)}"
