"""SmolLM2 as a Strands `Model`: real answers without an account, from a small model that is poor at answering.

Known limitations: it never calls a tool, whatever tools it is offered, and says so once in the log; a call that forces
a tool is refused. Tool calls and results in the history are shown to it as text. Images and documents are refused. The
system text is cut to fit the context, the messages are not. A call that is cancelled reports no usage.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from strands.models import Model
from strands.types.content import Messages, SystemContentBlock
from strands.types.event_loop import StopReason, Usage
from strands.types.exceptions import ContextWindowOverflowException
from strands.types.streaming import StreamEvent
from strands.types.tools import ToolChoice, ToolSpec

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

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=BaseModel)

DEFAULT_MAX_TOKENS = 256
"""The most tokens of an answer where nothing else is configured."""

_STOP_REASONS: dict[FinishReason, StopReason] = {"stop": "end_turn", "length": "max_tokens", "cancelled": "cancelled"}
_CHARS_PER_TOKEN = 3  # fewer than English has, so that a text cut by it fits


class LocalModel(Model):
    """Answers with the packaged SmolLM2.

    Args:
        smollm: The loaded model; none: the process's own, loaded at the first call.
        model_id: Its name in spans and events.
        max_tokens: The most tokens of an answer.
    """

    def __init__(
        self, smollm: SmolLM | None = None, *, model_id: str = SMOLLM2_ID, max_tokens: int = DEFAULT_MAX_TOKENS
    ) -> None:
        self._smollm = smollm
        self._told_of_tools = False
        # Strands reads the model's id for its spans from this attribute.
        self.config: dict[str, Any] = {}
        self.update_config(model_id=model_id, max_tokens=max_tokens)

    def update_config(self, **model_config: Any) -> None:
        """Change ``model_id``, ``max_tokens`` or ``context_window_limit``.

        Raises:
            ValueError: Another key, or ``max_tokens`` below 1.
        """
        unknown = set(model_config) - {"model_id", "max_tokens", "context_window_limit"}
        if unknown:
            raise ValueError(f"the local model has no setting {', '.join(sorted(unknown))}")
        if model_config.get("max_tokens", 1) < 1:
            raise ValueError(f"max_tokens must be at least 1, got {model_config['max_tokens']}")
        self.config.update(model_config)

    def get_config(self) -> dict[str, Any]:
        """The settings."""
        return self.config

    async def stream(
        self,
        messages: Messages,
        tool_specs: list[ToolSpec] | None = None,
        system_prompt: str | None = None,
        *,
        tool_choice: ToolChoice | None = None,
        system_prompt_content: list[SystemContentBlock] | None = None,
        cancel_signal: threading.Event | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[StreamEvent]:
        """Answer, greedily; ends at the next token where ``cancel_signal`` is set.

        Raises:
            ContextWindowOverflowException: The messages do not fit the context.
            LocalModelError: A tool is forced, a block cannot be shown to the model, or the runtime refused the call.
        """
        if tool_choice is not None and "auto" not in tool_choice:
            raise LocalModelError("the local model cannot call tools, so it cannot be forced to")
        if tool_specs and not self._told_of_tools:
            self._told_of_tools = True
            logger.warning("tools=<%d> | the local model cannot call tools and answers without", len(tool_specs))
        started = time.perf_counter()
        end: Generated | None = None
        has_begun = False
        async with aclosing(self._generate(messages, system_prompt, system_prompt_content)) as pieces:
            async for piece in pieces:
                if not has_begun:
                    # Only now: a call that the runtime refuses has shown nothing yet and can fail over.
                    has_begun = True
                    yield {"messageStart": {"role": "assistant"}}
                    yield {"contentBlockStart": {"start": {}}}
                if isinstance(piece, Generated):
                    end = piece
                else:
                    yield {"contentBlockDelta": {"delta": {"text": piece}}}
                if cancel_signal is not None and cancel_signal.is_set():
                    break
        yield {"contentBlockStop": {}}
        if end is None:
            yield {"messageStop": {"stopReason": "cancelled"}}
            return
        yield {"messageStop": {"stopReason": _STOP_REASONS[end.finish_reason]}}
        usage = Usage(
            inputTokens=end.usage.input_tokens,
            outputTokens=end.usage.output_tokens,
            totalTokens=end.usage.total_tokens,
            cacheReadInputTokens=end.usage.cache_read_tokens,
        )
        latency_ms = int((time.perf_counter() - started) * 1000)
        yield {"metadata": {"usage": usage, "metrics": {"latencyMs": latency_ms}}}

    async def structured_output(
        self, output_model: type[T], prompt: Messages, system_prompt: str | None = None, **kwargs: Any
    ) -> AsyncGenerator[dict[str, T | Any], None]:
        """JSON of the model's schema: its form is forced on the model, its values are as good as the model.

        Raises:
            ContextWindowOverflowException: The messages do not fit the context.
            LocalModelError: The JSON was cut off by ``max_tokens`` or does not validate.
        """
        end: Generated | None = None
        async for piece in self._generate(prompt, system_prompt, None, json_schema=output_model.model_json_schema()):
            if isinstance(piece, Generated):
                end = piece
        assert end is not None  # the stream of pieces always ends with it
        try:
            output = output_model.model_validate_json(end.text)
        except ValidationError as error:
            raise LocalModelError(
                f"the local model's JSON does not validate as {output_model.__name__}: "
                f"{error.error_count()} errors, finish reason {end.finish_reason}"
            ) from None
        yield {"output": output}

    async def _generate(
        self,
        messages: Messages,
        system_prompt: str | None,
        system_prompt_content: list[SystemContentBlock] | None,
        json_schema: dict[str, Any] | None = None,
    ) -> AsyncGenerator[str | Generated, None]:
        smollm = self._smollm
        if smollm is None:
            smollm = self._smollm = await asyncio.to_thread(shared_smollm)
        max_tokens: int = self.config["max_tokens"]
        chat = [ChatMessage(message["role"], text_of(message["content"])) for message in messages]
        system = "\n".join(block["text"] for block in system_prompt_content or [] if "text" in block) or system_prompt
        if system:
            used = sum(len(message.text) for message in chat) + 8 * len(chat)
            room = (smollm.context_tokens - max_tokens) * _CHARS_PER_TOKEN - used
            if room < len(system):
                logger.warning("chars=<%d>, room=<%d> | the system text is cut to fit", len(system), max(room, 0))
            if room > 0:
                chat.insert(0, ChatMessage("system", system[:room]))
        try:
            async with aclosing(smollm.stream(chat, max_tokens=max_tokens, json_schema=json_schema)) as pieces:
                async for piece in pieces:
                    yield piece
        except PromptTooLongError as error:
            raise ContextWindowOverflowException(str(error)) from error
