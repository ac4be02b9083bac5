"""A gateway put together from settings."""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from turnout.classify.protocol import Classifier
from turnout.config.settings import Settings
from turnout.core.catalog import Catalog, Model
from turnout.core.policy import Policy
from turnout.core.spend_bound import SpendBound
from turnout.doors.gateway.access.gate import Gate
from turnout.doors.gateway.access.keys import KeyRing
from turnout.doors.gateway.access.limits import Limits
from turnout.doors.gateway.access.listening import listening
from turnout.doors.gateway.admission import Admission, steady_clock
from turnout.doors.gateway.app import Gateway
from turnout.doors.gateway.models import Models
from turnout.doors.gateway.relaying.bill import BillingRecords
from turnout.doors.gateway.routing import GatewayRouting
from turnout.messages.wire.asked import WireProtocol
from turnout.router import Router
from turnout.sessions.memory import CacheScope, SessionMemory
from turnout.trace.events import Records
from turnout.trace.prometheus import Exposition
from turnout.upstream.breaker import Breakers
from turnout.upstream.http.client import HttpClient
from turnout.upstream.http.endpoint import Endpoint, connection_rules, endpoints_of
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
    admission: Admission | None = None,
    metrics: Callable[[str], Exposition] | None = None,
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
        admission: Lets requests in; none: programs of this machine, without a key.
        metrics: As of `Gateway`.

    Raises:
        ConfigError: A candidate is not in the catalog, or an upstream cannot be called.
    """
    admission = admission or without_keys()
    routing = routing_of(
        settings,
        catalog,
        classifier=classifier,
        records=records,
        memory=memory,
        run=run,
        simulated=simulated,
        environment=environment,
        hash_key=hash_key,
        chance=chance,
        clock=admission.clock,
    )
    client = HttpClient(rules=connection_rules(settings, environment), environment=environment)
    return Gateway(routing, client, settings.gateway, admission, metrics=metrics)


def without_keys() -> Admission:
    """Lets programs of this machine in, as long as nobody made a key."""
    open_to_all = listening("127.0.0.1", tls="none", issued=0, active=0)
    clock, none = steady_clock(), KeyRing()
    return Admission(Gate(lambda: none, open_to_all), Limits(now_ms=int(clock() * 1000)), clock)


def routing_of(
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
    clock: Callable[[], float] = time.time,
) -> GatewayRouting:
    """What decides, by settings that were read; the arguments are those of `gateway_of`, and the time.

    Raises:
        ConfigError: As of `gateway_of`.
    """
    return _routing(
        settings,
        catalog,
        classifier,
        environment,
        _Kept(
            records=BillingRecords(records),
            memory=memory or SessionMemory(),
            run=run,
            simulated=simulated,
            hash_key=hash_key,
            chance=chance,
            clock=clock,
            breakers=Breakers(settings.calls.breaker),
        ),
        None,
    )


def routing_after(
    before: GatewayRouting,
    settings: Settings,
    catalog: Catalog,
    *,
    bound: SpendBound | None,
    classifier: Classifier | None = None,
    environment: Mapping[str, str] = os.environ,
) -> GatewayRouting:
    """What decides by other settings, knowing all that was learned so far.

    Sessions, caches, statistics, turns, breakers and, as long as its rules are the same, the account of the spend bound
    go on; `Gateway.use` puts it in the place of the one before, whose requests under way end by it.

    Args:
        before: By the settings before.
        settings: The new ones.
        catalog: Knows the candidates.
        bound: The spend bound of the settings before.
        classifier: As of `gateway_of`.
        environment: As of `gateway_of`.

    Raises:
        ConfigError: As of `gateway_of`.
    """
    router = before.router
    kept = _Kept(
        records=router.records,
        memory=router.memory,
        run=router.run,
        simulated=router.simulated,
        hash_key=None,
        chance=router.chance,
        clock=router.clock,
        breakers=router.breakers,
    )
    routing = _routing(settings, catalog, classifier, environment, kept, before)
    if settings.bound == bound:
        routing.router.spend = router.spend
    return routing


class _Kept(NamedTuple):
    """What goes on whatever settings hold."""

    records: Records | None
    memory: SessionMemory
    run: str
    simulated: bool
    hash_key: bytes | None
    chance: random.Random | None
    clock: Callable[[], float]
    breakers: Breakers


def _routing(
    settings: Settings,
    catalog: Catalog,
    classifier: Classifier | None,
    environment: Mapping[str, str],
    kept: _Kept,
    before: GatewayRouting | None,
) -> GatewayRouting:
    policy, routes = settings.policy(catalog), dict(settings.routes)
    if policy.markers == "manage":
        logger.warning("markers=<manage> | the gateway moves no cache points of clients: it fills where there are none")
        policy = msgspec.structs.replace(policy, markers="fill")
        routes = {name: msgspec.structs.replace(route, markers="fill") for name, route in routes.items()}
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
        records=kept.records,
        memory=kept.memory,
        scopes={entry.id: CacheScope(entry.id, region=regions.get(entry.provider, "")) for entry in entries},
        classifier_timeout_s=settings.classifier.timeout_seconds,
        run=kept.run,
        simulated=kept.simulated,
        clock=kept.clock,
        calls=settings.calls,
        breakers=kept.breakers,
        may_move=lambda conversation, source, target: routing.may_move(conversation, source, target),
        chance=kept.chance,
        bound=settings.bound,
    )
    speaks = {
        entry.id: frozenset(protocol for protocol in WireProtocol if (entry.id, protocol) in ways) for entry in entries
    }
    models = Models(policy, catalog, settings.resolve, speaks, routes)
    routing = GatewayRouting(
        router,
        models,
        ways,
        pinned_tags=settings.pinned_tags,
        hash_key=kept.hash_key,
        translate=settings.gateway.translate,
        inner=inner,
        missing=missing,
        before=before,
    )
    return routing


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
            if endpoint.serves(catalog[candidate.model]):
                ways.setdefault((candidate.model, endpoint.protocol), endpoint)
    return ways
