"""Learns means of models from finished calls, starting from stated priors.

A model that is seldom called would keep its prior while the others learn, and so be priced for answers that nobody
here gets. Its prior is therefore what all models of the deployment learned together, which itself starts from the
stated priors. Tokenizer ratios are a model's own and are never shared.
"""

from __future__ import annotations

from turnout.core.statistics import ModelStatistics

_PRIOR = ModelStatistics()
_PRIOR_WEIGHT = 5
"""A prior counts as much as so many observations: an assumption that keeps a few calls from ruling the mean."""

_MOST_RATIO = 10.0
"""No tokenizer makes more tokens of a text than so many times the reference count (characters / 4), nor fewer than one
part in so many. What is outside comes from short prompts or wrong reports, and would refuse long ones."""


class ModelLearner:
    """Running means for one model, or for all models together."""

    def __init__(self) -> None:
        self._calls = 0
        self._turns = 0
        self._output_tokens = 0
        self._growths = 0
        self._growth_tokens = 0
        self._ratio_reference = 0
        self._ratio_own = 0

    def call(self, *, prompt_tokens: int, reference_tokens: int, output_tokens: int, opens_turn: bool) -> None:
        """Learn from a call with reported usage; token counts but ``reference_tokens`` are the model's own."""
        self._calls += 1
        self._turns += opens_turn
        self._output_tokens += output_tokens
        if reference_tokens > 0 and prompt_tokens > 0:
            self._ratio_reference += reference_tokens
            self._ratio_own += prompt_tokens

    def growth(self, tokens: int) -> None:
        """Learn by how much the prompt grew from one call of a turn to the next, in the model's own tokens."""
        self._growths += 1
        self._growth_tokens += max(0, tokens)

    def snapshot(self, prior: ModelStatistics | None = None) -> ModelStatistics:
        """The means as they stand.

        Args:
            prior: What the means start from; none: the stated priors of `ModelStatistics`.
        """
        prior = prior or _PRIOR
        return ModelStatistics(
            output_tokens=_mean(prior.output_tokens, self._output_tokens, self._calls),
            calls_per_turn=max(1.0, _mean(prior.calls_per_turn, self._calls, self._turns)),
            growth_tokens=_mean(prior.growth_tokens, self._growth_tokens, self._growths),
            tokenizer_ratio=self.tokenizer_ratio,
            calls=self._calls,
        )

    @property
    def calls(self) -> int:
        """How many calls with reported usage it has learned from."""
        return self._calls

    @property
    def tokenizer_ratio(self) -> float | None:
        """The model's own tokens for one reference token; none where that is not known."""
        if not self._ratio_reference:
            return None
        ratio = self._ratio_own / self._ratio_reference
        if ratio > _MOST_RATIO:
            return _MOST_RATIO
        return ratio if ratio > 1 / _MOST_RATIO else 1 / _MOST_RATIO


def _mean(prior: float, total: int, count: int) -> float:
    return (prior * _PRIOR_WEIGHT + total) / (_PRIOR_WEIGHT + count)
