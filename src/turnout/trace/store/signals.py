"""Opt-in: write the record when the process is told to end by a signal.

Python ends on SIGTERM without running ``atexit``, so a process that nobody shuts down in another way loses what waits.
A library must not take over its host's signals, so nothing is installed unless it is asked for. Servers such as uvicorn
install handlers of their own and end normally: they do not need this.
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Protocol

from turnout.trace.errors import LedgerError

logger = logging.getLogger(__name__)


class Flushes(Protocol):
    """What keeps things back for a while: the ledger's recorder, or one of spans."""

    def flush(self, timeout_s: float = ..., /) -> object:
        """Write what waits."""

    def close(self, timeout_s: float = ..., /) -> object:
        """Write what waits and end."""


def install_signal_flush(
    recorder: Flushes, signals: Sequence[signal.Signals] = (signal.SIGTERM,), *, timeout_s: float = 5.0
) -> Callable[[], None]:
    """Write what waits when one of these signals comes, then do what would have been done without us.

    The handler that stood before is called after the flush. Where the signal would have ended the process, the recorder
    is closed (what cannot be written is left beside the ledger) and the process ends by that signal, so that its
    parent sees the same status. An ignored signal stays ignored.

    Args:
        recorder: The recorder to flush.
        signals: The signals to act on.
        timeout_s: How many seconds writing may take.

    Returns:
        A function that puts back the handlers that stood before, unless somebody has replaced ours meanwhile.

    Raises:
        ValueError: This is not the main thread, or a handler was installed by something other than Python; then no
            handler was changed.
    """
    before = {signum: signal.getsignal(signum) for signum in signals}
    for signum, handler in before.items():
        if handler is None:
            raise ValueError(f"the handler of {signum.name} was not installed by Python: flush the recorder from there")

    def flush(signum: int, frame: FrameType | None) -> None:
        previous = before[signal.Signals(signum)]
        ends = previous == signal.SIG_DFL
        try:
            if ends:
                recorder.close(timeout_s)
            else:
                recorder.flush(timeout_s)
        except LedgerError as error:
            logger.error("signal=<%d>, error=<%s> | the ledger was not written", signum, error)
        if callable(previous):
            previous(signum, frame)
        elif ends:
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)

    def uninstall() -> None:
        for signum, handler in before.items():
            if signal.getsignal(signum) is flush:
                signal.signal(signum, handler)

    for signum in before:
        signal.signal(signum, flush)
    return uninstall
