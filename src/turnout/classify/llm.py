"""A classifier that asks a language model: simple or complex, in one word.

Where the model reports log-probabilities of the two words, their difference is the score; else its answer is parsed
(`turnout.classify.parse`). Its calls are in the verdict with their usage, failed ones too, and are charged to the turn.

A call that fails before the model answers is not billed. One that is given up at the time-out most likely is, for its
prompt at least: its usage is an estimate, characters / 4, of the prompt alone.

Known limitations: what a text answer says of P(simple) is the same for every query (see `DEFAULT_ANSWERS`); a query can
still talk a model into a label, only not out of its fence; log-probabilities of models that think are not used.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import Any

import msgspec

from turnout.classify.calibrate import (
    DEFAULT_SIMPLE_SHARE,
    NO_QUERY,
    Calibration,
    failed_verdict,
    label_verdict,
)
from turnout.classify.measured import measured_calibrations
from turnout.classify.model import ClassifierModel, Completion, CompletionError
from turnout.classify.parse import parse_label
from turnout.classify.prompt import Prompt, load_prompt
from turnout.core.catalog import Model
from turnout.core.usage import NO_USAGE, Usage
from turnout.core.verdict import ClassifierCall, FailureKind, UsageSource, Verdict
from turnout.messages.conversation import Conversation
from turnout.messages.count import count_text
from turnout.upstream.errors import error_name

logger = logging.getLogger(__name__)

LABEL_WORDS = ("simple", "complex")
"""The answers that the prompt asks for; score = ln p(first) - ln p(second)."""

DEFAULT_ANSWERS = Calibration(slope=math.log(9.0))
"""What a text answer is taken to say where nothing was measured: right nine times of ten on a balanced set.

The score of an answer is 1 for simple and -1 for complex, so `fit_calibration` over a calibration set's answers gives
the measured one.
"""

DEFAULT_LOGPROBS = Calibration()
"""What log-probabilities are taken to say where nothing was measured: what the model claims, on a balanced set."""

_ANSWER_TOKENS = 16
_THINKING_TOKENS = 1024


_TEMPLATE_TOKENS = 50
"""What a provider wraps around a system and one message at most: an assumption."""


class CallSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the call that a model accepts.

    Attributes:
        max_tokens: Room for one word in any language, and for thinking where the model thinks first.
        temperature: 0, or none where the model rejects the parameter.
    """

    max_tokens: int = _ANSWER_TOKENS
    temperature: float | None = 0.0


def settings_for(model: Model) -> CallSettings:
    """The settings that a catalog model accepts: no rejected parameter, and room to think where it thinks first."""
    most = _ANSWER_TOKENS + (_THINKING_TOKENS if model.capabilities.thinks_first else 0)
    if model.max_output_tokens is not None:
        most = min(most, model.max_output_tokens)
    return CallSettings(max_tokens=most, temperature=None if "temperature" in model.rejected_parameters else 0.0)


