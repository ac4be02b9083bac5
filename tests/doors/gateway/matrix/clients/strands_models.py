"""Strands' model classes, asked as its agents ask them."""

from __future__ import annotations

import asyncio
import threading
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, ClassVar

import anthropic
import boto3
import openai
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError
from strands.models import BedrockModel, Model
from strands.models.anthropic import AnthropicModel
from strands.models.openai import OpenAIModel
from strands.models.openai_responses import OpenAIResponsesModel
from strands.types.exceptions import ModelThrottledException

from tests.doors.gateway.matrix.clients.aws import ASKED, SHOWN, Assembled, with_results
from tests.doors.gateway.matrix.clients.common import Driver
from tests.doors.gateway.matrix.said import MAX_TOKENS, SCHEMA, SYSTEM, TOOLS, Count, Heard
from tests.doors.gateway.support import Served

OFFERED: list[Any] = [
    {"name": name, "description": f"Looks up {name}.", "inputSchema": {"json": SCHEMA}} for name in TOOLS
]


class StrandsModel(Driver):
    """What they have in common: they hand over the events of ConverseStream, whatever they speak."""

    cached_beside: ClassVar[bool] = True
    """Whether cached tokens stand beside ``inputTokens``, and not within."""

    def __init__(self, gateway: Served) -> None:
        self._gateway = gateway

    @abstractmethod
    def _model(self, model: str, *, streams: bool) -> Model:
        """Build the model."""

    def plain(self, model: str) -> Heard:
        return self._ask(model, ASKED, streams=False)[0]

    def stream(self, model: str) -> Heard:
        return self._ask(model, ASKED, streams=True)[0]

    def tools(self, model: str) -> tuple[Heard, Heard]:
        return self._tools(model, streams=False)

    def tools_streamed(self, model: str) -> tuple[Heard, Heard]:
        return self._tools(model, streams=True)

    def image(self, model: str) -> Heard:
        return self._ask(model, SHOWN, streams=False)[0]

    def cancel(self, model: str) -> None:
        asyncio.run(self._cancel(self._model(model, streams=True)))

    def _tools(self, model: str, *, streams: bool) -> tuple[Heard, Heard]:
        first, said = self._ask(model, ASKED, streams=streams, tools=True)
        return first, self._ask(model, with_results(said), streams=streams, tools=True)[0]

    def _ask(
        self, model: str, messages: list[Any], *, streams: bool, tools: bool = False
    ) -> tuple[Heard, dict[str, Any]]:
        assembled = asyncio.run(self._assemble(self._model(model, streams=streams), messages, tools=tools))
        cut = assembled.reason == "max_tokens"
        assert cut or assembled.reason == ("tool_use" if assembled.tools else "end_turn")
        usage = assembled.usage
        read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
        count = Count(
            prompt=usage["inputTokens"] + (read + written if self.cached_beside else 0),
            read=read,
            output=usage["outputTokens"],
        )
        pieces = assembled.pieces if streams else None
        return Heard(text=assembled.text, tools=assembled.tools, usage=count, pieces=pieces, cut=cut), assembled.message

    async def _assemble(self, model: Model, messages: list[Any], *, tools: bool) -> Assembled:
        assembled = Assembled()
        try:
            async with aclosing(self._events(model, messages, tools=tools)) as events:
                async for event in events:
                    assembled.feed(event)
        finally:
            await self._end(model)
        return assembled

    async def _cancel(self, model: Model) -> None:
        signal = threading.Event()
        try:
            async with aclosing(self._events(model, ASKED, cancel_signal=signal)) as events:
                async for event in events:
                    if "contentBlockDelta" in event:
                        break
                signal.set()
        finally:
            await self._end(model)

    def _events(self, model: Model, messages: list[Any], *, tools: bool = False, **options: Any) -> Any:
        return model.stream(messages, OFFERED if tools else None, SYSTEM, **options)

    async def _end(self, model: Any) -> None:
        """Close the model's connections; those of most classes end with the call."""


class StrandsOpenAI(StrandsModel):
    """``OpenAIModel``."""

    cached_beside = False
    errors: Mapping[int, type[Exception]] = {
        400: openai.BadRequestError,
        404: openai.NotFoundError,
        429: ModelThrottledException,
    }
    broken: type[Exception] = openai.APIError

    def status_of(self, error: Exception) -> int | None:
        return error.status_code if isinstance(error, openai.APIStatusError) else None

    def _arguments(self) -> dict[str, Any]:
        return {"base_url": f"{self._gateway.url}/v1", "api_key": "client-key", "max_retries": 0}

    def _model(self, model: str, *, streams: bool) -> Model:
        return OpenAIModel(
            client_args=self._arguments(),
            model_id=model,
            stream=streams,
            params={"max_completion_tokens": MAX_TOKENS},
        )


class StrandsResponses(StrandsOpenAI):
    """``OpenAIResponsesModel``."""

    always_streams = True
    broken = RuntimeError  # of a class without a public name

    def _model(self, model: str, *, streams: bool) -> Model:
        return OpenAIResponsesModel(
            client_args=self._arguments(), model_id=model, params={"max_output_tokens": MAX_TOKENS}
        )


class StrandsAnthropic(StrandsModel):
    """``AnthropicModel``."""

    always_streams = True
    errors: Mapping[int, type[Exception]] = {
        400: anthropic.BadRequestError,
        404: anthropic.NotFoundError,
        429: ModelThrottledException,
    }
    broken = anthropic.APIError

    def status_of(self, error: Exception) -> int | None:
        return error.status_code if isinstance(error, anthropic.APIStatusError) else None

    def _model(self, model: str, *, streams: bool) -> Model:
        return AnthropicModel(
            client_args={"base_url": self._gateway.url, "api_key": "client-key", "max_retries": 0},
            model_id=model,
            max_tokens=MAX_TOKENS,
        )

    async def _end(self, model: Any) -> None:
        await model.client.close()


class StrandsBedrock(StrandsModel):
    """``BedrockModel``."""

    errors: Mapping[int, type[Exception]] = {400: ClientError, 404: ClientError, 429: ModelThrottledException}
    broken = EventStreamError

    def __init__(self, gateway: Served) -> None:
        super().__init__(gateway)
        self._clients: list[Any] = []

    def status_of(self, error: Exception) -> int | None:
        if not isinstance(error, ClientError) or isinstance(error, EventStreamError):
            return None
        status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def _model(self, model: str, *, streams: bool) -> Model:
        built = BedrockModel(
            model_id=model,
            endpoint_url=self._gateway.url,
            boto_session=boto3.Session(
                aws_access_key_id="client-id", aws_secret_access_key="client-secret", region_name="eu-west-1"
            ),
            boto_client_config=Config(retries={"total_max_attempts": 1}, proxies={}),
            max_tokens=MAX_TOKENS,
            streaming=streams,
        )
        self._clients.append(built.client)
        return built
