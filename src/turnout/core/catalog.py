"""Models and what is known of them; values are loaded by `turnout.config`."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable
from functools import cached_property

import msgspec

from turnout.core.cache import NO_CACHE, CacheRules
from turnout.core.content import content_hash
from turnout.core.price import Price


class UnknownModelError(KeyError):
    """A model that the catalog does not have; the message names the nearest one that it has."""

    def __str__(self) -> str:
        return str(self.args[0])


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model accepts. The first six names are those of `Needs`.

    ``thinks_first``: its first content block may be reasoning, counted against the output limit.
    ``prefill``: it goes on from the beginning of an answer. ``logprobs``: it reports log-probabilities.
    """

    tools: bool = True
    forced_tool_choice: bool = True
    vision: bool = False
    documents: bool = False
    structured_output: bool = True
    streaming: bool = True
    thinks_first: bool = False
    prefill: bool = False
    logprobs: bool = False


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One catalog entry.

    Attributes:
        id: ``provider/model_id``, unique in the catalog, profile included.
        provider: Who bills for it: ``bedrock``, ``anthropic``, ``openai``, ``local``.
        model_id: What the provider's API is given.
        name: A short name for people.
        price: USD per million tokens.
        cache: Its prompt cache.
        tokenizer_ratio: Its tokens for one reference token: the prior until usage reports tell better.
        context_window: The most tokens of prompt and output together.
        max_output_tokens: The most output tokens, or none where no limit is known.
        capabilities: What it accepts.
        rejected_parameters: Request parameters that it answers with an error.
        accepted_parameters: Which of the parameters that only some models know (`turnout.core.parameters`) it takes;
            none: nobody knows.
    """

    id: str
    provider: str
    model_id: str
    name: str
    price: Price
    context_window: int
    cache: CacheRules = NO_CACHE
    tokenizer_ratio: float = 1.0
    max_output_tokens: int | None = None
    capabilities: Capabilities = Capabilities()
    rejected_parameters: tuple[str, ...] = ()
    accepted_parameters: tuple[str, ...] | None = None


class Catalog(msgspec.Struct, frozen=True, dict=True, forbid_unknown_fields=True):
    """The known models by id."""

    models: tuple[Model, ...]

    @classmethod
    def of(cls, models: Iterable[Model]) -> Catalog:
        """A catalog of these models, ordered by id.

        Raises:
            ValueError: Two models share an id.
        """
        ordered = sorted(models, key=lambda model: model.id)
        for before, after in itertools.pairwise(ordered):
            if before.id == after.id:
                raise ValueError(f"the model {after.id!r} is in the catalog twice")
        return cls(tuple(ordered))

    @cached_property
    def _by_id(self) -> dict[str, Model]:
        return {model.id: model for model in self.models}

    def __getitem__(self, model_id: str) -> Model:
        """The model with that id.

        Raises:
            UnknownModelError: There is none; the message names the nearest id.
        """
        try:
            return self._by_id[model_id]
        except KeyError:
            raise UnknownModelError(unknown("model", model_id, self._by_id)) from None

    def __contains__(self, model_id: object) -> bool:
        return model_id in self._by_id

    def only(self, model_ids: Iterable[str]) -> Catalog:
        """The catalog cut down to these models: what one decision needs and is stored with."""
        return Catalog.of(self[model_id] for model_id in model_ids)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 over all values: two catalogs with the same hash price every call alike."""
        return content_hash(self)


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that is not known, with the nearest known one."""
    choices = sorted(known)
    nearest = difflib.get_close_matches(name, choices, n=1, cutoff=0.0)
    if not nearest:
        return f"unknown {kind} {name!r}: none is configured"
    return f"unknown {kind} {name!r}; the nearest known one is {nearest[0]!r}"
