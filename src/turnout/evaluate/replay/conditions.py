"""Under which conditions a trace is replayed: models, prices and the conventions of the simulated provider."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence

import msgspec

from turnout.config.pairs import Pair
from turnout.core.cache import NO_CACHE, Ttl
from turnout.core.catalog import Catalog, Model
from turnout.core.content import content_hash
from turnout.evaluate.replay.provider import Convention, SimulatedCache
from turnout.evaluate.replay.requests import Grain

_EVERY_BLOCK = 10**6


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for every policy alike.

    Attributes:
        cheap: Catalog id of the cheap model.
        capable: Catalog id of the capable model.
        catalog: Both, with the trace's tokens as their own.
        grain: What a provider's cache holds.
        convention: How floors and the end of a TTL are read.
        recorded_output: Whether a decision knows how long the answer will be; else it goes by the mean so far.
        lost: The chance that a call finds nothing warm although it should.
    """

    cheap: str
    capable: str
    catalog: Catalog
    grain: Grain
    convention: Convention = "strict"
    recorded_output: bool = False
    lost: float = 0.0

    @property
    def content_hash(self) -> str:
        """SHA-256 over all values."""
        return content_hash(self)

    def caches(self, *, real: bool) -> dict[str, SimulatedCache]:
        """An empty cache for each model: the provider's, or (not ``real``) one that a policy believes in."""
        return {
            model.id: SimulatedCache(
                model.cache, grain=self.grain, convention=self.convention, lost=self.lost if real else 0.0
            )
            for model in self.catalog.models
        }


def conditions(
    catalog: Catalog,
    pair: Pair,
    grain: Grain,
    *,
    ttls: Sequence[Ttl] = ("5m", "1h"),
    convention: Convention = "strict",
    recorded_output: bool = False,
    lost: float = 0.0,
) -> Conditions:
    """The conditions of a replay.

    Args:
        catalog: Knows both models.
        pair: The cheap model and the capable one.
        grain: What a provider's cache is taken to hold. For ``blocks``, which are no content blocks, the lookback of
            explicit caches is taken as endless.
        ttls: The TTLs that may be asked for; a model's others are taken away.
        convention: How floors and the end of a TTL are read.
        recorded_output: Whether a decision knows how long the answer will be.
        lost: The chance that a call finds nothing warm although it should.

    Raises:
        UnknownModelError: The catalog lacks one of the models.
        ValueError: A chance is out of range.
    """
    if not 0.0 <= lost <= 1.0:
        raise ValueError(f"lost must be between 0 and 1, got {lost}")
    models = []
    for model in catalog.only(pair).models:
        rules = model.cache
        offered = tuple(ttl for ttl in rules.ttls if ttl in ttls) or rules.ttls[:1]
        lookback = _EVERY_BLOCK if grain == "blocks" else rules.lookback_blocks
        rules = msgspec.structs.replace(rules, ttls=offered, lookback_blocks=lookback)
        models.append(msgspec.structs.replace(model, tokenizer_ratio=1.0, cache=rules))
    return Conditions(
        cheap=pair.cheap,
        capable=pair.capable,
        catalog=Catalog.of(models),
        grain=grain,
        convention=convention,
        recorded_output=recorded_output,
        lost=lost,
    )


class Catalogs:
    """The catalog that a decision is given for a prompt of some length.

    In the convention ``reference`` a model caches any prefix of a prompt that reaches its floor, and nothing of a
    shorter one. The core knows floors of prefixes only, so there it is told of no floor, or of no cache.
    """

    def __init__(self, conditions: Conditions) -> None:
        models = conditions.catalog.models
        self._floors = sorted({model.cache.floor_tokens for model in models} if _whole_prompts(conditions) else ())
        self._catalogs = [
            Catalog.of(_below(model, floor) for model in models) for floor in itertools.chain([-1], self._floors)
        ]
        if not self._floors:
            self._catalogs = [conditions.catalog]

    def for_prompt(self, tokens: int) -> Catalog:
        """The catalog for a prompt of that many tokens."""
        return self._catalogs[bisect.bisect_right(self._floors, tokens)]


def _whole_prompts(conditions: Conditions) -> bool:
    return conditions.convention == "reference"


def _below(model: Model, reached: int) -> Model:
    """The model for a prompt that reaches floors of up to ``reached`` tokens."""
    if model.cache.floor_tokens > reached:
        return msgspec.structs.replace(model, cache=NO_CACHE)
    return msgspec.structs.replace(model, cache=msgspec.structs.replace(model.cache, floor_tokens=0))
