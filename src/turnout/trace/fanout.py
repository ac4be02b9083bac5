"""Several places where events go, as one."""

from __future__ import annotations

import logging

from turnout.trace.events import Event, Records
from turnout.trace.spans.context import Spans, spans_of

logger = logging.getLogger(__name__)


class Fanout:
    """Hands each event to all of its records, in their order; one that fails does not keep it from the others.

    Args:
        records: Where the events go, such as the ledger's `Recorder` and a `SpanRecorder`.
    """

    def __init__(self, *records: Records) -> None:
        self._records = records

    @property
    def span_source(self) -> Spans | None:
        """What derives spans among the records, or none."""
        return next((found for records in self._records if (found := spans_of(records)) is not None), None)

    def record(self, event: Event) -> None:
        """Hand the event on."""
        for records in self._records:
            try:
                records.record(event)
            except Exception:
                logger.exception("records=<%s> | an event was not taken", type(records).__name__)
