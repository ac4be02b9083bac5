"""What may stand in ``turnout.toml`` and in ``TURNOUT_*`` variables.

``TURNOUT_POLICY__SIMPLE_BAR`` is ``simple_bar`` of the table ``[policy]``: two underscores go one table down; lists and
tables may be given as JSON. A variable wins over the file.

The docstrings of the tables say what each key means, to people who write the file: ``turnout init`` and the JSON schema
for editors take their words from there (`turnout.config.settings_docs`).
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from turnout.config.presets import DEFAULT_PRESET, PresetName

PREFIX = "TURNOUT_"
"""What all our variables begin with."""

NESTED = "__"
"""What goes one table down in a variable's name."""

ClassifierKind = Literal["llm", "keyword", "embedding", "learned", "cascade", "none"]
"""Which classifier routes; ``none``: no classifier, the most capable model serves."""


def _not_bool(value: Any) -> Any:
    # true is 1 to Python, which is never what somebody meant by a bar or an amount.
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    return value


Number = Annotated[float, BeforeValidator(_not_bool), Field(allow_inf_nan=False)]
Probability = Annotated[Number, Field(ge=0, le=1)]
Text = Annotated[str, Field(min_length=1)]


UpstreamProtocol = Literal["openai", "anthropic", "bedrock"]
"""What a provider's API speaks: Chat Completions and Responses; Messages; Converse and InvokeModel."""

UpstreamAuth = Literal["sigv4", "bearer", "api_key", "none"]
"""How it is proved who calls: AWS' signature, ``authorization: Bearer``, a key's own header, or not at all.

That header is ``x-api-key``, and ``api-key`` (Azure's) with ``protocol = "openai"``.
"""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CandidateTable(_Table):
    """One of ``[[policy.candidates]]``: a model and its rank of capability.

    Attributes:
        model: A model of the catalog, with its provider or inference profile; ``turnout models`` lists them.
        rank: The higher, the more capable; no two are alike.
    """

    model: Text
    rank: Annotated[int, BeforeValidator(_not_bool)]


class BudgetTable(_Table):
    """``[policy.budget]``: the most that may be spent, and what happens then.

    Attributes:
        usd: The most that one session may cost, in USD.
        when_spent: ``refuse`` the request, or go on with the ``cheapest`` model.
    """

    usd: Annotated[Decimal, BeforeValidator(_not_bool), Field(gt=0, allow_inf_nan=False)]
    when_spent: Literal["refuse", "cheapest"] = "refuse"


class BoundTable(_Table):
    """``[policy.bound]``: the spend bound: little more is spent than the most capable model alone would have cost.

    The keys are those of `turnout.core.spend_bound.SpendBound`; an amount is in USD. A table without keys
    switches it on with the defaults, which are those of ``turnout replay``.

    Attributes:
        epsilon: The share of what the most capable model alone would have cost that may be spent beyond it.
        kappa_usd: What may be spent beyond it once and for all, in USD.
        call_limit: The most calls of a turn with tools that is reckoned with.
        growth_limit_tokens: By how many tokens the prompt grows at most from a call of a turn to the next.
        output_limit_tokens: The longest answer that is reckoned with where nothing says less, in tokens.
    """

    epsilon: Annotated[Number, Field(ge=0)] = 0.05
    kappa_usd: Annotated[Decimal, BeforeValidator(_not_bool), Field(ge=0, allow_inf_nan=False)] = Decimal(5)
    call_limit: Annotated[int, BeforeValidator(_not_bool), Field(ge=1)] = 8
    growth_limit_tokens: Annotated[int, BeforeValidator(_not_bool), Field(ge=0)] = 4_000
    output_limit_tokens: Annotated[int, BeforeValidator(_not_bool), Field(ge=0)] = 8_000


