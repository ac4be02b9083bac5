"""Settings: ``turnout.toml`` and ``TURNOUT_*`` variables as values of the core.

No setting is a secret: keys of providers stay where their own clients look for them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import msgspec
from pydantic import ValidationError
from pydantic_settings import SettingsError

from turnout.config.calibration import AGAIN, CalibrationFile, problem, read_calibration
from turnout.config.errors import ConfigError
from turnout.config.facts import load_facts
from turnout.config.model_names import ModelNames, model_names
from turnout.config.pairs import DEFAULT_PAIR, Pair
from turnout.config.policy_lock import PolicyLock
from turnout.config.policy_lock_file import read_lock
from turnout.config.presets import PRESETS
from turnout.config.routes import ROUTED
from turnout.config.settings_problems import check_variables, one_line, origin
from turnout.config.settings_schema import (
    PATHS,
    PREFIX,
    BoundTable,
    CallsTable,
    ClassifierKind,
    ClassifierTable,
    GatewayTable,
    PolicyTable,
    RouteTable,
    SettingsTable,
    UpstreamAuth,
    UpstreamProtocol,
    UpstreamSpeech,
    UpstreamTable,
)
from turnout.config.toml_file import read_toml
from turnout.core.calls import BreakerRules, CallRules
from turnout.core.catalog import Catalog, UnknownModelError, unknown
from turnout.core.cost import usd_to_pico
from turnout.core.pins import check_pin
from turnout.core.policy import Budget, Candidate, Policy
from turnout.core.spend_bound import SpendBound

FILE_VARIABLE = "TURNOUT_CONFIG"
"""The variable that names the file of settings."""

FILE_NAME = "turnout.toml"
"""The file that is read from the working directory where none is named."""


class ClassifierSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which classifier routes, and the options of all kinds; see `ClassifierTable`.

    ``model`` is a catalog id, the lowest-ranked candidate where none is named.
    """

    kind: ClassifierKind
    timeout_seconds: float
    model: str
    examples: Path | None = None
    rules: Path | None = None
    artefact: Path | None = None
    doubt: tuple[float, float]


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where ``turnout serve`` listens, and how much it takes on.

    Limits hold for each worker.

    Attributes:
        host: Where it listens; an address that others can reach takes keys (`turnout keys create`).
        port: 0 for any free one.
        keys: The file of keys; none: keys.json beside the ledger's default place.
        tls_cert: The certificate of TLS, with those between it and its root, as PEM.
        tls_key: Its private key, as PEM, without a password; none: it is in the certificate's file.
        behind_tls_proxy: Whether clients reach it through a proxy alone, which speaks TLS with them.
        workers: How many processes serve, about one for each core.
        max_body_bytes: The longest body of a request.
        max_bodies_bytes: How many bytes of bodies are held for all requests under way; more are refused with 429.
        max_header_bytes: The longest head of a request: its path and its headers.
        max_depth: How deep a body may be nested.
        max_requests: How many requests are served at once; more are refused with 429 or 503, as the protocol has it.
        max_connections: How many connections are open at once; more are closed at once.
        header_seconds: How long a request's head may take to come.
        body_seconds: How long a body may take to come.
        write_seconds: How long a client may read nothing of its answer before its connection is closed.
        linger_seconds: How long new requests are still taken after the server was told to stop, while `/readyz` says
            so already: for load balancers that ask now and then.
        drain_seconds: How long answers under way then have to end.
        translate: Whether a candidate may serve whose provider speaks another protocol than the client.
    """

    host: str = "127.0.0.1"
    port: int = 4141
    keys: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_tls_proxy: bool = False
    workers: int = 1
    max_body_bytes: int = 32 * 1024 * 1024
    max_bodies_bytes: int = 512 * 1024 * 1024
    max_header_bytes: int = 64 * 1024
    max_depth: int = 100
    max_requests: int = 1_000
    max_connections: int = 5_000
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    write_seconds: float = 60.0
    linger_seconds: float = 0.0
    drain_seconds: float = 30.0
    translate: bool = True


class UpstreamSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's API, as requests are relayed to it.

    Attributes:
        protocol: What it speaks.
        provider: Whose models of the catalog it serves, such as ``openai`` in ``openai/gpt-5``; none: its own name.
        base_url: Where it is, as the provider's SDK takes it; none: the provider's own address.
        auth: How it is proved who calls; none: as the provider is used to, and not at all with a ``base_url`` but
            without a ``key_env``.
        key_env: The environment variable that holds the key.
        region: The AWS region; none: that of the settings or of the environment.
        speaks: Which of OpenAI's two APIs a server with ``protocol = "openai"`` has, ``chat`` and ``responses``; none:
            both for the provider ``openai``, else Chat Completions alone.
        api_version: Azure OpenAI's older API, which has the deployment in the path: what goes into ``api-version``. Not
            for ``base_url`` that ends in ``/openai/v1``.
        models: What this server calls models that the catalog knows by another name, such as Azure's deployments: the
            provider's own id, and the name that is sent.
        headers: Headers that every request to it carries.
        headers_env: The same, with values from environment variables: the header, and the variable's name.
        ca_file: Certificates (PEM) that a TLS connection trusts instead of those of the system.
        connect_seconds: How long a connection may take to be made; none: 10.
        stall_seconds: How long it may send nothing, instead of that of ``[calls]``.
        max_connections: How many requests it gets at once; others wait for their turn. None: as many as come.
        proxy: The proxy that it is asked through, such as ``http://proxy.example.com:3128``; ``none``: directly. None:
            as the environment says (``HTTPS_PROXY``, ``NO_PROXY``).
        proxy_env: The environment variable that holds the proxy's URL, where that has a user and a password.
    """

    protocol: UpstreamProtocol
    provider: str | None = None
    base_url: str | None = None
    auth: UpstreamAuth | None = None
    key_env: str | None = None
    region: str | None = None
    speaks: tuple[UpstreamSpeech, ...] | None = None
    api_version: str | None = None
    models: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    headers_env: Mapping[str, str] = {}
    ca_file: Path | None = None
    connect_seconds: float | None = None
    stall_seconds: float | None = None
    max_connections: int | None = None
    proxy: str | None = None
    proxy_env: str | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What Turnout was configured with.

    Attributes:
        rules: The policy that holds; `policy` gives it for a catalog.
        bound: How much may be spent beyond what the most capable model alone would; none: spending is not bound.
        policy_file: The lock (`turnout.config.policy_lock`) that policy and bound come from; none: from ``[policy]``.
        lock: What stands in it; none: there is none, or it was not asked for.
        proposed: The policy of ``[policy]``; the same as ``rules`` but where a lock holds.
        proposed_bound: The same for the spend bound.
        proposed_routes: The same for the routes.
        classifier: Which classifier routes, and how.
        calls: How long and how often a request is tried, and when a model counts as out of service.
        pinned_tags: For each pinned tag the catalog id of its model, a candidate (`turnout.core.pins`).
        ledger: The SQLite file of events.
        overrides: The user's file of facts and prices of models, or none.
        default_profile: The Bedrock inference profile of incoming requests that name none; none: they are refused.
        region: The AWS region; none: boto3's own choice.
        application_profiles: The model of each application-profile ARN, by the ARN or its last part.
        max_prompt_chars: The longest prompt that is taken from outside, in characters.
        record_text: Whether prompts and answers may be recorded. Off unless somebody turns it on.
        texts: A file where they are kept if they may be, one call a line, for `turnout collect`; none: there is none.
        gateway: Where ``turnout serve`` listens, and how much it takes on.
        calibration: Where the bar comes from and what is said of it; none: it is the user's own.
        calibration_file: The file that the calibration was read from.
        upstreams: The providers' APIs that it relays to, by name; those that are not named have defaults.
        routes: The policies that have a name of their own (`turnout.config.routes`).
        file: The file that was read, or none.
    """

    rules: Policy
    classifier: ClassifierSettings
    ledger: Path
    calls: CallRules = field(default_factory=CallRules)
    bound: SpendBound | None = None
    policy_file: Path | None = None
    lock: PolicyLock | None = None
    proposed: Policy | None = None
    proposed_bound: SpendBound | None = None
    proposed_routes: Mapping[str, Policy] = field(default_factory=dict)
    pinned_tags: Mapping[str, str] = field(default_factory=dict)
    overrides: Path | None = None
    default_profile: str | None = None
    region: str | None = None
    application_profiles: Mapping[str, str] = field(default_factory=dict)
    max_prompt_chars: int = 200_000
    record_text: bool = False
    texts: Path | None = None
    gateway: GatewaySettings = field(default_factory=GatewaySettings)
    upstreams: Mapping[str, UpstreamSettings] = field(default_factory=dict)
    routes: Mapping[str, Policy] = field(default_factory=dict)
    calibration: CalibrationFile | None = None
    calibration_file: Path | None = None
    file: Path | None = None

    def policy(self, catalog: Catalog) -> Policy:
        """The policy, once its candidates were found in the catalog and its calibration fits them.

        Raises:
            ConfigError: The catalog lacks a candidate (the message names the nearest model), or the calibration was
                found for other ones.
        """
        for candidate in self.rules.candidates:
            if candidate.model not in catalog:
                known = [model.id for model in catalog.models]
                raise ConfigError(f"{self.file or 'settings'}: policy: {unknown('model', candidate.model, known)}")
        if self.calibration is not None:
            wrong = problem(self.calibration, self.rules, catalog)
            if wrong is not None:
                raise ConfigError(f"{self.calibration_file}: {wrong}: {AGAIN}")
        return self.rules

    @property
    def routing(self) -> dict[str, Any]:
        """The options of a door that the settings hold beside the policy (`turnout.doors.strands.RoutingOptions`)."""
        return {
            "classifier_timeout_s": self.classifier.timeout_seconds,
            "calls": self.calls,
            "bound": self.bound,
            "pinned_tags": self.pinned_tags,
        }

    def resolve(self, text: str) -> str:
        """The catalog id of a model that an incoming request names, by `default_profile` and `application_profiles`.

        Raises:
            UnknownModelError: There is no such model; the message names the nearest one.
            ConfigError: The name lacks an inference profile and there is no default, or an ARN is not mapped.
        """
        return self._names.resolve(text, self.default_profile, self.application_profiles)

    @cached_property
    def _names(self) -> ModelNames:
        return model_names(load_facts(self.overrides))


def load_settings(path: Path | None = None, *, locked: bool = True, calibrated: bool = True) -> Settings:
    """Settings from a file and the environment, which wins over the file.

    Args:
        path: The file. Without one it is the one that ``TURNOUT_CONFIG`` names, else ``turnout.toml`` in the working
            directory, else there is none.
        locked: Whether a lock that ``policy_file`` names holds; else ``[policy]`` does, and the lock need not be there.
        calibrated: Whether the calibration that they name is read; without it the policy has the bars of its preset.

    Raises:
        ConfigError: The file cannot be read, or a key is unknown or cannot be used.
    """
    environment = {name.upper(): value for name, value in os.environ.items()}
    check_variables(environment, reserved=[FILE_VARIABLE])
    file = path or _file_in_use(environment)
    try:
        table = SettingsTable(**(_read(file) if file else {}))
    except ValidationError as error:
        raise one_line(error, file, environment) from None
    except SettingsError as error:
        raise ConfigError(f"environment variable {_variable_of(str(error))}: must be JSON") from None
    if not calibrated:
        table = table.model_copy(update={"policy": table.policy.model_copy(update={"calibration": None})})
    loader = _Loader(file, environment, table)
    return loader.settings(locked=locked)


def default_ledger(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the ledger lies unless settings say otherwise: the user's data directory of the XDG specification."""
    base = environment.get("XDG_DATA_HOME", "")
    # The specification has relative paths ignored.
    data = Path(base) if base and Path(base).is_absolute() else Path.home() / ".local" / "share"
    return data / "turnout" / "ledger.sqlite3"


