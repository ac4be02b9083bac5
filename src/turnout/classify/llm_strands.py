"""Any Strands `Model` as an LLM classifier's model.

Strands takes call parameters from a model's configuration, not from the call, and every provider names and places them
in its own way. The call is therefore made by a shallow copy of the model, which shares its client, with a configuration
of its own: the model that was given may serve answers at the same time and never changes.

Sources: the providers' modules of strands-agents 1.62, read 2026-11.

Known limitations: a model of a class that is not listed in `_PARAMETERS` is called as it is configured; Strands passes
on no log-probabilities.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from turnout.classify.model import Completion, CompletionError
from turnout.core.usage import Usage, UsageError
from turnout.core.verdict import UsageSource
from turnout.messages.conversation import Message
from turnout.messages.count import count_block, count_text
from turnout.upstream.errors import error_name
from turnout.upstream.strands_usage import cached_tokens_of, usage_of

if TYPE_CHECKING:
    from strands.models import Model

logger = logging.getLogger(__name__)


class _Parameters(msgspec.Struct, frozen=True):
    """Where a provider's configuration keeps two parameters."""

    max_tokens: tuple[str, ...]
    temperature: tuple[str, ...]


_PARAMETERS = {
    "bedrock": _Parameters(("max_tokens",), ("temperature",)),
    "anthropic": _Parameters(("max_tokens",), ("params", "temperature")),
    "ollama": _Parameters(("max_tokens",), ("temperature",)),
    "mistral": _Parameters(("max_tokens",), ("temperature",)),
    "openai": _Parameters(("params", "max_tokens"), ("params", "temperature")),
    "litellm": _Parameters(("params", "max_tokens"), ("params", "temperature")),
    "llamacpp": _Parameters(("params", "max_tokens"), ("params", "temperature")),
    "openai_responses": _Parameters(("params", "max_output_tokens"), ("params", "temperature")),
    "gemini": _Parameters(("params", "max_output_tokens"), ("params", "temperature")),
}
"""By the name of the module in ``strands.models``."""

# What the model may carry for its answers and a classifier's call does not want: another way to sample (some models
# reject it beside a temperature), and cache points in a prompt that is below every floor.
_NOT_FOR_CLASSIFYING = ("top_p", "top_k", "cache_config", "cache_tools", "cache_prompt")


class StrandsClassifierModel:
    """A Strands model that classifies.

    Args:
        model: Any Strands model; it is not changed.
        model_id: Its id in the catalog, by which its calls are priced.
    """

    def __init__(self, model: Model, *, model_id: str) -> None:
        self._model: Any = model
        self._model_id = model_id
        self._parameters = _parameters_of(model)
        if self._parameters is None:
            logger.info("model=<%s> | parameters of this class are not known, it is called as configured", model_id)

    @property
    def model_id(self) -> str:
        """The model's id in the catalog."""
        return self._model_id

    async def complete(
        self,
        system: str,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float | None,
        words: Sequence[str] = (),
    ) -> Completion:
        """Complete a prompt; ``words`` play no part.

        Raises:
            CompletionError: The stream broke after it had begun.
            Exception: What the model raises before.
        """
        configured = self._configured(max_tokens, temperature)
        texts: list[str] = []
        report: Mapping[str, Any] | None = None
        has_begun = False
        # Set on the way out, so that a provider that listens to it stops reading a stream that nobody wants.
        unwanted = threading.Event()
        events = configured.stream(list(messages), None, system, cancel_signal=unwanted)
        try:
            async for event in events:
                has_begun = True
                match event:
                    case {"contentBlockDelta": {"delta": {"text": str(text)}}}:
                        texts.append(text)
                    case {"metadata": {"usage": Mapping() as reported}}:
                        report = reported
        except Exception as error:
            if not has_begun:
                raise
            usage, source = self._usage(report, system, messages, texts)
            raise CompletionError(error_name(error), usage, source) from error
        finally:
            unwanted.set()
            if hasattr(events, "aclose"):  # Strands asks for an iterable; most models give a generator
                await events.aclose()
        usage, source = self._usage(report, system, messages, texts)
        return Completion(text="".join(texts), usage=usage, usage_source=source)

    def _configured(self, max_tokens: int, temperature: float | None) -> Any:
        if self._parameters is None:
            return self._model
        config = {key: value for key, value in self._model.config.items() if key not in _NOT_FOR_CLASSIFYING}
        if "params" in config:
            params = {key: value for key, value in (config["params"] or {}).items() if key not in _NOT_FOR_CLASSIFYING}
            config["params"] = params
        _place(config, self._parameters.max_tokens, max_tokens)
        _place(config, self._parameters.temperature, temperature)
        configured = copy.copy(self._model)
        configured.config = config
        return configured

    def _usage(
        self, report: Mapping[str, Any] | None, system: str, messages: Sequence[Message], texts: Sequence[str]
    ) -> tuple[Usage, UsageSource]:
        """What was reported, else an estimate: characters / 4 of the prompt and of the text that came."""
        if report is not None:
            try:
                return usage_of(report, cached_tokens_of(self._model)), "reported"
            except UsageError as error:
                logger.warning("model=<%s>, error=<%s> | the usage report is of no use", self._model_id, error)
        prompt_tokens = count_text(system) + sum(count_block(block) for m in messages for block in m["content"])
        return Usage(input_tokens=prompt_tokens, output_tokens=count_text("".join(texts))), "estimated"


def _parameters_of(model: object) -> _Parameters | None:
    for cls in type(model).__mro__:
        package, _, module = cls.__module__.rpartition(".")
        if package == "strands.models" and module in _PARAMETERS:
            return _PARAMETERS[module]
    return None


def _place(config: dict[str, Any], path: tuple[str, ...], value: float | None) -> None:
    """Set a parameter where the provider keeps it, or take it away where it is not to be sent."""
    *parents, key = path
    for parent in parents:
        config = config.setdefault(parent, {})
    if value is None:
        config.pop(key, None)
    else:
        config[key] = value
