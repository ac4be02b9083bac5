"""What the double knows of models: its own table, apart from Turnout's catalog so that it can contradict it.

Sources, read in November 2026: the "minimum cacheable prompt length" list and the lookback rule of Anthropic's prompt
caching page, and its migration guides of Haiku 5.5, Sonnet 5.5 and Opus 5.5 (rejected sampling parameters, thinking,
forced tool use, prefill, 512-token floor, about 30 % more tokens for the same text). Bedrock keeps its own list of
floors, which was not reachable: set `SimulatedModel.floor_tokens` where yours differs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from turnout.testing.bedrock.errors import BedrockError, invalid

PROFILES = ("global", "us", "eu", "jp", "au", "apac", "us-gov")
"""The prefixes of Bedrock's system inference profiles."""

_ARN = re.compile(r"arn:aws[^:]*:bedrock:[^:]*:[^:]*:(?:inference-profile|foundation-model)/(?P<id>.+)")


@dataclass(frozen=True, kw_only=True)
class SimulatedModel:
    """How one model behaves in the double. Settable: give your own to `BedrockDouble`.

    Attributes:
        id: The bare Bedrock id. A full ARN (an application inference profile) is matched as it stands.
        floor_tokens: The fewest tokens that are cached.
        token_ratio: Its tokens for one token of the double's counter. 1.3 for the newer tokenizer is a simulation
            value, from "approximately 30 % more tokens for the same text"; the true figure depends on the text.
        context_window: The most tokens of a prompt.
        max_output_tokens: The most tokens of an answer, thinking included; also what an unset ``maxTokens`` means.
        lookback_blocks: How many blocks are looked at for a warm prefix from each cache point back, itself included.
        rejected_parameters: Sampling parameters (``temperature``, ``topP``, ``top_k``) that are refused unless they
            carry their default (1 and 0.99; ``top_k`` has none).
        thinks_first: Whether it thinks unless told not to; its first content block is then ``reasoningContent``.
        thinking_off: The ``thinking.type`` that stops that: ``disabled``, ``between_tools``, or none.
        thinking_tokens: How many tokens it thinks: a simulation value, the same for every request. They count
            against ``maxTokens`` and are output tokens.
        forced_tool_choice: Whether ``toolChoice`` may force a tool.
        structured_output: Whether it takes ``outputConfig.textFormat``.
        prefill: Whether the conversation may end with an assistant message.
        on_demand: Whether the bare id may be used for a conversation; otherwise only with an inference profile.
    """

    id: str
    floor_tokens: int = 1024
    token_ratio: float = 1.0
    context_window: int = 200_000
    max_output_tokens: int = 64_000
    lookback_blocks: int = 20
    rejected_parameters: frozenset[str] = frozenset()
    thinks_first: bool = False
    thinking_off: Literal["disabled", "between_tools"] | None = "disabled"
    thinking_tokens: int = 128
    forced_tool_choice: bool = True
    structured_output: bool = True
    prefill: bool = False
    on_demand: bool = False


_SAMPLING = frozenset({"temperature", "topP", "top_k"})

MODELS: tuple[SimulatedModel, ...] = (
    SimulatedModel(id="anthropic.claude-haiku-4-5-20251001-v1:0", floor_tokens=4096, prefill=True),
    SimulatedModel(id="anthropic.claude-sonnet-4-5-20250929-v1:0", floor_tokens=1024, prefill=True),
    # 1,024 in Anthropic's list; some other pages say 2,048.
    SimulatedModel(id="anthropic.claude-sonnet-4-6", floor_tokens=1024, context_window=1_000_000),
    SimulatedModel(
        id="anthropic.claude-haiku-5-5",
        floor_tokens=512,
        token_ratio=1.3,
        context_window=1_000_000,
        max_output_tokens=128_000,
        rejected_parameters=_SAMPLING,
        thinks_first=True,
    ),
    SimulatedModel(
        id="anthropic.claude-sonnet-5-5",
        floor_tokens=512,
        token_ratio=1.3,
        context_window=1_000_000,
        max_output_tokens=128_000,
        rejected_parameters=_SAMPLING,
        thinks_first=True,
        thinking_off="between_tools",
        forced_tool_choice=False,
    ),
    SimulatedModel(
        id="anthropic.claude-opus-5-5",
        floor_tokens=512,
        token_ratio=1.3,
        context_window=1_000_000,
        max_output_tokens=128_000,
        rejected_parameters=_SAMPLING,
        thinks_first=True,
        thinking_off=None,
        forced_tool_choice=False,
    ),
)
"""The models that the double answers as unless it is given others."""


@dataclass(frozen=True)
class FoundModel:
    """A model as one request names it: profiles share its facts and nothing else.

    ``key`` is the id that caches are kept under: profile and bare id, without an ARN around them.
    """

    model: SimulatedModel
    key: str

    @property
    def has_profile(self) -> bool:
        """Whether it was named by an inference profile, the system's or one of your own."""
        return self.key != self.model.id or self.key.startswith("arn:")


class ModelTable:
    """Models by the ids that requests name them with."""

    def __init__(self, models: Iterable[SimulatedModel] = MODELS) -> None:
        self._by_id = {model.id: model for model in models}

    def find(self, model_id: str) -> FoundModel:
        """The model that a request's ``modelId`` means.

        Raises:
            BedrockError: ``ResourceNotFoundException`` for an ARN, ``ValidationException`` for any other id that is
                not known; the message names the known ones, the nearest first.
        """
        if model_id in self._by_id:
            return FoundModel(self._by_id[model_id], model_id)
        arn = _ARN.fullmatch(model_id)
        key = arn["id"] if arn else model_id
        profile, _, rest = key.partition(".")
        bare = rest if profile in PROFILES else key
        if bare in self._by_id:
            return FoundModel(self._by_id[bare], key)
        known = self._known(bare)
        if model_id.startswith("arn:"):
            raise BedrockError("ResourceNotFoundException", f"The resource {model_id} does not exist. {known}")
        raise invalid(f"The provided model identifier is invalid. {known}")

    def check_can_converse(self, found: FoundModel) -> None:
        """Check that a model may be talked to under the id that it was named by.

        Raises:
            BedrockError: ``ValidationException`` for a bare id that needs an inference profile.
        """
        if not found.has_profile and not found.model.on_demand:
            raise invalid(
                f"Invocation of model ID {found.key} with on-demand throughput isn’t supported. Retry your request "
                f"with the ID or ARN of an inference profile that contains this model, such as global.{found.key}."
            )

    def _known(self, name: str) -> str:
        nearest_first = difflib.get_close_matches(name, self._by_id, n=max(len(self._by_id), 1), cutoff=0.0)
        return f"The simulated models are, nearest first: {', '.join(nearest_first) or 'none'}."
