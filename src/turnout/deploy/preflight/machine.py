"""Whether this machine has what the settings need, apart from providers: catalog, classifier, ledger, keys, limits."""

from __future__ import annotations

import os
from pathlib import Path

from turnout.classify.configured import configured_classifier
from turnout.classify.examples import LabelledSetError
from turnout.classify.keyword import KeywordRulesError
from turnout.classify.learned.artefact import ArtefactError
from turnout.classify.protocol import Classifier
from turnout.config import ConfigError, Settings
from turnout.config.extras import MissingExtraError
from turnout.config.presets import preset_of
from turnout.config.routes import route_names
from turnout.core.catalog import Catalog, UnknownModelError
from turnout.deploy.preflight.finding import Finding
from turnout.doors.gateway.access.key_file import KeyFile, default_keys
from turnout.doors.gateway.access.keys import check_rules
from turnout.doors.gateway.access.listening import Tls, check_certificate, listening
from turnout.trace.errors import LedgerError
from turnout.trace.store.ledger import Ledger
from turnout.upstream.local.weights import WeightsError

_UNUSABLE = (
    ArtefactError,
    ConfigError,
    LabelledSetError,
    KeywordRulesError,
    MissingExtraError,
    WeightsError,
    UnknownModelError,
)


def policy_finding(settings: Settings, catalog: Catalog) -> Finding:
    """Whether the catalog has all candidates, and which policy holds.

    Raises:
        ConfigError: The catalog lacks a candidate.
    """
    policy = settings.policy(catalog)
    names = ", ".join(catalog[candidate.model].name for candidate in policy.candidates)
    bars = f"simple_bar {policy.simple_bar:g}, quality_bar {policy.quality_bar:g}"
    if settings.calibration is not None:
        return Finding("policy", "ok", f"calibrated by {settings.calibration_file} ({bars}) over {names}")
    return Finding("policy", "ok", f"{preset_of(policy) or 'bars of its own'} ({bars}) over {names}")


def build_classifier(settings: Settings, catalog: Catalog) -> tuple[Classifier | None, Finding]:
    """The classifier, if it can be built here, and whether it can. A model behind it is not called."""
    kind = settings.classifier.kind
    if kind == "none":
        return None, Finding("classifier", "note", "none: the most capable model serves whatever the query")
    try:
        classifier = configured_classifier(settings, catalog)
    except _UNUSABLE as error:
        return None, Finding("classifier", "wrong", f"{kind}: {error}")
    except ImportError as error:
        return None, Finding("classifier", "missing", f"{kind}: {error}: pip install 'turnout[strands]'")
    except Exception as error:
        # A provider's SDK says in its own way that a region or a profile is missing; its text may hold anything.
        return None, Finding("classifier", "wrong", f"{kind}: it cannot be built ({type(error).__name__})")
    asks = f", asks {settings.classifier.model}" if kind in ("llm", "cascade") else ""
    return classifier, Finding("classifier", "ok", kind + asks)


def ledger_finding(path: Path) -> Finding:
    """Whether the ledger can be written; one that is not there yet is not made."""
    if path.exists():
        try:
            with Ledger(path, create=False, read_only=True) as ledger:
                runs = len(ledger.runs())
        except LedgerError as error:
            return Finding("ledger", "wrong", str(error))
        if not os.access(path, os.W_OK):
            return Finding("ledger", "wrong", f"{path} cannot be written")
        return Finding("ledger", "ok", f"{path}, {runs} runs")
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
        return Finding("ledger", "wrong", f"{path} cannot be made: {above} cannot be written")
    return Finding("ledger", "ok", f"{path}, will be made")


def gateway_finding(settings: Settings, catalog: Catalog) -> Finding:
    """Whether `turnout serve` may listen where it is told to: its keys, and its certificate. Nothing is opened."""
    wanted = settings.gateway
    where = f"{wanted.host}:{wanted.port}"
    try:
        ring = KeyFile(wanted.keys or default_keys()).read()
        check_rules(ring.keys, [model.id for model in catalog.models], route_names(settings.routes))
        if wanted.tls_cert is not None:
            check_certificate(wanted.tls_cert, wanted.tls_key)
        tls: Tls = "own" if wanted.tls_cert is not None else "proxy" if wanted.behind_tls_proxy else "none"
        asks = listening(wanted.host, tls=tls, issued=len(ring), active=ring.active)
    except ConfigError as error:
        return Finding("gateway", "wrong", f"{where}: {error}")
    if asks.open:
        return Finding("gateway", "ok", f"{where}, without keys: programs of this machine alone")
    found = f"{where}, keys that work: {ring.active} in {wanted.keys or default_keys()}"
    return Finding("gateway", "note" if asks.warnings else "ok", "; ".join([found, *asks.warnings]))


def limit_findings(settings: Settings) -> list[Finding]:
    """Limits that are valid one by one, and work against each other."""
    calls, classifier, found = settings.calls, settings.classifier, []

    def note(key: str, detail: str) -> None:
        found.append(Finding(key, "note", detail))

    if classifier.kind != "none" and classifier.timeout_seconds >= calls.deadline_s:
        note(
            "classifier.timeout_seconds",
            f"{classifier.timeout_seconds:g} s leaves nothing of calls.deadline_seconds ({calls.deadline_s:g} s) "
            "for the answer",
        )
    if calls.base_backoff_s > calls.max_backoff_s:
        note(
            "calls.base_backoff_seconds",
            f"{calls.base_backoff_s:g} s is above max_backoff_seconds ({calls.max_backoff_s:g} s), which then holds",
        )
    if calls.max_backoff_s >= calls.deadline_s:
        note(
            "calls.max_backoff_seconds",
            f"one wait of {calls.max_backoff_s:g} s may take the whole deadline of {calls.deadline_s:g} s",
        )
    if len(settings.rules.candidates) > 1 and calls.failover_after_s >= calls.deadline_s:
        note("calls.failover_after_seconds", "no time is left for another model once this one is given up")
    breaker = calls.breaker
    if breaker.probes > breaker.consecutive_failures:
        note(
            "calls.breaker.probes",
            f"closing a breaker takes {breaker.probes} good calls, opening it {breaker.consecutive_failures} bad ones",
        )
    if len(settings.rules.candidates) == 1:
        note("policy.candidates", "there is one candidate: nothing is routed, and nothing can fail over")
    return found
