"""Lets requests in: by key or signature, within the key's limits; what is refused is a `RequestError` for the door."""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from typing import Any, TypeVar

import msgspec

from turnout.core.policy import Policy
from turnout.core.request import Request
from turnout.doors.gateway.access.denial import Denial
from turnout.doors.gateway.access.gate import Gate, Unverified
from turnout.doors.gateway.access.keys import Key
from turnout.doors.gateway.access.limits import Limits, Ticket
from turnout.doors.gateway.access.sigv4 import Head
from turnout.doors.gateway.access.worst_case import worst_pico
from turnout.doors.gateway.models import ROUTED
from turnout.doors.gateway.problems import RequestError
from turnout.messages.wire.asked import Asked, WireProtocol
from turnout.messages.wire.errors import Problem
from turnout.router import Routed

T = TypeVar("T")

_BEDROCK = (WireProtocol.CONVERSE, WireProtocol.INVOKE)
_MOST_NARROWED = 1_000


def steady_clock() -> Callable[[], float]:
    """Seconds since the epoch by a clock that is never set back while the process runs."""
    since = time.time() - time.monotonic()
    return lambda: since + time.monotonic()


class Admission:
    """Lets requests in.

    Args:
        gate: Finds out who asks.
        limits: What keys have used.
        clock: The one of the events' times; never set back.

    Attributes:
        limits: See above.
        clock: See above.
    """

    def __init__(self, gate: Gate, limits: Limits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self.clock = clock
        self._gate = gate
        self._narrowed: dict[tuple[tuple[str, ...], int], tuple[Policy, Policy | Denial]] = {}

    def enter(self, scope: MutableMapping[str, Any], protocol: WireProtocol) -> Key | Unverified:
        """Who asks, before anything is done for the request.

        Raises:
            RequestError: Nobody who is let in.
        """
        head = Head(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"])
        # A signature says when it was made by the client's clock, so it is held against the real time.
        found: Key | Unverified | Denial = self._gate.enter(head, time.time(), bedrock=protocol in _BEDROCK)
        if isinstance(found, Denial):
            raise RequestError(problem_of_denial(found))
        return found

    def known(self, entered: Key | Unverified, body: bytes) -> Key:
        """Who asks, now that the body is there.

        Raises:
            RequestError: The signature is not that of this request, or its key was revoked.
        """
        return _let(entered.verify(body)) if isinstance(entered, Unverified) else entered

    def visit(self, key: Key) -> Visit:
        """Let one request of a key in; close what is returned however the request ends.

        Raises:
            RequestError: A limit of the key is reached.
        """
        return Visit(self, key, _let(self.limits.admit(key, self.now_ms())))

    def narrowed(self, key: Key, policy: Policy) -> Policy:
        """The policy with the candidates alone that may serve a key.

        Raises:
            RequestError: None of them may.
        """
        if not key.rules.models:
            return policy
        name = key.rules.models, id(policy)
        known = self._narrowed.get(name)
        if known is None:
            if len(self._narrowed) >= _MOST_NARROWED:
                self._narrowed.clear()
            # The policy is kept too: as long as it is there, nothing else has its id.
            known = self._narrowed[name] = policy, key.narrow(policy)
        return _let(known[1])

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return int(self.clock() * 1000)


class Visit:
    """One request of a key while it is served.

    Attributes:
        key: Whose request it is.
    """

    __slots__ = ("_admission", "_answers", "_ticket", "key")

    def __init__(self, admission: Admission, key: Key, ticket: Ticket) -> None:
        self.key = key
        self._admission = admission
        self._ticket = ticket
        self._answers = 1

    def named(self, asked: Asked) -> Asked:
        """The request with what the model name ``turnout`` means for the key."""
        self._answers = _answers(asked)
        route = self.key.rules.route
        return msgspec.structs.replace(asked, model=f"{ROUTED}/{route}") if route and asked.model == ROUTED else asked

    def allow(self, model: str | None) -> None:
        """Hold a model that is insisted on against what the key may have.

        Raises:
            RequestError: The key does not allow it.
        """
        if model is not None and not self.key.allows(model):
            message = f"the key {self.key.name!r} does not allow the model {model}"
            raise RequestError(Problem(status=403, code="model_not_allowed", message=message, path="model"))

    def count(self, request: Request) -> None:
        """Take the tokens of the prompt.

        Raises:
            RequestError: There are not so many this minute; or a pin insists on a model that the key does not allow.
        """
        self.allow(request.pin)
        if self.key.rules.tokens_per_minute is not None:
            denial = self._ticket.count(request.tokens, self._admission.now_ms())
            if denial is not None:
                raise RequestError(problem_of_denial(denial))

    def reserve(self, routed: Routed) -> Problem | None:
        """Set aside the most that the next call can cost; none: it may be made."""
        rules = self.key.rules
        if rules.budget_day_usd is None and rules.budget_month_usd is None:
            return None
        high_pico = worst_pico(routed, answers=self._answers)
        denial = self._ticket.reserve(high_pico, self._admission.now_ms())
        return None if denial is None else problem_of_denial(denial)

    def close(self) -> None:
        """The request has ended, and the events of its calls were recorded."""
        self._ticket.close(self._admission.now_ms())


def problem_of_denial(denial: Denial) -> Problem:
    """A denial as a door words it."""
    return Problem(status=denial.status, code=denial.code, message=denial.message, retry_after_s=denial.retry_after_s)


def _let(found: T | Denial) -> T:
    if isinstance(found, Denial):
        raise RequestError(problem_of_denial(found))
    return found


def _answers(asked: Asked) -> int:
    """How many answers are asked for at once, which only Chat Completions knows."""
    raw = asked.body.raws.get("n") if asked.protocol is WireProtocol.OPENAI_CHAT else None
    value = None if raw is None else msgspec.json.decode(raw)
    return value if isinstance(value, int) and value > 1 else 1
