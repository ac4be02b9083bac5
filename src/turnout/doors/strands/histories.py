"""The history of a call as each candidate takes it: carried over from other models, with the cache points of the plan.

It is looked through on every call, as messages of any earlier model may stand in it.
"""

from __future__ import annotations

import logging

from turnout.core.catalog import Catalog, Model
from turnout.core.request import HardStay, HistoryFit
from turnout.doors.strands.conversation import Call
from turnout.messages.conversation import Conversation
from turnout.messages.portability import Carried, MarkersMode, carry, safe_to_switch
from turnout.router import Routed

logger = logging.getLogger(__name__)


class Histories:
    """What candidates are sent.

    Args:
        catalog: The candidates' entries.
        markers: Whose the cache points are, as of `turnout.core.policy.Policy`; those of ``fill`` stand in the system
            and are the door's to add.
        leave_thinking: As of `turnout.messages.portability.safe_to_switch`.
    """

    def __init__(self, catalog: Catalog, *, markers: MarkersMode = "user", leave_thinking: bool = False) -> None:
        self._catalog = catalog
        self._mode: MarkersMode = "manage" if markers == "manage" else "user"
        self._leave_thinking = leave_thinking

    def fits(self, call: Call, stay: HardStay | None) -> tuple[HistoryFit, ...]:
        """What has to be changed in a call's history for each candidate, and what keeps it from one but for the stay.

        What the model that gave the newest answer cannot be sent is left for that model to refuse, and so it is where
        nothing is routed.
        """
        if len(self._catalog.models) == 1:
            return ()
        fits = []
        binds_all = stay is not None and stay.cause == "bound_state"
        source = self._author(call)
        for target in self._catalog.models:
            if target.id == call.written_by:
                continue
            carried = self.carried(call, target.id)
            refusals = carried.refusals
            if source is not None and call.bound and not binds_all:
                safety = safe_to_switch(call.conversation, source, target, leave_thinking=self._leave_thinking)
                if safety.cause == "bound_state":
                    refusals = (f"bound:{safety.reason}", *refusals)
            if refusals or carried.edits:
                fits.append(HistoryFit(target.id, carried.edit_names, refusals))
        return tuple(fits)

    def carried(self, call: Call, model_id: str) -> Carried:
        """The history as a candidate takes it; where nothing has to change, the very objects of the call."""
        if model_id not in call.carried:
            history = Conversation(messages=call.messages, system=call.system)
            call.carried[model_id] = carry(history, self._author(call), self._catalog[model_id], self._mode)
        return call.carried[model_id]

    def sent(self, call: Call, routed: Routed) -> Conversation:
        """What the chosen candidate is sent, with the plan's cache points where these are managed."""
        own = Conversation(messages=call.messages, system=call.system)
        plan = routed.decision.cache_plan
        if plan.origin == "manage":
            # The plan counts the blocks of the tools too.
            whole = Conversation(messages=call.messages, system=call.system, tools=call.conversation.tools)
            carried = carry(whole, self._author(call), routed.model, "manage", plan=plan)
        elif len(self._catalog.models) == 1:
            return own
        else:
            carried = self.carried(call, routed.model.id)
        if carried.history is None:
            return own
        if carried.edits:
            logger.debug(
                "from_model=<%s>, to_model=<%s>, edits=<%s> | history changed for the model",
                call.written_by,
                routed.model.id,
                ", ".join(carried.edits),
            )
        return carried.history

    def _author(self, call: Call) -> Model | None:
        """The model that gave the newest answer, where it is known."""
        if call.written_by is None or call.written_by not in self._catalog:
            return None
        return self._catalog[call.written_by]
