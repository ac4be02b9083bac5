"""The values of ``policy.toml``: what routes, at which prices, and what that was reckoned to cost; read and checked.

The file is a lock: `turnout plan --write` writes it, people review it, and a router that is given it (``policy_file``
in the settings) routes by its models and thresholds whatever ``[policy]`` says by then. Prices in it are those that
were reviewed: bills go by the catalog's, and `differences` says where the two have parted.

Known limitations: a lock says which classifier its thresholds belong to and does not build one; a price that the
catalog changes is told of, and decisions go by the catalog's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from turnout.config.errors import ConfigError
from turnout.config.presets import preset_of
from turnout.config.toml_file import read_toml
from turnout.core.cache import CacheRules
from turnout.core.catalog import Capabilities, Catalog, Model, unknown
from turnout.core.cost import usd_text, usd_to_pico
from turnout.core.policy import Budget, Candidate, Policy
from turnout.core.price import Price, PriceTier
from turnout.core.spend_bound import SpendBound

if TYPE_CHECKING:
    from turnout.config.settings import Settings

LOCK_NAME = "policy.toml"
"""What the file is called where the settings do not say."""

FORMAT = 1
"""The version of the file's format."""

QualitySource = Literal["outcomes", "classifier", "none"]
"""Where an estimate of quality comes from: graded answers, the classifier's own probabilities, or nowhere."""