class _Loader:
    """Turns one table of settings into values of the core; its errors name the key."""

    def __init__(self, file: Path | None, environment: Mapping[str, str], table: SettingsTable) -> None:
        self._file = file
        self._environment = environment
        self._table = table

    def settings(self, *, locked: bool = True) -> Settings:
        table = self._table
        facts = load_facts(_expanded(table.overrides))
        names = model_names(facts)
        if table.default_profile is not None and table.default_profile not in facts.profiles:
            raise self._error(unknown("inference profile", table.default_profile, facts.profiles), "default_profile")
        profiles = {
            key: self._model(names, model, "application_profiles", key)
            for key, model in table.application_profiles.items()
        }
        calibration_file = _expanded(table.policy.calibration)
        calibration = None if calibration_file is None else self._calibration(calibration_file, table.policy)
        proposed = self._policy(names, table.policy, calibration)
        proposed_bound = self._bound(table.policy.bound)
        routes = {name: self._route(names, name, one, proposed) for name, one in table.routes.items()}
        policy_file = _expanded(table.policy_file)
        lock = self._lock(policy_file) if locked and policy_file is not None else None
        rules, bound = (proposed, proposed_bound) if lock is None else (lock.policy, lock.bound)
        return Settings(
            rules=rules,
            bound=bound,
            policy_file=policy_file,
            lock=lock,
            proposed=proposed,
            proposed_bound=proposed_bound,
            classifier=self._classifier(names, table.classifier, rules),
            calls=_calls(table.calls),
            pinned_tags={
                tag: self._candidate(names, model, rules, "pins", "tags", tag) for tag, model in table.pins.tags.items()
            },
            ledger=_expanded(table.ledger) or default_ledger(self._environment),
            overrides=_expanded(table.overrides),
            default_profile=table.default_profile,
            region=table.region,
            application_profiles=profiles,
            max_prompt_chars=table.max_prompt_chars,
            record_text=table.record_text,
            texts=_expanded(table.texts),
            gateway=self._gateway(table.gateway),
            upstreams={name: self._upstream(name, one) for name, one in table.upstreams.items()},
            routes=routes if lock is None else lock.routes,
            proposed_routes=routes,
            calibration=calibration,
            calibration_file=calibration_file,
            file=self._file,
        )

    def _calibration(self, path: Path, table: PolicyTable) -> CalibrationFile:
        """The calibration, if nothing else sets its bar and nothing goes past it."""
        found = read_calibration(path)
        for name in found.bars:
            if getattr(table, name) is not None:
                raise self._error("either it or policy.calibration sets the bar, not both", "policy", name)
        if found.guaranteed and table.budget is not None and table.budget.when_spent == "cheapest":
            message = "'cheapest' goes past the bar that policy.calibration guarantees quality by; write 'refuse'"
            raise self._error(message, "policy", "budget", "when_spent")
        return found

    def _policy(self, names: ModelNames, table: PolicyTable, calibration: CalibrationFile | None) -> Policy:
        candidates: tuple[Candidate, ...] = DEFAULT_PAIR.candidates
        if table.candidates is not None:
            candidates = tuple(
                Candidate(self._model(names, candidate.model, "policy", "candidates", index, "model"), candidate.rank)
                for index, candidate in enumerate(table.candidates)
            )
        elif table.cheap is not None and table.capable is not None:
            cheap = self._model(names, table.cheap, "policy", "cheap")
            candidates = Pair(cheap, self._model(names, table.capable, "policy", "capable")).candidates
        budget = None
        if table.budget is not None:
            try:
                budget = Budget(limit_pico=usd_to_pico(table.budget.usd), when_spent=table.budget.when_spent)
            except ValueError as error:
                raise self._error(str(error), "policy", "budget", "usd") from None
        preset = PRESETS[table.preset]
        bars = {"simple_bar": preset["simple_bar"], "quality_bar": preset["quality_bar"]}
        bars |= {name: value for name in bars if (value := getattr(table, name)) is not None}
        try:
            return Policy(
                candidates=candidates,
                **(bars if calibration is None else bars | calibration.bars),
                simple_share=table.simple_share,
                markers=table.markers,
                fill_ttl=table.fill_ttl,
                horizon=table.horizon,
                adapt=table.adapt,
                budget=budget,
            )
        except ValueError as error:
            raise self._error(str(error), "policy") from None

    def _lock(self, path: Path) -> PolicyLock:
        if not path.exists():
            raise self._error(f"{path}: there is no such file: `turnout plan --write` makes it", "policy_file")
        return read_lock(path)

    def _bound(self, table: BoundTable | None) -> SpendBound | None:
        if table is None:
            return None
        try:
            kappa_pico = usd_to_pico(table.kappa_usd)
        except ValueError as error:
            raise self._error(str(error), "policy", "bound", "kappa_usd") from None
        return SpendBound(
            epsilon=table.epsilon,
            kappa_pico=kappa_pico,
            call_limit=table.call_limit,
            growth_limit_tokens=table.growth_limit_tokens,
            output_limit_tokens=table.output_limit_tokens,
        )

    def _route(self, names: ModelNames, name: str, table: RouteTable, rules: Policy) -> Policy:
        """The policy that a name stands for."""
        where = ("routes", name)
        if name.partition("/")[0] == ROUTED or name in PRESETS:
            raise self._error("is a name of Turnout's own: take another", *where)
        changes: dict[str, Any] = {} if table.preset is None else dict(PRESETS[table.preset])
        bars = {"simple_bar": table.simple_bar, "quality_bar": table.quality_bar}
        changes |= {bar: value for bar, value in bars.items() if value is not None}
        if table.candidates is not None:
            chosen = [
                self._candidate(names, text, rules, *where, "candidates", index)
                for index, text in enumerate(table.candidates)
            ]
            changes["candidates"] = tuple(one for one in rules.candidates if one.model in chosen)
        try:
            return msgspec.structs.replace(rules, **changes)
        except ValueError as error:
            raise self._error(str(error), *where) from None

    def _candidate(self, names: ModelNames, text: str, rules: Policy, *location: int | str) -> str:
        """The candidate of that name; without an inference profile, the only one that is called so."""
        candidates = [candidate.model for candidate in rules.candidates]
        behind_profiles = {names.resolve(text, profile) for profile in names.profiles} if text in names.bedrock else ()
        called = [candidate for candidate in candidates if candidate in behind_profiles]
        model = called[0] if len(called) == 1 else self._model(names, text, *location)
        try:
            return check_pin(model, rules)
        except UnknownModelError as error:
            raise self._error(str(error), *location) from None

    def _classifier(self, names: ModelNames, table: ClassifierTable, rules: Policy) -> ClassifierSettings:
        cheap = min(rules.candidates, key=lambda candidate: candidate.rank).model
        return ClassifierSettings(
            kind=table.kind,
            timeout_seconds=table.timeout_seconds,
            model=self._model(names, table.model, "classifier", "model") if table.model else cheap,
            examples=_expanded(table.examples),
            rules=_expanded(table.rules),
            artefact=_expanded(table.artefact),
            doubt=table.doubt,
        )

    def _gateway(self, table: GatewayTable) -> GatewaySettings:
        if table.tls_key is not None and table.tls_cert is None:
            raise self._error("has no use without tls_cert", "gateway", "tls_key")
        if table.max_bodies_bytes < table.max_body_bytes:
            raise self._error("must be at least max_body_bytes", "gateway", "max_bodies_bytes")
        paths = {name: _expanded(getattr(table, name)) for name in ("keys", "tls_cert", "tls_key")}
        return GatewaySettings(**{**table.model_dump(), **paths})

    def _upstream(self, name: str, table: UpstreamTable) -> UpstreamSettings:
        where = ("upstreams", name)
        provider = table.provider or name
        protocol = table.protocol or _PROTOCOLS.get(provider)
        if protocol is None:
            raise self._error(f"is needed: {', '.join(get_args(UpstreamProtocol))}", *where, "protocol")
        if provider not in _PROTOCOLS and table.base_url is None:
            raise self._error("is needed", *where, "base_url")
        if table.base_url is not None and not table.base_url.startswith(("http://", "https://")):
            raise self._error("must begin with http:// or https://", *where, "base_url")
        if table.key_env is not None and not (table.key_env.isascii() and table.key_env.isidentifier()):
            raise self._error("must be the name of an environment variable, not the key itself", *where, "key_env")
        if table.auth in ("none", "sigv4") and table.key_env is not None:
            raise self._error(f"has no use with auth = {table.auth!r}", *where, "key_env")
        for key in ("speaks", "api_version"):
            if protocol != "openai" and getattr(table, key) is not None:
                raise self._error(f"has no use with protocol = {protocol!r}", *where, key)
        if table.api_version is not None and table.base_url is None:
            raise self._error("needs a base_url, such as https://NAME.openai.azure.com", *where, "api_version")
        self._check_headers(where, table)
        self._check_proxy(where, table)
        given = table.model_dump()
        speaks = None if table.speaks is None else tuple(dict.fromkeys(table.speaks))
        ca_file = _expanded(table.ca_file)
        if ca_file is not None and not ca_file.is_absolute() and self._file is not None:
            ca_file = self._file.parent / ca_file
        return UpstreamSettings(**{**given, "protocol": protocol, "speaks": speaks, "ca_file": ca_file})

    def _check_proxy(self, where: tuple[str, str], table: UpstreamTable) -> None:
        if table.proxy is not None and table.proxy_env is not None:
            raise self._error("has no use beside proxy", *where, "proxy_env")
        if table.proxy_env is not None and not (table.proxy_env.isascii() and table.proxy_env.isidentifier()):
            raise self._error("must be the name of an environment variable, not the URL itself", *where, "proxy_env")
        if table.proxy is None or table.proxy == "none":
            return
        if not table.proxy.startswith("http://"):
            raise self._error("must begin with http://, or be none", *where, "proxy")
        if "@" in table.proxy:
            raise self._error(
                "has no place for a password: name a variable that holds the URL by proxy_env", *where, "proxy"
            )

    def _check_headers(self, where: tuple[str, str], table: UpstreamTable) -> None:
        for key, headers in (("headers", table.headers), ("headers_env", table.headers_env)):
            for name, value in headers.items():
                if not _HEADER.fullmatch(name) or name.lower() in _NOT_OURS_TO_SET:
                    raise self._error("is no header that can be set", *where, key, name)
                if key == "headers_env" and not (value.isascii() and value.isidentifier()):
                    raise self._error("must be the name of an environment variable", *where, key, name)
                if key == "headers" and name.lower() in _CREDENTIALS:
                    raise self._error("holds a key: name its variable in headers_env", *where, key, name)
                if key == "headers" and not (value.isascii() and value.isprintable()):
                    raise self._error("holds what a header may not hold", *where, key, name)

    def _model(self, names: ModelNames, text: str, *location: int | str) -> str:
        """The catalog id of a model that settings name; it has to say its inference profile."""
        if ":application-inference-profile/" in text:
            # It could be priced, but calls would go to the model's own profile, past the tags that it was made for.
            raise self._error("an application profile cannot be called yet: name the model behind it", *location)
        try:
            return names.resolve(text, None, self._table.application_profiles)
        except (UnknownModelError, ConfigError) as error:
            raise self._error(str(error), *location) from None

    def _error(self, message: str, *location: int | str) -> ConfigError:
        dotted = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)[1:]
        return ConfigError(f"{origin(location, self._file, self._environment)}: {dotted}: {message}")


