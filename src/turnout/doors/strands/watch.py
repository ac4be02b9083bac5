"""Waits for a model's next event no longer than allowed; ends its call on the wire where nobody wants the answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

from turnout.upstream.errors import StalledError
from turnout.upstream.sockets import CallSocket


def _any_time(_: bool) -> None:
    return None


class Watch:
    """How one call of a Strands model is watched.

    Args:
        cancel_signal: Strands' own event, set when an agent is cancelled; the model then ends its stream by itself.
        patience_s: How many seconds the next event may take, given whether content has come; none: any time.
    """

    def __init__(
        self,
        *,
        cancel_signal: threading.Event | None = None,
        patience_s: Callable[[bool], float | None] = _any_time,
    ) -> None:
        self._cancel_signal = cancel_signal
        self._patience_s = patience_s
        self._socket = CallSocket()

    @property
    def is_cancelled(self) -> bool:
        """Whether the agent was cancelled."""
        return self._cancel_signal is not None and self._cancel_signal.is_set()

    async def next(self, events: AsyncIterator[Any], *, has_content: bool) -> Any:
        """The next event.

        Raises:
            StopAsyncIteration: There is none.
            StalledError: It took too long.
        """
        patience_s = self._patience_s(has_content)
        timeout = asyncio.timeout(patience_s)
        try:
            with self._socket.current():
                async with timeout:
                    return await anext(events)
        except TimeoutError as error:
            if not timeout.expired():
                raise
            raise StalledError(f"no event within {patience_s:.3f} s") from error

    def hang_up(self) -> None:
        """End the call that is still being answered: the provider sees its connection close at once."""
        self._socket.shut()

    def clean_up(self) -> None:
        """Close what a call has left behind whose model gave it up: clients leave a broken stream's socket open."""
        self._socket.close()