class PolicyTable(_Table):
    """``[policy]``: the keys of `turnout.core.policy.Policy`, and ``preset``.

    ``cheap`` and ``capable`` are short for two candidates. Without these and ``candidates`` it is the default pair.
    ``preset`` sets the bars (see `turnout.config.presets`); a bar that is set itself wins over it, wherever it is set.

    Attributes:
        candidates: The models that may serve, each with its rank.
        cheap: The cheaper of two candidates; goes together with ``capable``.
        capable: The more capable of the two.
        preset: How sure a verdict has to be before a cheaper model serves.
        simple_bar: A query goes to the cheap model where P(simple) is at least this. Wins over the preset.
        quality_bar: The same for classifiers that were calibrated on graded answers: P(answer suffices).
        calibration: A file that ``turnout calibrate`` wrote: its bar holds, for the candidates and the classifier that
            it was found with, and nothing else may set that bar.
        simple_share: The share of simple queries that you expect.
        markers: Who places cache points: only the ``user``; ``fill`` adds one where a request has none; ``manage``
            moves them as it pays, and needs the horizon ``session``.
        fill_ttl: How long what a filled cache point writes is kept.
        horizon: Over what a decision is priced: the ``call`` at hand, or the ``session`` that it belongs to.
        adapt: Whether parameters that a model rejects may be dropped, and output limits clamped.
        budget: A limit on what a session may cost; none: there is no limit.
        bound: The spend bound; none: spending is not bound.
    """

    candidates: Annotated[tuple[CandidateTable, ...], Field(min_length=1)] | None = None
    cheap: Text | None = None
    capable: Text | None = None
    preset: PresetName = DEFAULT_PRESET
    simple_bar: Probability | None = None
    quality_bar: Probability | None = None
    calibration: Path | None = None
    simple_share: Annotated[Number, Field(gt=0, lt=1)] = 0.65
    markers: Literal["user", "fill", "manage"] = "user"
    fill_ttl: Literal["5m", "1h"] = "5m"
    horizon: Literal["call", "session"] = "call"
    adapt: bool = False
    budget: BudgetTable | None = None
    bound: BoundTable | None = None

    @model_validator(mode="after")
    def _one_way_to_name_candidates(self) -> Self:
        if (self.cheap is None) != (self.capable is None):
            raise ValueError("'cheap' and 'capable' go together")
        if self.cheap is not None and self.candidates is not None:
            raise ValueError("either 'candidates' or 'cheap' and 'capable', not both")
        return self


class RouteTable(_Table):
    """Policies under names of their own, which clients write as a model: what one does not say is as in the policy.

    A name may be one that an application has in its code already, such as ``gpt-4o``: it is routed then, and pins no
    candidate that a provider calls so; the catalog id still does.

    Attributes:
        candidates: Those of the policy's candidates that may serve it, named like them; none: all of them.
        preset: The bars, as in ``[policy]``.
        simple_bar: As in ``[policy]``. Wins over the preset.
        quality_bar: As in ``[policy]``. Wins over the preset.
    """

    candidates: Annotated[list[Text], Field(min_length=1)] | None = None
    preset: PresetName | None = None
    simple_bar: Probability | None = None
    quality_bar: Probability | None = None


class ClassifierTable(_Table):
    """``[classifier]``: which classifier routes, and the options of all kinds.

    Options of other kinds than the chosen one may stand: commands that compare classifiers use them.

    Attributes:
        kind: Which one routes; the default is the one that needs neither weights nor a model.
        timeout_seconds: How long the router waits for a verdict.
        model: What the LLM classifier asks, named like a candidate; none: the lowest-ranked candidate.
        examples: Labelled examples of the embedding and the LLM classifier; none: those that come with Turnout.
        rules: Rules of the keyword classifier; none: those that come with Turnout.
        artefact: The folder of the learned classifier, as ``turnout train`` writes it; none: the cautious default that
            comes with Turnout, which knows labels of support queries only.
        doubt: The zone of P(simple) in which a cascade asks its last classifier.
    """

    kind: ClassifierKind = "keyword"
    timeout_seconds: Annotated[Number, Field(gt=0)] = 10.0
    model: Text | None = None
    examples: Path | None = None
    rules: Path | None = None
    artefact: Path | None = None
    doubt: tuple[Probability, Probability] = (0.3, 0.7)

    @model_validator(mode="after")
    def _zone_ascends(self) -> Self:
        if self.doubt[0] > self.doubt[1]:
            raise ValueError("'doubt' must be a lower and an upper bound, in this order")
        return self


