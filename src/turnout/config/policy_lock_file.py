"""Reads ``policy.toml``: the layout of the file, and the lock that stands in it; errors name file and key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec

from turnout.config.errors import ConfigError
from turnout.config.policy_lock import (
    FORMAT,
    PRICES,
    LockedClassifier,
    LockedPrediction,
    LockedWindow,
    PolicyLock,
    in_order,
)
from turnout.config.toml_file import read_toml
from turnout.core.cache import CacheRules
from turnout.core.catalog import Capabilities, Catalog, Model, unknown
from turnout.core.cost import usd_to_pico
from turnout.core.policy import Budget, Candidate, Policy
from turnout.core.price import Price, PriceTier
from turnout.core.spend_bound import SpendBound


def is_lock(path: Path) -> bool:
    """Whether a TOML file is a lock and not one of settings.

    Raises:
        ConfigError: It cannot be read.
    """
    return "format" in read_toml(path)


def read_lock(path: Path) -> PolicyLock:
    """The lock of a file.

    Raises:
        ConfigError: It cannot be read, is of another format, or holds what cannot be used; with file and key.
    """
    document = read_toml(path)
    if document.get("format") != FORMAT:
        raise ConfigError(
            f"{path}: format: this version reads format {FORMAT}: write the file anew with `turnout plan --write`"
        )
    try:
        found = msgspec.convert(_plain(document), _File)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_in_words(str(error))}") from None
    try:
        return _lock(found)
    except (ValueError, ArithmeticError) as error:
        raise ConfigError(f"{path}: {error}") from None


class _Tier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    input: str
    output: str
    cache_read: str | None = None
    cache_write_5m: str | None = None
    cache_write_1h: str | None = None
    above_prompt_tokens: int = 0


class _Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    name: str
    context_window: int
    price: tuple[_Tier, ...]
    rank: int | None = None
    max_output_tokens: int | None = None
    tokenizer_ratio: float = 1.0
    cache: CacheRules = CacheRules(mode="none")
    capabilities: tuple[str, ...] = ()
    rejected_parameters: tuple[str, ...] = ()
    accepted_parameters: tuple[str, ...] | None = None


class _Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    usd: str
    when_spent: Literal["refuse", "cheapest"] = "refuse"


class _Bound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    epsilon: float
    kappa_usd: str
    call_limit: int
    growth_limit_tokens: int
    output_limit_tokens: int


class _Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    simple_bar: float
    quality_bar: float
    simple_share: float
    markers: Literal["user", "fill", "manage"]
    fill_ttl: Literal["5m", "1h"]
    horizon: Literal["call", "session"]
    adapt: bool
    preset: str | None = None
    budget: _Budget | None = None
    bound: _Bound | None = None


class _Route(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    simple_bar: float
    quality_bar: float
    candidates: tuple[str, ...] | None = None


class _Catalog(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sha256: str = ""


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    format: int
    policy: _Policy
    classifier: LockedClassifier
    models: tuple[_Model, ...]
    routes: dict[str, _Route] = {}
    catalog: _Catalog = _Catalog()
    window: LockedWindow | None = None
    predicted: LockedPrediction | None = None


def _lock(found: _File) -> PolicyLock:
    rules = found.policy
    ranked = [model for model in found.models if model.rank is not None]
    budget = None
    if rules.budget is not None:
        budget = Budget(limit_pico=_pico("policy.budget.usd", rules.budget.usd), when_spent=rules.budget.when_spent)
    bound = None
    if rules.bound is not None:
        values = msgspec.structs.asdict(rules.bound)
        kappa_pico = _pico("policy.bound.kappa_usd", values.pop("kappa_usd"))
        bound = SpendBound(**values, kappa_pico=kappa_pico)
    policy = Policy(
        candidates=tuple([Candidate(model.id, model.rank) for model in ranked if model.rank is not None]),
        simple_bar=rules.simple_bar,
        quality_bar=rules.quality_bar,
        simple_share=rules.simple_share,
        markers=rules.markers,
        fill_ttl=rules.fill_ttl,
        horizon=rules.horizon,
        adapt=rules.adapt,
        budget=budget,
    )
    policy = in_order(policy)
    models = Catalog.of(map(_model, found.models)).models
    if found.classifier.model and all(model.id != found.classifier.model for model in models):
        raise ValueError(f"classifier.model: {unknown('model', found.classifier.model, [one.id for one in models])}")
    return PolicyLock(
        policy=policy,
        bound=bound,
        routes={name: _route(name, one, policy) for name, one in sorted(found.routes.items())},
        models=models,
        classifier=found.classifier,
        catalog_sha256=found.catalog.sha256,
        window=found.window,
        predicted=found.predicted,
    )


def _route(name: str, found: _Route, policy: Policy) -> Policy:
    known = [candidate.model for candidate in policy.candidates]
    for model in found.candidates or ():
        if model not in known:
            raise ValueError(f"routes.{name}.candidates: {unknown('candidate', model, known)}")
    chosen = policy.candidates
    if found.candidates is not None:
        chosen = tuple([one for one in chosen if one.model in found.candidates])
    return msgspec.structs.replace(
        policy, simple_bar=found.simple_bar, quality_bar=found.quality_bar, candidates=chosen
    )


def _model(found: _Model) -> Model:
    provider, slash, model_id = found.id.partition("/")
    if not slash:
        raise ValueError(f"models: the id {found.id!r} lacks its provider, as in bedrock/{found.id}")
    known = Capabilities.__struct_fields__
    for name in found.capabilities:
        if name not in known:
            raise ValueError(f"models: {found.id}: {unknown('capability', name, known)}")
    try:
        price = Price(
            tuple(
                [
                    PriceTier(
                        above_prompt_tokens=tier.above_prompt_tokens,
                        **{name: _price(name, getattr(tier, name)) for name in PRICES},
                    )
                    for tier in found.price
                ]
            )
        )
    except ValueError as error:
        raise ValueError(f"models: {found.id}: price: {error}") from None
    return Model(
        id=found.id,
        provider=provider,
        model_id=model_id,
        name=found.name,
        price=price,
        context_window=found.context_window,
        cache=found.cache,
        tokenizer_ratio=found.tokenizer_ratio,
        max_output_tokens=found.max_output_tokens,
        capabilities=Capabilities(**{name: name in found.capabilities for name in known}),
        rejected_parameters=found.rejected_parameters,
        accepted_parameters=found.accepted_parameters,
    )


def _price(name: str, text: str | None) -> Any:
    if text is None:
        return None
    try:
        return Decimal(text)
    except ArithmeticError:
        raise ValueError(f'{name} must be a number in quotes, such as "0.25", got {text!r}') from None


def _pico(where: str, text: str) -> int:
    try:
        return usd_to_pico(Decimal(text))
    except (ValueError, ArithmeticError):
        raise ValueError(f'{where}: must be an amount in quotes, such as "5.00", got {text!r}') from None


def _plain(value: Any) -> Any:
    """The document with numbers as floats: amounts and prices stand in it as text."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


_UNKNOWN = re.compile(r"Object contains unknown field `([^`]*)`(?: - at `\$\.?(.*)`)?")
_PLACE = re.compile(r"(.*) - at `\$\.?(.*)`")


def _in_words(message: str) -> str:
    """What msgspec found wrong: where, then what, with the nearest known key."""
    message = re.sub(r"^Expected `str`(?: \| null)?, got `(?:float|int)`", "must be a number in quotes", message)
    if found := _UNKNOWN.fullmatch(message):
        where = f"{found[2]}: " if found[2] else ""
        return where + unknown("key", found[1], _keys(_File))
    if found := _PLACE.fullmatch(message):
        return f"{found[2]}: {found[1][:1].lower()}{found[1][1:]}"
    return message[:1].lower() + message[1:]


def _keys(kind: type[msgspec.Struct]) -> Iterable[str]:
    tables = (kind, _Policy, _Route, _Budget, _Bound, _Model, _Tier, CacheRules, LockedClassifier, LockedWindow)
    return {name for table in (*tables, LockedPrediction, _Catalog) for name in table.__struct_fields__}