class LLMClassifier:
    """Labels a query by asking a model.

    Args:
        model: Answers.
        settings: Call parameters; for a catalog model take `settings_for`.
        prompt: What it is told; none: the packaged prompt.
        prior_turns: How many turns before the query it sees.
        most_chars: Room for the query's text in characters.
        timeout_s: Seconds until the call is given up.
        simple_share: The share of simple queries that is expected, as in the policy.
        answers: What its text answers say, measured on a calibration set; none: what the package's measurements of the
            model with this prompt say (`turnout.classify.measured`), else `DEFAULT_ANSWERS`.
        logprobs: What its log-probabilities say, likewise, else `DEFAULT_LOGPROBS`.
        name: The name in verdicts.

    Raises:
        ValueError: A value is out of its range.
        PromptError: The packaged prompt is damaged.
    """

    def __init__(
        self,
        model: ClassifierModel,
        *,
        settings: CallSettings | None = None,
        prompt: Prompt | None = None,
        prior_turns: int = 2,
        most_chars: int = 4_000,
        timeout_s: float = 8.0,
        simple_share: float = DEFAULT_SIMPLE_SHARE,
        answers: Calibration | None = None,
        logprobs: Calibration | None = None,
        name: str = "llm",
    ) -> None:
        if prior_turns < 0:
            raise ValueError(f"prior_turns must not be negative, got {prior_turns}")
        if most_chars < 100:
            raise ValueError(f"most_chars must be at least 100, got {most_chars}")
        if not timeout_s > 0.0:
            raise ValueError(f"timeout_s must be above 0 seconds, got {timeout_s}")
        DEFAULT_ANSWERS.p_simple(0.0, simple_share)  # a share out of range is told now
        self._model = model
        self._settings = settings or CallSettings()
        self._prompt = prompt or load_prompt()
        self._prior_turns = prior_turns
        self._most_chars = most_chars
        self._timeout_s = timeout_s
        self._simple_share = simple_share
        measured = measured_calibrations(model.model_id, self._prompt.sha256)
        self._answers = answers or (measured and measured.answers) or DEFAULT_ANSWERS
        self._logprobs = logprobs or (measured and measured.logprobs) or DEFAULT_LOGPROBS
        self._name = name

    @property
    def name(self) -> str:
        """The name in verdicts, events and tables."""
        return self._name

    async def classify(self, conversation: Conversation, **kwargs: Any) -> Verdict:
        """Give a verdict on the conversation's query; never raises but on cancellation."""
        if not conversation.query:
            return failed_verdict(self.name, "error", NO_QUERY)
        text = self._prompt.user_text(conversation, prior_turns=self._prior_turns, most_chars=self._most_chars)
        started_ms, started = time.time_ns() // 1_000_000, time.perf_counter()
        on_call = kwargs.get("on_call")

        def call(usage: Usage, source: UsageSource, error: str | None = None) -> tuple[ClassifierCall]:
            ended = ClassifierCall(
                model=self._model.model_id,
                usage=usage,
                usage_source=source,
                started_ms=started_ms,
                latency_ms=(time.perf_counter() - started) * 1000,
                error=error,
            )
            if on_call is not None:
                on_call(ended)
            return (ended,)

        def prompt_alone() -> Usage:
            return Usage(input_tokens=count_text(self._prompt.system) + count_text(text))

        try:
            async with asyncio.timeout(self._timeout_s):
                completion = await self._model.complete(
                    self._prompt.system,
                    [{"role": "user", "content": [{"text": text}]}],
                    max_tokens=self._settings.max_tokens,
                    temperature=self._settings.temperature,
                    words=LABEL_WORDS,
                )
        except asyncio.CancelledError:
            call(prompt_alone(), "estimated", "CancelledError")
            raise
        except TimeoutError:
            calls = call(prompt_alone(), "estimated", "TimeoutError")
            return self._failed("timeout", f"the call timed out; the limit is {self._timeout_s} s", calls)
        except CompletionError as error:
            return self._failed("error", error.error, call(error.usage, error.usage_source, error.error))
        except Exception as error:
            name = error_name(error)
            return self._failed("error", name, call(NO_USAGE, "none", name))
        calls = call(completion.usage, completion.usage_source)
        p_simple = self._p_simple(completion)
        if p_simple is None:
            detail = "the answer is empty" if not completion.text.strip() else "the answer names no label"
            return self._failed("unparsed", detail, calls)
        return label_verdict(self.name, p_simple, calls=calls, latency_ms=calls[0].latency_ms)

    def most_usage(self, conversation: Conversation) -> list[tuple[str, Usage]]:
        """The most that a verdict takes: one call; no tokenizer makes more tokens of a text than it has bytes."""
        if not conversation.query:
            return []
        text = self._prompt.user_text(conversation, prior_turns=self._prior_turns, most_chars=self._most_chars)
        prompt_tokens = len(self._prompt.system.encode()) + len(text.encode()) + _TEMPLATE_TOKENS
        return [(self._model.model_id, Usage(input_tokens=prompt_tokens, output_tokens=self._settings.max_tokens))]

    def _p_simple(self, completion: Completion) -> float | None:
        simple, complex_ = (completion.logprobs.get(word) for word in LABEL_WORDS)
        if simple is not None and complex_ is not None:
            return self._logprobs.p_simple(simple - complex_, self._simple_share)
        label = parse_label(completion.text)
        if label is None:
            return None
        return self._answers.p_simple(1.0 if label == "simple" else -1.0, self._simple_share)

    def _failed(self, kind: FailureKind, detail: str, calls: tuple[ClassifierCall]) -> Verdict:
        logger.warning(
            "classifier=<%s>, model=<%s>, kind=<%s>, detail=<%s> | the classifier gave no label",
            self.name,
            self._model.model_id,
            kind,
            detail,
        )
        return failed_verdict(self.name, kind, detail, calls=calls, latency_ms=calls[0].latency_ms)
