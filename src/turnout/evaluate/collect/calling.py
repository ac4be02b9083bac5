"""Calls to models for a collection: through the ways out that settings name, within budget and pace, on record.

A request is written in the provider's protocol as the gateway writes one that crosses protocols, and the answer is read
as a whole. Errors are tried again by the rules of calls. Each call is an event with a role of its own (``shadow``,
``judge``) and a turn of its own, so that it is on the bill and in no comparison of turns.

Known limitations: nothing is streamed; cache points in a conversation go along as they stand; sampling parameters of
the served request are not known, so providers' defaults hold.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from turnout.core.bounds import unreported
from turnout.core.calls import CallRules
from turnout.core.catalog import Model
from turnout.core.cost import NO_COST, Cost, cost_of
from turnout.core.usage import NO_USAGE, Usage, UsageError
from turnout.core.verdict import UsageSource
from turnout.evaluate.collect.errors import RequestFailedError
from turnout.evaluate.collect.pace import Pace
from turnout.evaluate.collect.purse import Purse
from turnout.evaluate.collect.tools import converse_tools
from turnout.messages.count import count_block
from turnout.messages.translation.answers import read_whole
from turnout.messages.translation.parts import Block
from turnout.messages.translation.requests import request as written_for
from turnout.messages.wire import converse
from turnout.messages.wire.asked import WireProtocol
from turnout.messages.wire.malformed import MalformedBodyError, MalformedStreamError
from turnout.messages.wire.splice import Body
from turnout.messages.wire.usage import reader_of
from turnout.trace.events import CallEvent, Records, Role, Status, new_id
from turnout.upstream.errors import Failure, failure_of, is_unbilled
from turnout.upstream.http.client import HttpClient
from turnout.upstream.http.errors import AnswerError, RemoteProtocolError, name_of_answer
from turnout.upstream.http.headers import IDENTITY
from turnout.upstream.retry import next_step
from turnout.upstream.ways import Way

_JSON = b"application/json"
_ANTHROPIC_VERSION = (b"anthropic-version", b"2023-06-01")
SPOKEN = (WireProtocol.CONVERSE, WireProtocol.ANTHROPIC, WireProtocol.OPENAI_CHAT)
"""The protocols that are spoken here, what is taken first where an upstream speaks several."""

_CUT = ("max_tokens", "model_context_window_exceeded")


class Ledgered(Protocol):
    """What keeps the account across runs; see `turnout.evaluate.collect.state`."""

    def reserve(self, call: str, pico: int) -> None:
        """A call is about to be made that may cost so much."""

    def settle(self, call: str, pico: int) -> None:
        """It has ended, and counts for so much."""


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is asked.

    Attributes:
        messages: Converse messages.
        system: Converse blocks.
        tools: In Converse's form, or OpenAI's or Anthropic's.
        max_tokens: The most tokens of output, thinking included.
        temperature: None: the provider's default.
    """

    messages: list[dict[str, Any]]
    system: list[dict[str, Any]] = []
    tools: list[dict[str, Any]] = []
    max_tokens: int
    temperature: float | None = None

    @property
    def reference_tokens(self) -> int:
        """Its length in reference tokens (`turnout.messages.count`)."""
        blocks = [*self.system, *self.tools, *(block for message in self.messages for block in message["content"])]
        return sum(count_block(block) for block in blocks) + 8 * len(self.messages)


class Completed(NamedTuple):
    """An answer, and what it took.

    Attributes:
        text: Its text, then each call of a tool on a line of its own.
        input_tokens: Of the prompt, cached ones too.
        output_tokens: Of the answer.
        usd_pico: What it cost in pico-USD; none where the provider did not report.
    """

    text: str
    input_tokens: int
    output_tokens: int
    usd_pico: int | None


def highest_pico(model: Model, prompt_tokens: int, max_tokens: int) -> int:
    """The most that a call can cost, in pico-USD.

    Args:
        model: Whom it is for.
        prompt_tokens: Reference tokens of the prompt.
        max_tokens: The limit on output.
    """
    tokens = round(prompt_tokens * model.tokenizer_ratio)
    cacheable = 0 if model.cache.mode == "none" else tokens
    return unreported(
        model.price,
        prompt_tokens=tokens,
        cacheable_tokens=cacheable,
        most_output_tokens=max_tokens,
        surely_billed=False,
    ).high_pico


