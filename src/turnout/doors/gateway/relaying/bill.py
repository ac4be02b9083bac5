"""Adds up what one request costs: every attempt, and the classifier."""

from __future__ import annotations

from contextvars import ContextVar

from turnout.trace.events import CallEvent, Event, Records
from turnout.trace.spans.context import Spans, spans_of


class Bill:
    """What a request has cost so far, in pico-USD."""

    __slots__ = ("pico",)

    def __init__(self) -> None:
        self.pico = 0


BILL: ContextVar[Bill | None] = ContextVar("turnout_gateway_bill", default=None)
"""The bill of the request that this task serves."""


class BillingRecords:
    """Hands events on, and puts the cost of calls on the bill of the request that they were made for.

    Args:
        records: Where the events go; none: nowhere.
    """

    def __init__(self, records: Records | None) -> None:
        self._records = records

    @property
    def span_source(self) -> Spans | None:
        """What derives spans among the records, or none."""
        return spans_of(self._records)

    def record(self, event: Event) -> None:
        """Take an event."""
        if isinstance(event, CallEvent) and (bill := BILL.get()) is not None:
            bill.pico += event.cost.total_pico
        if self._records is not None:
            self._records.record(event)
