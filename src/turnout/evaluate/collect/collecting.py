"""Does the work of a collection: answers what is pending, several requests at once, and has the answers judged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from turnout.core.catalog import Model
from turnout.evaluate.collect.calling import Caller
from turnout.evaluate.collect.errors import OutOfBudgetError, RequestFailedError
from turnout.evaluate.collect.judges import Judge
from turnout.evaluate.collect.planning import prompt_of, tools_of
from turnout.evaluate.collect.requests import Request
from turnout.evaluate.collect.state import Answered, Failed, State

logger = logging.getLogger(__name__)

IN_A_ROW = 10
"""After so many failed requests without one that succeeds something is wrong that more calls will not mend."""

End = Literal["done", "budget", "stopped", "failing"]
"""Why a run ended: all was done, the budget, the user, or failures in a row."""


class Ended(NamedTuple):
    """How a run ended.

    Attributes:
        why: Why.
        graded: How many requests it graded.
        failed: How many failed.
        last_failure: The reason of the last failure; empty: none failed.
    """

    why: End
    graded: int
    failed: int
    last_failure: str = ""


class Collector:
    """One run of a collection.

    Args:
        cheap: The cheap model.
        capable: The capable model.
        judge: Grades.
        caller: Calls models.
        state: Keeps what is done.
        max_output: The limit on output of answers.
        concurrency: How many requests are worked on at once.

    Attributes:
        advance: Is told after each request that was graded or failed.
    """

    def __init__(
        self,
        *,
        cheap: Model,
        capable: Model,
        judge: Judge,
        caller: Caller,
        state: State,
        max_output: int,
        concurrency: int = 4,
    ) -> None:
        self._models = {"cheap": cheap, "capable": capable}
        self._judge = judge
        self._caller = caller
        self._state = state
        self._max_output = max_output
        self._concurrency = concurrency
        self.advance: Callable[[], None] = lambda: None
        self._why: End = "done"
        self._stopping = False
        self._graded = self._failed = self._row = 0
        self._last_failure = ""

    def stop(self, why: End = "stopped") -> None:
        """Begin nothing more: calls that are under way are waited for, and whoever has both answers is judged."""
        if not self._stopping:
            self._stopping, self._why = True, why

    async def run(self, requests: Sequence[Request]) -> Ended:
        """Work through requests in their order.

        Whatever ends it, cancellation too, all that was bought and graded until then is in the state.
        """
        waiting = iter(requests)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._concurrency, len(requests))):
                    group.create_task(self._work(waiting))
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None  # the others were cancelled for it, or failed alike
        return Ended(self._why, self._graded, self._failed, self._last_failure)

    async def _work(self, waiting: Iterator[Request]) -> None:
        for request in waiting:
            if self._stopping:
                return
            try:
                await self._collect(request)
            except OutOfBudgetError:
                self.stop("budget")
            except _StoppedError:
                return
            except RequestFailedError as error:
                self._state.failed(request.key, Failed(why=error.why, again=error.again))
                self._failed += 1
                self._row += 1
                self._last_failure = error.why
                logger.info("request=<%s>, why=<%s> | a request was not graded", request.id, error.why)
                self.advance()
                if self._row >= IN_A_ROW:
                    self.stop("failing")

    async def _collect(self, request: Request) -> None:
        cheap = request.answer if request.answer is not None else await self._answer(request, "cheap")
        capable = await self._answer(request, "capable")
        grade = await self._judge.grade(request, cheap, capable)
        self._state.graded(request.key, grade)
        self._graded += 1
        self._row = 0
        self.advance()

    async def _answer(self, request: Request, side: Literal["cheap", "capable"]) -> str:
        """What a model says to a request; an answer that was bought before is not bought again."""
        known = self._state.answers.get((request.key, side))
        if known is not None:
            return known.text
        self._go_on()
        prompt = prompt_of(request, self._max_output, tools_of(request))
        completed = await self._caller.complete(self._models[side], prompt, role="shadow", query_id=request.id)
        answer = Answered(
            text=completed.text,
            input_tokens=completed.input_tokens,
            output_tokens=completed.output_tokens,
            pico=completed.usd_pico,
        )
        self._state.answered(request.key, side, answer)
        return answer.text

    def _go_on(self) -> None:
        if self._stopping:
            raise _StoppedError


class _StoppedError(Exception):
    """The run was stopped between two calls of a request."""
