"""What was learned of models in this deployment, as a snapshot that a decision is given."""

from __future__ import annotations

import math

import msgspec


class ModelStatistics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Means for one model; the defaults are priors for a model that was never seen.

    The priors are assumptions, not measurements: a short support answer, and one tool call in a turn with tools.

    Attributes:
        output_tokens: Output of one call, thinking included, in the model's tokens.
        calls_per_turn: Calls of one turn where the request has tools; without tools a turn is one call.
        growth_tokens: By how much the prompt grows from a call of a turn to the next: output and tool results.
        tokenizer_ratio: The model's tokens for one reference token, once usage reports tell; else the catalog's.
        calls: How many calls these means rest on.
    """

    output_tokens: float = 300.0
    calls_per_turn: float = 2.0
    growth_tokens: float = 400.0
    tokenizer_ratio: float | None = None
    calls: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.calls_per_turn < math.inf:
            raise ValueError(f"a turn is at least one call and not endless, got calls_per_turn={self.calls_per_turn}")
        if not (0 <= self.output_tokens < math.inf and 0 <= self.growth_tokens < math.inf):
            for name in ("output_tokens", "growth_tokens"):
                if not 0 <= getattr(self, name) < math.inf:
                    raise ValueError(f"{name} must be a number that is not negative, got {getattr(self, name)}")
        if self.tokenizer_ratio is not None and not 0 < self.tokenizer_ratio < math.inf:
            raise ValueError(f"tokenizer_ratio must be positive, got {self.tokenizer_ratio}")


class Statistics(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Learned statistics by model id; models that are missing have the priors."""

    models: dict[str, ModelStatistics] = {}

    def of(self, model_id: str) -> ModelStatistics:
        """What is known of that model."""
        return self.models.get(model_id, _PRIORS)


_PRIORS = ModelStatistics()