class BreakerTable(_Table):
    """``[calls.breaker]``: when a model counts as out of service, and how it comes back.

    The keys are those of `turnout.core.calls.BreakerRules`, with times in seconds.

    Attributes:
        consecutive_failures: So many failures in a row open the breaker.
        error_rate: So large a share of failures within the window opens it, once there are ``minimum_calls``.
        minimum_calls: The fewest calls within the window that a share says something about.
        window_seconds: How far back calls count for the share.
        open_seconds: How long an open breaker keeps requests away before it lets probes through.
        probes: How many probes may run at once, and how many have to succeed before it closes.
    """

    consecutive_failures: Annotated[int, BeforeValidator(_not_bool), Field(gt=0)] = 5
    error_rate: Annotated[Number, Field(gt=0, le=1)] = 0.5
    minimum_calls: Annotated[int, BeforeValidator(_not_bool), Field(gt=0)] = 20
    window_seconds: Annotated[Number, Field(gt=0)] = 60.0
    open_seconds: Annotated[Number, Field(gt=0)] = 15.0
    probes: Annotated[int, BeforeValidator(_not_bool), Field(gt=0)] = 1


class CallsTable(_Table):
    """``[calls]``: how long and how often a request is tried.

    The keys are those of `turnout.core.calls.CallRules`, with times in seconds.

    Attributes:
        deadline_seconds: Until its first content has to come, classifier, retries and failovers included; where an
            answer is not streamed, until all of it has come.
        stall_seconds: How long a streamed answer may bring nothing before the model is given up.
        attempts_per_model: The most calls of one request to the same model, the first one included.
        base_backoff_seconds: The longest wait before a model's second call; it doubles with each further one.
        max_backoff_seconds: What the longest wait never exceeds.
        failover_after_seconds: The most waiting for a failing model while another could serve instead.
        breaker: When a model counts as out of service.
    """

    deadline_seconds: Annotated[Number, Field(gt=0)] = 120.0
    stall_seconds: Annotated[Number, Field(gt=0)] = 60.0
    attempts_per_model: Annotated[int, BeforeValidator(_not_bool), Field(gt=0)] = 3
    base_backoff_seconds: Annotated[Number, Field(ge=0)] = 0.1
    max_backoff_seconds: Annotated[Number, Field(ge=0)] = 5.0
    failover_after_seconds: Annotated[Number, Field(ge=0)] = 0.2
    breaker: BreakerTable = BreakerTable()


class PinsTable(_Table):
    """``[pins]``: models that are insisted on.

    Attributes:
        tags: For each tag the model that serves every request with it, named like a candidate; the inference profile
            may be left out where that names one candidate. Of several tags the first one here holds.
    """

    tags: dict[Text, Text] = {}


class GatewayTable(_Table):
    """``[gateway]``: where ``turnout serve`` listens and how much it takes on; see `GatewaySettings`."""

    host: Text = "127.0.0.1"
    port: Annotated[int, BeforeValidator(_not_bool), Field(ge=0, le=65_535)] = 4141
    keys: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    behind_tls_proxy: bool = False
    workers: Annotated[int, BeforeValidator(_not_bool), Field(ge=1, le=256)] = 1
    max_body_bytes: Annotated[int, BeforeValidator(_not_bool), Field(ge=1_024)] = 32 * 1024 * 1024
    max_bodies_bytes: Annotated[int, BeforeValidator(_not_bool), Field(ge=1_024)] = 512 * 1024 * 1024
    max_header_bytes: Annotated[int, BeforeValidator(_not_bool), Field(ge=1_024)] = 64 * 1024
    max_depth: Annotated[int, BeforeValidator(_not_bool), Field(ge=8, le=500)] = 100
    max_requests: Annotated[int, BeforeValidator(_not_bool), Field(ge=1)] = 1_000
    max_connections: Annotated[int, BeforeValidator(_not_bool), Field(ge=1)] = 5_000
    header_seconds: Annotated[Number, Field(gt=0)] = 10.0
    body_seconds: Annotated[Number, Field(gt=0)] = 30.0
    write_seconds: Annotated[Number, Field(gt=0)] = 60.0
    linger_seconds: Annotated[Number, Field(ge=0)] = 0.0
    drain_seconds: Annotated[Number, Field(ge=0)] = 30.0
    translate: bool = True