class LockedClassifier(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose verdicts the thresholds were chosen for.

    Attributes:
        kind: As in the settings.
        model: What it asks, for kinds that call a model; else empty.
        sha256: For each of its files or folders by key of the settings (``rules``, ``examples``, ``artefact``,
            ``calibration``) a hash of its bytes.
    """

    kind: str
    model: str = ""
    sha256: dict[str, str] = {}


class LockedWindow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of the ledger the prediction rests on.

    Attributes:
        first_day: The day (UTC) of its first decision.
        last_day: The day of its last one.
        days: How many days that is, both included.
        decisions: How many decisions were replayed.
        calls: How many calls for an answer belong to them.
        sessions: How many sessions they belong to.
        simulated: Whether its models were simulated.
        sha256: A hash over these decisions and calls, and over the graded answers where quality rests on them: the same
            data, the same hash.
    """

    first_day: str
    last_day: str
    days: int
    decisions: int
    calls: int
    sessions: int
    simulated: bool = False
    sha256: str = ""


class LockedPrediction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the policy was reckoned to make of the window. Amounts are USD as text, shares are fractions.

    Attributes:
        spend_usd: What the window's requests would have cost, classifier included.
        spend_low_usd: The least that is reckoned with.
        spend_high_usd: The most that is reckoned with.
        exact_usd: The part of it that is exact.
        spend_usd_per_day: The same for a day of the window.
        spend_usd_per_1000_requests: The same for 1,000 decisions.
        quality: The estimate of quality, 0 to 1; none: nothing is known.
        quality_low: Its lower 95 % end.
        quality_high: Its upper 95 % end.
        quality_source: Where it comes from.
        share: For each model by id, the share of decisions that it would have served.
    """

    spend_usd: str
    spend_low_usd: str
    spend_high_usd: str
    exact_usd: str
    spend_usd_per_day: str
    spend_usd_per_1000_requests: str
    quality: float | None = None
    quality_low: float | None = None
    quality_high: float | None = None
    quality_source: QualitySource = "none"
    share: dict[str, float] = {}


class PolicyLock(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of ``policy.toml``.

    Attributes:
        policy: The rules and candidates.
        bound: The spend bound, or none.
        routes: The policies that have names of their own (``[routes.NAME]``), each over some of the candidates.
        models: The candidates and what the classifier asks, with all facts that decisions and bills go by.
        classifier: Whose verdicts the thresholds are for.
        catalog_sha256: A hash over ``models`` as they were when the file was written.
        window: What the prediction rests on; none: there was nothing to replay.
        predicted: The prediction.
    """

    policy: Policy
    bound: SpendBound | None
    models: tuple[Model, ...]
    classifier: LockedClassifier
    routes: dict[str, Policy] = {}
    catalog_sha256: str = ""
    window: LockedWindow | None = None
    predicted: LockedPrediction | None = None

    @property
    def catalog(self) -> Catalog:
        """The models as a catalog."""
        return Catalog.of(self.models)

    @property
    def edited(self) -> bool:
        """Whether its models are no longer those that it was written with."""
        return bool(self.catalog_sha256) and self.catalog.content_hash != self.catalog_sha256


class Difference(NamedTuple):
    """A key that two locks have different values for; a side that lacks it has none there."""

    key: str
    old: str | None
    new: str | None


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


def lock_of(
    policy: Policy,
    bound: SpendBound | None,
    catalog: Catalog,
    classifier: LockedClassifier,
    *,
    routes: Mapping[str, Policy] | None = None,
    window: LockedWindow | None = None,
    predicted: LockedPrediction | None = None,
) -> PolicyLock:
    """The lock of a policy as the catalog has its models now.

    Raises:
        UnknownModelError: The catalog lacks a model.
    """
    ids = [candidate.model for candidate in policy.candidates]
    locked = catalog.only(dict.fromkeys([*ids, classifier.model] if classifier.model else ids))
    return PolicyLock(
        policy=_in_order(policy),
        bound=bound,
        models=locked.models,
        classifier=classifier,
        routes={name: _in_order(one) for name, one in sorted((routes or {}).items())},
        catalog_sha256=locked.content_hash,
        window=window,
        predicted=predicted,
    )


def classifier_of(settings: Settings) -> LockedClassifier:
    """What a lock says of the configured classifier.

    Raises:
        ConfigError: One of its files cannot be read.
    """
    options = settings.classifier
    files = {key: getattr(options, key) for key in _FILES_OF.get(options.kind, ())}
    files["calibration"] = settings.calibration_file  # whose bars are for this classifier alone
    used = {key: path for key, path in files.items() if path is not None}
    return LockedClassifier(
        kind=options.kind,
        model=options.model if options.kind in ("llm", "cascade") else "",
        sha256={key: _digest(path) for key, path in sorted(used.items())},
    )


_FILES_OF: Mapping[str, tuple[str, ...]] = {
    "keyword": ("rules",),
    "embedding": ("examples",),
    "llm": ("examples",),
    "cascade": ("rules", "examples"),
    "learned": ("artefact",),
}
"""The keys of files that each kind of classifier reads; a packaged artefact is as old as Turnout."""


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
        for name in _PRICES:
            if (price := getattr(tier, name)) is not None:
                yield f"{where}.price.{name}{above}", _number(price)
    for name in CacheRules.__struct_fields__:
        yield f"{where}.cache.{name}", _shown(getattr(model.cache, name))
    for name in ("tokenizer_ratio", "context_window", "max_output_tokens"):
        yield f"{where}.{name}", _shown(getattr(model, name))
    yield f"{where}.capabilities", ", ".join(capabilities_of(model)) or "none"
    for name in ("rejected_parameters", "accepted_parameters"):
        yield f"{where}.{name}", _shown(getattr(model, name))


_PRICES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


def capabilities_of(model: Model) -> tuple[str, ...]:
    """The names of what a model can do."""
    return tuple(name for name in Capabilities.__struct_fields__ if getattr(model.capabilities, name))


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
    policy = _in_order(policy)
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


def _in_order(policy: Policy) -> Policy:
    """The policy with its candidates by rank, which is all that their order says."""
    return msgspec.structs.replace(policy, candidates=policy.ranked[::-1])


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
                        **{name: _price(name, getattr(tier, name)) for name in _PRICES},
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


def _digest(path: Path) -> str:
    """SHA-256 of a file's bytes, or of the names and bytes of all files of a folder."""
    digest = hashlib.sha256()
    try:
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        for one in files:
            if path.is_dir():
                digest.update(one.relative_to(path).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(one.read_bytes()).digest() if path.is_dir() else one.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return digest.hexdigest()
