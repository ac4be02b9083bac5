"""Which sessions are pinned to which model, in memory; safe for threads.

Bounded: the pin that was set or asked for longest ago is forgotten first, with a warning, since its session is then
routed again. Known limitation: replicas do not share it; a caller that may reach another replica sends its pin along.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict

from turnout.core.pins import check_pin
from turnout.core.policy import Policy

logger = logging.getLogger(__name__)


class SessionPins:
    """The pins of sessions.

    Args:
        policy: Its candidates are the models that a session may be pinned to.
        max_sessions: How many pins are remembered.
    """

    def __init__(self, policy: Policy, *, max_sessions: int = 10_000) -> None:
        self._policy = policy
        self._max_sessions = max_sessions
        self._pins: OrderedDict[str, str] = OrderedDict()
        self._lock = threading.Lock()

    def pin(self, session_id: str, model: str) -> None:
        """Pin a session to a model, in place of an earlier pin.

        Raises:
            UnknownModelError: The model is no candidate; the message names the nearest one.
        """
        check_pin(model, self._policy)
        with self._lock:
            self._pins[session_id] = model
            self._pins.move_to_end(session_id)
            forgotten = [self._pins.popitem(last=False) for _ in range(len(self._pins) - self._max_sessions)]
        for _, forgotten_model in forgotten:
            logger.warning("model=<%s> | too many sessions are pinned, the oldest pin is forgotten", forgotten_model)

    def unpin(self, session_id: str) -> None:
        """Let a session be routed again; one that is not pinned stays so."""
        with self._lock:
            self._pins.pop(session_id, None)

    def of(self, session_id: str) -> str | None:
        """The model that a session is pinned to, or none."""
        if not self._pins:
            return None
        with self._lock:
            model = self._pins.get(session_id)
            if model is not None:
                self._pins.move_to_end(session_id)
            return model