UpstreamSpeech = Literal["chat", "responses"]
"""What a server with OpenAI's API may speak: Chat Completions, Responses."""


class UpstreamTable(_Table):
    """One of ``[upstreams.<name>]``: a provider's API; see `turnout.config.settings.UpstreamSettings`."""

    protocol: UpstreamProtocol | None = None
    provider: Text | None = None
    base_url: Text | None = None
    auth: UpstreamAuth | None = None
    key_env: Text | None = None
    region: Text | None = None
    speaks: Annotated[list[UpstreamSpeech], Field(min_length=1)] | None = None
    api_version: Text | None = None
    models: dict[Text, Text] = {}
    headers: dict[Text, Text] = {}
    headers_env: dict[Text, Text] = {}
    ca_file: Path | None = None
    connect_seconds: Annotated[Number, Field(gt=0)] | None = None
    stall_seconds: Annotated[Number, Field(gt=0)] | None = None
    max_connections: Annotated[int, BeforeValidator(_not_bool), Field(ge=1)] | None = None
    proxy: Text | None = None
    proxy_env: Text | None = None


class SettingsTable(BaseSettings):
    """The whole of ``turnout.toml``; `turnout.config.settings.Settings` is what is made of it.

    Attributes:
        policy: How models are chosen.
        classifier: Which classifier routes, and how.
        calls: How long and how often a request is tried.
        pins: Models that are insisted on.
        routes: Policies under names that clients of the gateway write as a model.
        ledger: The SQLite file of what was recorded; none: in the user's data directory.
        overrides: A file with facts and prices of your own models; it has to be there. None: the packaged ones alone.
        policy_file: The reviewed lock that ``turnout plan --write`` writes. Where it is named, its models and
            thresholds hold, and those of policy are what the next plan proposes. None: those of policy hold.
        default_profile: The Bedrock inference profile of requests that name none; none: they are refused.
        region: The AWS region; none: boto3's own choice.
        application_profiles: The model of each Bedrock application profile, by its ARN or the ARN's last part.
        max_prompt_chars: The longest prompt that is taken from outside, in characters.
        record_text: Whether prompts and answers may be recorded.
        texts: A file where they are kept if they may be, a call a line, for `turnout collect`; none: there is none.
    """

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=PREFIX, env_nested_delimiter=NESTED, env_ignore_empty=True
    )

    policy: PolicyTable = PolicyTable()
    classifier: ClassifierTable = ClassifierTable()
    calls: CallsTable = CallsTable()
    pins: PinsTable = PinsTable()
    gateway: GatewayTable = GatewayTable()
    routes: dict[Text, RouteTable] = {}
    upstreams: dict[Text, UpstreamTable] = {}
    ledger: Path | None = None
    overrides: Path | None = None
    policy_file: Path | None = None
    default_profile: Text | None = None
    region: Text | None = None
    application_profiles: dict[str, Text] = {}
    max_prompt_chars: Annotated[int, BeforeValidator(_not_bool), Field(gt=0)] = 200_000
    record_text: bool = False
    texts: Path | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables first, then the file, which is passed to the constructor."""
        return env_settings, init_settings


PATHS = (
    ("ledger",),
    ("overrides",),
    ("texts",),
    ("policy_file",),
    ("policy", "calibration"),
    ("classifier", "examples"),
    ("classifier", "rules"),
    ("classifier", "artefact"),
    ("gateway", "keys"),
    ("gateway", "tls_cert"),
    ("gateway", "tls_key"),
)
"""The keys that are paths: in a file they are relative to it."""