class Caller:
    """Calls models; use it from one event loop.

    Args:
        ways: For each catalog id where it is called.
        client: Sends.
        rules: How long and how often a call is tried.
        purse: The budget.
        pace: How fast calls follow each other.
        account: Keeps what is set aside and spent across runs.
        records: Where events go; none: nowhere.
        run: The run that they belong to.
        chance: Draws the waits between attempts.

    Attributes:
        calls: How many calls were made.
    """

    def __init__(
        self,
        ways: Mapping[str, Way],
        client: HttpClient,
        *,
        rules: CallRules,
        purse: Purse,
        pace: Pace,
        account: Ledgered,
        records: Records | None = None,
        run: str = "collect",
        chance: random.Random | None = None,
    ) -> None:
        self._ways = ways
        self._client = client
        self._rules = rules
        self._purse = purse
        self._pace = pace
        self._account = account
        self._records = records
        self._run = run
        self._chance = chance or random.Random()
        self.calls = 0

    async def complete(
        self, model: Model, prompt: Prompt, *, role: Role, query_id: str, whole: bool = True
    ) -> Completed:
        """Ask a model, again where the rules of calls say so.

        Args:
            model: Whom.
            prompt: What.
            role: What the call is for.
            query_id: The request that it is for.
            whole: Whether an answer that was cut off at the limit is of no use.

        Raises:
            OutOfBudgetError: Its highest cost does not fit in what is left.
            RequestFailedError: There is no answer, or none that can be used.
        """
        way = self._ways[model.id]
        body = _body(model, way, prompt)
        turn_id = new_id()
        failures, waited_s = 0, 0.0
        while True:
            call = _Call(
                model, prompt, role=role, query_id=query_id, turn_id=turn_id, attempt=failures + 1, run=self._run
            )
            try:
                completed, reason = await self._once(call, model, way, body)
            except _CallError as error:
                failures += 1
                step = next_step(
                    self._rules,
                    error.failure,
                    failures=failures,
                    waited_s=waited_s,
                    # Nobody waits for it: each attempt has the whole time.
                    left_s=self._rules.deadline_s,
                    same=True,
                    elsewhere=False,
                    chance=self._chance.random(),
                )
                if step.do != "again":
                    again = error.failure.kind in ("retryable", "fatal")
                    raise RequestFailedError(f"{model.id}: {error.failure.name}", again=again) from error
                waited_s += step.wait_s
                await asyncio.sleep(step.wait_s)
                continue
            if whole and reason in _CUT:
                raise RequestFailedError(f"{model.id}: cut off at the limit on output ({reason})", again=False)
            return completed

    async def _once(self, call: _Call, model: Model, way: Way, body: bytes) -> tuple[Completed, str]:
        """One attempt; gives the answer and why it ended."""
        await self._purse.reserve(call.high_pico)
        charged_pico, written = 0, False
        try:
            await self._pace.turn()
            self._account.reserve(call.event_id, call.high_pico)
            charged_pico, written = call.high_pico, True
            self.calls += 1
            call.begin()
            try:
                data = await _sent(self._client, way, model, body, self._rules.deadline_s)
                blocks, reason, usage = _read(way.protocol, data)
            except (AnswerError, ConnectionError, TimeoutError, MalformedStreamError) as error:
                failure = failure_of(error)
                charged_pico = self._book(call.ended("error", error=failure.name))
                raise _CallError(failure) from error
            except asyncio.CancelledError:
                charged_pico = self._book(call.ended("cancelled"))
                raise
            event = call.ended("ok", usage=usage, finish_reason=reason)
            charged_pico = self._book(event)
        finally:
            if written:
                self._account.settle(call.event_id, charged_pico)
            await self._purse.settle(call.high_pico, charged_pico)
        completed = Completed(
            text=_text(blocks),
            input_tokens=event.usage.prompt_tokens,
            output_tokens=event.usage.output_tokens,
            usd_pico=event.cost.total_pico if event.usage_source == "reported" else None,
        )
        return completed, reason

    def _book(self, event: CallEvent) -> int:
        """Put a call on record; gives what it counts for in the budget."""
        if self._records is not None:
            self._records.record(event)
        return max(event.cost.total_pico, event.cost_high_pico)


class _CallError(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.name)
        self.failure = failure


