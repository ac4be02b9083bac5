"""Where two locks differ, and where a lock and the settings or the catalog have parted."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import msgspec

from turnout.config.policy_lock import PRICES, PolicyLock, capabilities_of, classifier_of, lock_of
from turnout.config.presets import preset_of
from turnout.config.settings import Settings
from turnout.core.cache import CacheRules
from turnout.core.catalog import Catalog, Model
from turnout.core.cost import usd_text
from turnout.core.spend_bound import SpendBound


class Difference(NamedTuple):
    """A key that two locks have different values for; a side that lacks it has none there."""

    key: str
    old: str | None
    new: str | None


def differences(old: PolicyLock, new: PolicyLock) -> tuple[Difference, ...]:
    """The keys whose values differ, in the order of the file; what was predicted apart."""
    before, after = dict(_values(old)), dict(_values(new))
    keys = dict.fromkeys([*before, *after])
    return tuple(
        [Difference(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]
    )


def moved(lock: PolicyLock, settings: Settings, catalog: Catalog) -> tuple[Difference, ...]:
    """Where the catalog and the configured classifier are no longer as they were locked.

    Raises:
        ConfigError: A file of the classifier cannot be read.
        UnknownModelError: The catalog lacks a locked model.
    """
    return differences(lock, lock_of(lock.policy, lock.bound, catalog, classifier_of(settings), routes=lock.routes))


def proposed(lock: PolicyLock, settings: Settings) -> tuple[Difference, ...]:
    """Where ``[policy]`` says something else than the lock, candidates as far as their ids and ranks."""
    wanted = settings.proposed or settings.rules
    known = {model.id: model for model in lock.models}
    shared = tuple([known[one.model] for one in wanted.candidates if one.model in known])
    names = {one.model for one in (*wanted.candidates, *lock.policy.candidates)}
    there = tuple([model for model in lock.models if model.id in names])
    old = msgspec.structs.replace(lock, models=there)
    new = msgspec.structs.replace(
        lock, policy=wanted, bound=settings.proposed_bound, models=shared, routes=dict(settings.proposed_routes)
    )
    found = differences(old, new)
    more = [
        Difference(f"models.{one.model}", None, f"rank {one.rank}")
        for one in wanted.candidates
        if one.model not in known
    ]
    gone = {one.key.split(".rank")[0] for one in found if one.key.endswith(".rank") and one.new is None}
    kept = [one for one in found if one.key.endswith(".rank") or not any(one.key.startswith(f"{key}.") for key in gone)]
    return (*kept, *more)


def _values(lock: PolicyLock) -> Iterator[tuple[str, str]]:
    """Every value of a lock as text, by a key that names models by id."""
    policy, bound = lock.policy, lock.bound
    yield "policy.preset", preset_of(policy) or "none"
    for name in ("simple_bar", "quality_bar", "simple_share", "markers", "fill_ttl", "horizon", "adapt"):
        yield f"policy.{name}", _shown(getattr(policy, name))
    if policy.budget is not None:
        yield "policy.budget.usd", usd_text(policy.budget.limit_pico).rstrip("0").rstrip(".")
        yield "policy.budget.when_spent", policy.budget.when_spent
    if bound is not None:
        for name in SpendBound.__struct_fields__:
            yield f"policy.bound.{name}", _shown(getattr(bound, name))
    for route, rules in sorted(lock.routes.items()):
        for name in ("simple_bar", "quality_bar"):
            yield f"routes.{route}.{name}", _shown(getattr(rules, name))
        yield f"routes.{route}.candidates", ", ".join(one.model for one in rules.ranked)
    yield "classifier.kind", lock.classifier.kind
    if lock.classifier.model:
        yield "classifier.model", lock.classifier.model
    for name, digest in sorted(lock.classifier.sha256.items()):
        yield f"classifier.sha256.{name}", digest[:12]
    ranks = {candidate.model: candidate.rank for candidate in policy.candidates}
    for model in lock.models:
        where = f"models.{model.id}"
        yield f"{where}.rank", _shown(ranks.get(model.id, "none"))
        yield from _facts(where, model)


def _facts(where: str, model: Model) -> Iterator[tuple[str, str]]:
    for tier in model.price.tiers:
        above = f" (prompts above {tier.above_prompt_tokens:,} tokens)" if tier.above_prompt_tokens else ""
        for name in PRICES:
            if (price := getattr(tier, name)) is not None:
                yield f"{where}.price.{name}{above}", _number(price)
    for name in CacheRules.__struct_fields__:
        yield f"{where}.cache.{name}", _shown(getattr(model.cache, name))
    for name in ("tokenizer_ratio", "context_window", "max_output_tokens"):
        yield f"{where}.{name}", _shown(getattr(model, name))
    yield f"{where}.capabilities", ", ".join(capabilities_of(model)) or "none"
    for name in ("rejected_parameters", "accepted_parameters"):
        yield f"{where}.{name}", _shown(getattr(model, name))


def _number(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