_PROTOCOLS: Mapping[str, UpstreamProtocol] = {"openai": "openai", "anthropic": "anthropic", "bedrock": "bedrock"}
"""What the providers speak that need not say it."""


_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_OURS_TO_SET = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "content-encoding", "expect", "te"}
)
"""They belong to the connection, or to how answers are read."""

_CREDENTIALS = frozenset({"authorization", "api-key", "x-api-key", "cookie", "proxy-authorization"})


def _calls(table: CallsTable) -> CallRules:
    breaker = table.breaker
    return CallRules(
        deadline_s=table.deadline_seconds,
        stall_s=table.stall_seconds,
        attempts_per_model=table.attempts_per_model,
        base_backoff_s=table.base_backoff_seconds,
        max_backoff_s=table.max_backoff_seconds,
        failover_after_s=table.failover_after_seconds,
        breaker=BreakerRules(
            consecutive_failures=breaker.consecutive_failures,
            error_rate=breaker.error_rate,
            minimum_calls=breaker.minimum_calls,
            window_s=breaker.window_seconds,
            open_s=breaker.open_seconds,
            probes=breaker.probes,
        ),
    )


def _file_in_use(environment: Mapping[str, str]) -> Path | None:
    if environment.get(FILE_VARIABLE):
        return Path(environment[FILE_VARIABLE]).expanduser()
    here = Path(FILE_NAME)
    return here if here.is_file() else None


def _read(file: Path) -> dict[str, Any]:
    """The file's tables, with relative paths taken from where the file is."""
    document = read_toml(file)
    for *tables, key in PATHS:
        table: Any = document
        for name in tables:
            table = table.get(name) if isinstance(table, dict) else None
        if isinstance(table, dict) and isinstance(table.get(key), str):
            table[key] = str(file.parent / Path(table[key]).expanduser())
    return document


def _expanded(path: Path | None) -> Path | None:
    return None if path is None else path.expanduser()


def _variable_of(message: str) -> str:
    """The variable in pydantic-settings' message on one that is no JSON: it names the field in quotes."""
    return PREFIX + message.partition('"')[2].partition('"')[0].upper()