class _Call:
    """One attempt, and the event that it becomes."""

    def __init__(
        self, model: Model, prompt: Prompt, *, role: Role, query_id: str, turn_id: str, attempt: int, run: str
    ) -> None:
        self.event_id = new_id()
        self.high_pico = highest_pico(model, prompt.reference_tokens, prompt.max_tokens)
        self._model = model
        self._role, self._query_id, self._turn_id = role, query_id, turn_id
        self._attempt, self._run = attempt, run
        self.begin()

    def begin(self) -> None:
        """From here on it takes time."""
        self._started_ms, self._started = time.time_ns() // 1_000_000, time.perf_counter()

    def ended(
        self, status: Status, *, usage: Usage | None = None, error: str = "", finish_reason: str = ""
    ) -> CallEvent:
        """Its event; where the provider reported nothing, the cost is at most what was set aside."""
        source: UsageSource = "none"
        cost: Cost = NO_COST
        high_pico = 0
        if usage is not None:
            source, cost = "reported", cost_of(usage, self._model.price)
            high_pico = cost.total_pico
        elif status != "error" or not is_unbilled(error):
            source, high_pico = "estimated", self.high_pico
        return CallEvent(
            event_id=self.event_id,
            run=self._run,
            session_id="",
            turn_id=self._turn_id,
            query_id=self._query_id,
            role=self._role,
            model=self._model.id,
            attempt=self._attempt,
            started_ms=self._started_ms,
            latency_ms=(time.perf_counter() - self._started) * 1000,
            usage=usage or NO_USAGE,
            usage_source=source,
            cost=cost,
            cost_high_pico=high_pico,
            status=status,
            error=error,
            finish_reason=finish_reason,
        )


def _body(model: Model, way: Way, prompt: Prompt) -> bytes:
    """The prompt as the way's protocol has it.

    Raises:
        RequestFailedError: It cannot be written there.
    """
    asked = msgspec.json.encode(
        {
            "messages": prompt.messages,
            **({"system": prompt.system} if prompt.system else {}),
            **({"toolConfig": {"tools": converse_tools(prompt.tools)}} if prompt.tools else {}),
            "inferenceConfig": {
                "maxTokens": prompt.max_tokens,
                **({} if prompt.temperature is None else {"temperature": prompt.temperature}),
            },
        }
    )
    try:
        read = converse.decode(asked, model=model.model_id, stream=False)
        encoded = written_for(read, way.protocol, None, model)
    except MalformedBodyError as error:
        raise RequestFailedError(f"the conversation cannot be read: {error}", again=False) from error
    if encoded.body is None:
        raise RequestFailedError(f"{model.id} cannot be asked this: {', '.join(encoded.refusals)}", again=False)
    called = way.called(model)
    if called != model.model_id and "model" in (written := Body(encoded.body)):
        return written.edited(replace={"model": msgspec.json.encode(called)})
    return encoded.body


async def _sent(client: HttpClient, way: Way, model: Model, body: bytes, most_s: float) -> bytes:
    until_s = asyncio.get_running_loop().time() + most_s
    headers = [(b"content-type", _JSON), (b"accept", _JSON), IDENTITY]
    if way.protocol is WireProtocol.ANTHROPIC:
        headers.append(_ANTHROPIC_VERSION)
    answer = await way.call(client, model, "answer", headers, body, until_s)
    try:
        data = await answer.read(until_s)
    finally:
        answer.close()
    if answer.status != 200:
        raise AnswerError(answer.status, name_of_answer(answer.status, answer.fields), answer.fields, data)
    return data


def _read(protocol: WireProtocol, data: bytes) -> tuple[list[Block], str, Usage | None]:
    """Blocks of the answer, why it ended, and what it took as far as that was reported."""
    reader: Any = reader_of(protocol)
    reader.body(data)
    if reader.error:
        raise RemoteProtocolError("an answer that is an error")
    blocks, finish = read_whole(protocol, data)
    try:
        usage: Usage | None = reader.usage
    except UsageError:
        usage = None
    return blocks, finish.reason, usage


def _text(blocks: list[Block]) -> str:
    lines = [block.text for block in blocks if block.kind == "text"]
    lines += [
        f"{block.name}({msgspec.json.encode(block.arguments, order='deterministic').decode()})"
        for block in blocks
        if block.kind == "tool"
    ]
    return "\n".join(lines)
