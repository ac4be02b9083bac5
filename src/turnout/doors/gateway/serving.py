"""A gateway put together from settings."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterable, Mapping

import msgspec

from turnout.classify.protocol import Classifier
from turnout.config.settings import Settings
from turnout.core.catalog import Catalog, Model
from turnout.core.policy import Policy
from turnout.doors.gateway.app import Gateway
from turnout.doors.gateway.bill import BillingRecords
from turnout.doors.gateway.models import Models
from turnout.doors.gateway.routing import GatewayRouting
from turnout.messages.wire.asked import WireProtocol
from turnout.router import Router
from turnout.sessions.memory import CacheScope, SessionMemory
from turnout.trace.events import Records
from turnout.upstream.http.client import HttpClient
from turnout.upstream.http.endpoint import Endpoint, endpoints_of
from turnout.upstream.local import endpoint as local
from turnout.upstream.ways import Way

logger = logging.getLogger(__name__)


def gateway_of(
    settings: Settings,
    catalog: Catalog,
    *,
    classifier: Classifier | None = None,
    records: Records | None = None,
    memory: SessionMemory | None = None,
    run: str = "default",
    simulated: bool = False,
    environment: Mapping[str, str] = os.environ,
    hash_key: bytes | None = None,
    chance: random.Random | None = None,
) -> Gateway:
    """A gateway.

    Args:
        settings: Policy, limits and upstreams.
        catalog: Knows the candidates.
        classifier: Asked where its verdict counts; none: the most capable then serves.
        records: Takes the events; none: they are dropped.
        memory: Sessions and caches; none: new ones in memory.
        run: The run that events belong to.
        simulated: Whether the upstreams are simulated.
        environment: Where keys are looked for.
        hash_key: Keys the hashes of prefixes; none: a random key for this process.
        chance: Draws the waits before retries.

    Raises:
        ConfigError: A candidate is not in the catalog, or an upstream cannot be called.
    """
    policy = settings.policy(catalog)
    if policy.markers != "user":
        logger.warning("markers=<%s> | the gateway leaves cache points as clients place them", policy.markers)
        policy = msgspec.structs.replace(policy, markers="user")
    entries = [catalog[candidate.model] for candidate in policy.candidates]
    remote = [entry.provider for entry in entries if entry.provider != local.PROVIDER]
    endpoints = endpoints_of(settings, remote, environment)
    ways = ways_of(policy, catalog, endpoints)
    inner, missing = inner_ways(entries, ways)
    regions = {endpoint.provider: endpoint.region for endpoint in endpoints.values() if endpoint.region}
    router = Router(
        policy,
        catalog,
        classifier=classifier,
        records=BillingRecords(records),
        memory=memory,
        scopes={entry.id: CacheScope(entry.id, region=regions.get(entry.provider, "")) for entry in entries},
        classifier_timeout_s=settings.classifier.timeout_seconds,
        run=run,
        simulated=simulated,
        calls=settings.calls,
        may_move=lambda conversation, source, target: routing.may_move(conversation, source, target),
        chance=chance,
        bound=settings.bound,
    )
    speaks = {
        entry.id: frozenset(protocol for protocol in WireProtocol if (entry.id, protocol) in ways) for entry in entries
    }
    models = Models(policy, catalog, settings.resolve, speaks)
    routing = GatewayRouting(
        router,
        models,
        ways,
        pinned_tags=settings.pinned_tags,
        hash_key=hash_key,
        translate=settings.gateway.translate,
        inner=inner,
        missing=missing,
    )
    return Gateway(routing, HttpClient(), settings.gateway)


def inner_ways(
    entries: Iterable[Model], ways: Mapping[tuple[str, WireProtocol], Way]
) -> tuple[dict[str, Way], dict[str, str]]:
    """The ways to candidates that run in this process, but for those that a server of one's own serves.

    Args:
        entries: The candidates.
        ways: Those to providers.

    Returns:
        The ways, and for each candidate that would run here but cannot the reason, ``name:detail``.
    """
    found: dict[str, Way] = {}
    missing: dict[str, str] = {}
    served = {model_id for model_id, _ in ways}
    for entry in entries:
        if entry.provider != local.PROVIDER or entry.id in served:
            continue
        why = local.missing(entry.id)
        if why is None:
            found[entry.id] = local.LocalEndpoint()
        else:
            logger.warning("model=<%s>, why=<%s> | a candidate cannot serve", entry.id, why)
            missing[entry.id] = why
    return found, missing


def ways_of(policy: Policy, catalog: Catalog, endpoints: Mapping[str, Endpoint]) -> dict[tuple[str, WireProtocol], Way]:
    """For each candidate and protocol where it is called; of several endpoints the one that is named first."""
    ways: dict[tuple[str, WireProtocol], Way] = {}
    for endpoint in endpoints.values():
        for candidate in policy.candidates:
            if catalog[candidate.model].provider == endpoint.provider:
                ways.setdefault((candidate.model, endpoint.protocol), endpoint)
    return ways
