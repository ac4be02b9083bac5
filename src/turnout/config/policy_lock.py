"""The values of ``policy.toml``: what routes, at which prices, and what that was reckoned to cost.

The file is a lock: `turnout plan --write` writes it, people review it, and a router that is given it (``policy_file``
in the settings) routes by its models and thresholds whatever ``[policy]`` says by then. Prices in it are those that
were reviewed: bills go by the catalog's, and `turnout.config.policy_lock_changes` says where the two have parted.
`turnout.config.policy_lock_file` reads the file, `turnout.config.policy_lock_text` writes its text.

Known limitations: a lock says which classifier its thresholds belong to and does not build one; a price that the
catalog changes is told of, and decisions go by the catalog's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from turnout.config.errors import ConfigError
from turnout.core.catalog import Capabilities, Catalog, Model
from turnout.core.policy import Policy
from turnout.core.spend_bound import SpendBound

if TYPE_CHECKING:
    from turnout.config.settings import Settings

LOCK_NAME = "policy.toml"
"""What the file is called where the settings do not say."""

FORMAT = 1
"""The version of the file's format."""

PRICES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
"""The kinds of price, in the order of the file."""

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
        policy=in_order(policy),
        bound=bound,
        models=locked.models,
        classifier=classifier,
        routes={name: in_order(one) for name, one in sorted((routes or {}).items())},
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


def capabilities_of(model: Model) -> tuple[str, ...]:
    """The names of what a model can do."""
    return tuple(name for name in Capabilities.__struct_fields__ if getattr(model.capabilities, name))


def in_order(policy: Policy) -> Policy:
    """The policy with its candidates by rank, which is all that their order says."""
    return msgspec.structs.replace(policy, candidates=policy.ranked[::-1])


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
