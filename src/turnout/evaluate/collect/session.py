"""A run of a collection from its files to its files: the sample, the state, the calls, the table of outcomes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from turnout.evaluate.collect.calling import Caller
from turnout.evaluate.collect.card import Card, card_of
from turnout.evaluate.collect.choosing import Sample, sample_of
from turnout.evaluate.collect.collecting import Collector, Ended
from turnout.evaluate.collect.errors import CollectError
from turnout.evaluate.collect.pace import Pace
from turnout.evaluate.collect.planning import Bill, bills_of, pending
from turnout.evaluate.collect.purse import Purse
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.state import State
from turnout.evaluate.collect.wanted import Wanted, plain_judge
from turnout.evaluate.collect.ways import ways_of
from turnout.evaluate.collect.writing import write_outcomes
from turnout.trace.events import Records
from turnout.trace.store.ledger import Ledger
from turnout.upstream.http.client import HttpClient
from turnout.upstream.http.endpoint import connection_rules
from turnout.upstream.ways import Way


class Plan(NamedTuple):
    """What a run would do.

    Attributes:
        pending: How many requests are still to be done.
        bills: What is still to be bought.
        spent_pico: What earlier runs spent, in pico-USD.
    """

    pending: int
    bills: list[Bill]
    spent_pico: int

    @property
    def calls(self) -> int:
        """How many calls, without any that is tried again."""
        return sum(bill.calls for bill in self.bills)

    @property
    def expected_pico(self) -> int:
        """What they are expected to cost, in pico-USD."""
        return sum(bill.expected_pico for bill in self.bills)

    @property
    def highest_pico(self) -> int:
        """What they can cost at most, in pico-USD."""
        return sum(bill.highest_pico for bill in self.bills)


class Limits(NamedTuple):
    """How much and how fast.

    Attributes:
        budget_pico: The most that all runs of the collection may spend, in pico-USD.
        calls_per_minute: The most calls a minute.
        concurrency: How many requests are worked on at once.
    """

    budget_pico: int
    calls_per_minute: float
    concurrency: int = 4


class Collected(NamedTuple):
    """What a run came to.

    Attributes:
        ended: How it ended.
        rows: How many rows the table has.
        card: The collection's card.
    """

    ended: Ended
    rows: int
    card: Card


Watch = Callable[[Collector, Purse, int], AbstractContextManager[Callable[[], None]]]
"""Is entered while a run works through so many requests, and gives what is told after each of them."""


def sampled(wanted: Wanted, ledger: Ledger | None, run: str | None) -> Sample:
    """The sample.

    Args:
        wanted: The collection.
        ledger: Knows what served the requests; none: the file says all.
        run: Only calls of this run of the ledger.

    Raises:
        CollectError: The requests cannot be read, or a check is not there.
        LedgerError: The ledger cannot be read.
    """
    return sample_of(
        wanted.source,
        wanted.sampling,
        cheap=wanted.models.cheap.id,
        # An LLM judge needs nothing of a request.
        lacks=plain_judge(wanted.judge).lacks if wanted.models.judging is None else lambda request: None,
        ledger=ledger,
        run=run,
        resolve=wanted.resolved,
    )


def planned(wanted: Wanted, sample: Sample, *, retry_failed: bool = False) -> Plan:
    """What a run would do now; nothing is called and nothing is written.

    Raises:
        CollectError: The state belongs to another collection, or is in use.
    """
    opened = State(wanted.state, wanted.identity()) if wanted.state.exists() else nullcontext()
    with opened as state:
        todo = pending(sample.requests, state, retry_failed=retry_failed)
        bills = bills_of(
            todo,
            state,
            cheap=wanted.models.cheap,
            capable=wanted.models.capable,
            judge=wanted.models.judging,
            max_output=wanted.max_output,
        )
        return Plan(len(todo), bills, state.spent_pico if state else 0)


def collected(
    wanted: Wanted,
    sample: Sample,
    limits: Limits,
    *,
    records: Records,
    run: str,
    watch: Watch,
    resumed: Callable[[int, int], None] = lambda done, spent_pico: None,
    retry_failed: bool = False,
) -> Collected:
    """Do what is pending, and write the table of all that is graded.

    The table is written however the run ends, by an exception or a cancellation too.

    Args:
        wanted: The collection.
        sample: Its sample.
        limits: How much and how fast.
        records: Where the events of calls go.
        run: The run that they are recorded under.
        watch: Is entered while the run works.
        resumed: Is told how many requests are done and what is spent, where an earlier run is gone on with.
        retry_failed: Whether requests are tried again that failed in a way that is not expected to change.

    Raises:
        CollectError: The state belongs to another collection or is in use, or a file cannot be written.
        ConfigError: A model cannot be called by the settings.
    """
    # Before any file is made: what a model's upstream lacks is told, and nothing is left behind.
    ways = _ways(wanted, sample)
    with State(wanted.state, wanted.identity()) as state:
        todo = pending(sample.requests, state, retry_failed=retry_failed)
        if state.resumed:
            resumed(len(sample.requests) - len(todo), state.spent_pico)
        ended = Ended("done", 0, 0)
        try:
            if todo:
                ended = asyncio.run(_worked(wanted, ways, todo, state, limits, records, run, watch))
        except asyncio.CancelledError:
            ended = Ended("stopped", 0, 0)
        finally:
            try:
                rows = write_outcomes(wanted.out, sample, wanted.sampling, state, wanted.models.cheap.price)
            except OSError as error:
                raise CollectError(
                    f"cannot write {wanted.out}: {error.strerror}; all is kept in {wanted.state}: run it again"
                ) from error
            state.compact()
        return Collected(ended, rows, card_of(sample, wanted.sampling, state))


def _ways(wanted: Wanted, sample: Sample) -> dict[str, Way]:
    """Where the models are called that will be."""
    models = wanted.models
    called = [models.capable, *([models.judging] if models.judging else [])]
    if any(request.answer is None for request in sample.requests):
        called.append(models.cheap)
    return ways_of(wanted.settings, called)


async def _worked(
    wanted: Wanted,
    ways: dict[str, Way],
    todo: list[Request],
    state: State,
    limits: Limits,
    records: Records,
    run: str,
    watch: Watch,
) -> Ended:
    models, settings = wanted.models, wanted.settings
    client = HttpClient(rules=connection_rules(settings), environment=os.environ)
    purse = Purse(limits.budget_pico, state.spent_pico)
    caller = Caller(
        ways,
        client,
        rules=settings.calls,
        purse=purse,
        pace=Pace(limits.calls_per_minute),
        account=state,
        records=records,
        run=run,
    )
    collector = Collector(
        cheap=models.cheap,
        capable=models.capable,
        judge=wanted.judge_by(caller),
        caller=caller,
        state=state,
        max_output=wanted.max_output,
        concurrency=limits.concurrency,
    )
    try:
        with watch(collector, purse, len(todo)) as advance:
            collector.advance = advance
            return await collector.run(todo)
    finally:
        await client.aclose()
