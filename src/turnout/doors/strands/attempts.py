"""Drives the calls of one request of `RoutedModel`: the same model again, another one, the rest of an answer, an end.

What follows a failed call is decided elsewhere: `turnout.upstream.retry` says whether and when to try again, and
`turnout.core.decide` on which candidate. This applies it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from typing import Any

from strands.models import Model

from turnout.core.decision import FAILOVER_UNSAFE, Unavailable, larger_windows_only
from turnout.core.policy import Reason
from turnout.core.request import Request
from turnout.doors.strands.clients import continues, streams
from turnout.doors.strands.conversation import Call
from turnout.doors.strands.given_out import GivenOut
from turnout.doors.strands.routing import StrandsRouting
from turnout.doors.strands.watch import Watch
from turnout.messages.conversation import Conversation
from turnout.router import OpenCall, RefusedError, Routed
from turnout.upstream.errors import BROKE_OFF, CallFailedError, Failure, failure_of
from turnout.upstream.retry import next_step

logger = logging.getLogger(__name__)

_CANCEL_POLL_S = 0.05


class Attempts:
    """The calls of one request.

    Args:
        routing: The door's routing.
        call: What Strands asked for.
        routed: The decision that the first call serves.
        began_s: When the request came, by `time.monotonic`.

    Attributes:
        routed: What the next call serves.
        given_out: What of the answer was passed on.
        said: The assistant message that the next call goes on from; none where it begins the answer.
    """

    def __init__(self, routing: StrandsRouting, call: Call, routed: Routed, began_s: float) -> None:
        self.routed = routed
        self.given_out = GivenOut()
        self.said: dict[str, Any] | None = None
        self._routing = routing
        self._router = routing.router
        self._rules = routing.router.calls
        self._call = call
        self._ends_s = began_s + self._rules.deadline_s
        self._failures = 0
        self._waited_s = 0.0

    @property
    def model(self) -> Model:
        """The Strands model of the next call."""
        return self._routing.models[self.routed.model.id]

    def history(self) -> Conversation:
        """The history of the next call as its model takes it."""
        return self._routing.histories.sent(self._call, self.routed)

    def messages(self, history: Conversation) -> Any:
        """The messages of the next call."""
        return history.messages if self.said is None else [*history.messages, self.said]

    def watch(self) -> Watch:
        """How the next call is watched."""
        streamed = streams(self.model)

        def patience_s(has_content: bool) -> float:
            if has_content:
                return self._rules.stall_s
            left_s = max(self._ends_s - time.monotonic(), 0.001)
            return min(left_s, self._rules.stall_s) if streamed else left_s

        return Watch(cancel_signal=self._call.cancel_signal, patience_s=patience_s)

    async def after(self, error: Exception, open_call: OpenCall) -> None:
        """Get ready for the next call after one that failed, waiting where that helps.

        Raises:
            CallFailedError: There is no next call, by the rules; from that error.
            Exception: That error, where it is the caller's or fatal and nothing of the answer was passed on.
        """
        failure = failure_of(error)
        self._failures += 1
        partial = self.given_out.begun
        if partial and (failure.kind != "retryable" or not self._may_resume()):
            raise self._failed(failure, open_call, BROKE_OFF) from error
        if partial and open_call.has_content:
            self._ends_s = time.monotonic() + self._rules.deadline_s
        unavailable = self._unsuited(failure, partial=partial)
        request = self._resumed() if partial else None
        router, conversation = self._router, self._call.conversation
        same = not any(one.model == self.routed.model.id for one in unavailable)
        elsewhere = router.can_fail_over(
            self.routed, failure.name, conversation=conversation, unavailable=unavailable, request=request
        )
        if partial and self._failures == 1 and not same and not elsewhere:
            raise self._failed(failure, open_call, BROKE_OFF) from error
        step = next_step(
            self._rules,
            failure,
            failures=self._failures,
            waited_s=self._waited_s,
            left_s=self._ends_s - time.monotonic(),
            same=same,
            elsewhere=elsewhere,
            chance=router.chance.random(),
        )
        if step.do == "again":
            logger.warning(
                "model=<%s>, error=<%s>, wait_s=<%.3f> | failed, calling it again",
                self.routed.model.id,
                failure.name,
                step.wait_s,
            )
            await self._wait(step.wait_s)
            again = router.retry(self.routed, request=request)
            if again is not None:
                self.routed = again
                return
        if step.why == "error":
            raise error
        if step.why == "deadline":
            raise self._failed(failure, open_call, step.why) from error
        try:
            following = router.failover(
                self.routed, failure.name, conversation=conversation, unavailable=unavailable, request=request
            )
        except RefusedError as refused:
            unsafe = refused.decision.reason is Reason.FAILOVER_UNSAFE
            raise self._failed(failure, open_call, FAILOVER_UNSAFE if unsafe else "exhausted") from error
        logger.warning(
            "from_model=<%s>, to_model=<%s>, error=<%s>, continues=<%s> | failed, failing over",
            self.routed.model.id,
            following.model.id,
            failure.name,
            partial,
        )
        self.routed, self._failures, self._waited_s = following, 0, 0.0

    def _may_resume(self) -> bool:
        if self._call.forced_tool_choice or self._call.structured_output or not self.given_out.resumable:
            return False
        return self._call.ends_with_user

    def _resumed(self) -> Request:
        """The request that goes on from the answer so far."""
        self.said = self.given_out.resume()
        return self._routing.request_with(self._call, self.routed, self.said)

    def _unsuited(self, failure: Failure, *, partial: bool) -> Sequence[Unavailable]:
        """The candidates that cannot do what is left to do."""
        entries = self._router.catalog.models
        if partial:
            models = self._routing.models
            return [Unavailable(one.id, "no_prefill") for one in entries if not continues(models[one.id], one)]
        if failure.kind == "overflow":
            return larger_windows_only(self._router.catalog, self.routed.model)
        return []

    async def _wait(self, seconds: float) -> None:
        self._waited_s += seconds
        signal = self._call.cancel_signal
        slices = 1 if signal is None else max(1, math.ceil(seconds / _CANCEL_POLL_S))
        # Strands' event belongs to threads and cannot be awaited.
        for _ in range(slices):
            if self._call.is_cancelled:
                return
            await asyncio.sleep(seconds / slices)

    def _failed(self, failure: Failure, open_call: OpenCall, why: str) -> CallFailedError:
        return CallFailedError(
            model=self.routed.model.id,
            error=failure.name,
            why=why,
            partial=self.given_out.begun,
            event_id="" if open_call.event is None else open_call.event.event_id,
            attempts=self.routed.attempt,
        )
