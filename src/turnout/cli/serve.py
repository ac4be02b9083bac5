"""`turnout serve`: the gateway in front of providers, as one process or several."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from turnout.cli.common import ConfigOption, LedgerOption
from turnout.cli.errors import UserError
from turnout.config.extras import require

if TYPE_CHECKING:
    from turnout.config import Settings
    from turnout.core.catalog import Catalog
    from turnout.doors.gateway.access.key_file import LiveKeys
    from turnout.doors.gateway.access.listening import Listening
    from turnout.doors.gateway.app import Gateway
    from turnout.doors.gateway.workers import Worker

logger = logging.getLogger(__name__)


def run(
    host: Annotated[str | None, typer.Option(help="Where to listen. Default: 127.0.0.1, this machine only.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free one. Default: 4141.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="How many processes serve. Default: 1.")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="A certificate, with those above it, as PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key, where that is another file.")] = None,
    keys: Annotated[
        Path | None, typer.Option(help="File of keys. Default: as configured, else keys.json in the data directory.")
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:NAME", help="Also serve this agent at /invocations and /ping; it calls its models."
        ),
    ] = None,
    run_name: Annotated[str, typer.Option("--run", help="The run that events belong to.")] = "gateway",
    ledger: LedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Serve OpenAI, Anthropic and Bedrock clients, each request by the cheapest model that can carry it.

    Clients are pointed at it by their base URL. Settings: the tables [gateway] and [upstreams.<name>]; they are read
    anew when they change and on SIGHUP. Others than this machine get in with keys only: turnout keys create.
    """
    from turnout.cli.common import load
    from turnout.doors.gateway.workers import Supervisor
    from turnout.doors.listening import ListenError, listen
    from turnout.trace.store.ledger import Ledger

    def read() -> tuple[Settings, Catalog]:
        settings, catalog = load(config)
        given = {"host": host, "port": port, "workers": workers, "tls_cert": tls_cert, "tls_key": tls_key, "keys": keys}
        chosen = {name: value for name, value in given.items() if value is not None}
        settings = replace(settings, gateway=msgspec.structs.replace(settings.gateway, **chosen))
        return (replace(settings, ledger=ledger) if ledger is not None else settings), catalog

    settings, catalog = read()
    wanted = settings.gateway
    if wanted.tls_key is not None and wanted.tls_cert is None:
        raise UserError("--tls-key has no use without --tls-cert")
    if agent is not None:
        if wanted.workers > 1:
            raise UserError("--agent keeps its conversations in one process: leave --workers out")
        require("bedrock_agentcore", extra="agentcore")
        require("strands", extra="strands")
        if settings.file is not None:
            os.environ["TURNOUT_CONFIG"] = str(settings.file)  # the agent reads the same settings
    keyring, asks = _access(settings, catalog)
    try:
        listening = listen(wanted.host, wanted.port, backlog=2048)
    except ListenError as error:
        raise UserError(str(error)) from None
    for warning in asks.warnings:
        logger.warning("host=<%s> | %s", wanted.host, warning)
    key = secrets.token_bytes(32)
    serve = partial(_serve, read, settings, catalog, keyring, asks, listening, run_name, key, agent)
    if wanted.workers == 1:
        serve(None, None)
        return
    # Made, or brought up to date, once; and what is wrong with it is told once.
    Ledger(settings.ledger).close()
    counts = Path(tempfile.mkdtemp(prefix="turnout-"))
    worker: Worker | None = None
    try:
        worker = Supervisor(wanted.workers, patience_s=wanted.linger_seconds + wanted.drain_seconds).run()
    finally:
        if worker is None:
            shutil.rmtree(counts, ignore_errors=True)
    serve(worker, counts)


def _access(settings: Settings, catalog: Catalog) -> tuple[LiveKeys, Listening]:
    """The keys, and what is asked of clients where the gateway is to listen.

    Raises:
        ConfigError: The keys cannot be read, or it must not listen there.
    """
    from turnout.config.presets import PRESETS
    from turnout.doors.gateway.access.key_file import KeyFile, LiveKeys, default_keys
    from turnout.doors.gateway.access.keys import check_rules
    from turnout.doors.gateway.access.listening import Tls, listening

    wanted = settings.gateway
    keys = LiveKeys(KeyFile(wanted.keys or default_keys()))
    check_rules(keys.ring.keys, [model.id for model in catalog.models], PRESETS)
    tls: Tls = "own" if wanted.tls_cert is not None else "proxy" if wanted.behind_tls_proxy else "none"
    return keys, listening(wanted.host, tls=tls, issued=len(keys.ring), active=keys.ring.active)


def _serve(
    read: Callable[[], tuple[Settings, Catalog]],
    settings: Settings,
    catalog: Catalog,
    keys: LiveKeys,
    asks: Listening,
    listening: Any,
    run_name: str,
    hash_key: bytes,
    agent: str | None,
    worker: Worker | None,
    counts: Path | None,
) -> None:
    """Serve in this process until it is told to stop."""
    from turnout.classify.configured import configured_classifier
    from turnout.config.errors import ConfigError
    from turnout.config.presets import PRESETS
    from turnout.deploy.preflight.ways_out import models_in_use
    from turnout.doors.gateway.access.gate import Gate
    from turnout.doors.gateway.access.limits import Limits
    from turnout.doors.gateway.access.spending import SpendingReader
    from turnout.doors.gateway.admission import Admission, steady_clock
    from turnout.doors.gateway.counts import sharing
    from turnout.doors.gateway.reloading import Loaded, Loader, classifier_parts, reloading
    from turnout.doors.gateway.server import serve, server_of
    from turnout.doors.gateway.serving import gateway_of
    from turnout.doors.gateway.upkeep import upkeep
    from turnout.trace.exports import configure_exports
    from turnout.trace.fanout import Fanout
    from turnout.trace.prometheus import MetricsRecorder
    from turnout.trace.prometheus.sharing import Shared
    from turnout.trace.store.ledger import Ledger
    from turnout.trace.store.recorder import Recorder

    if worker is not None and not worker.first:
        # It takes the place of one that had gone on by newer settings, perhaps.
        keys.refresh()
        try:
            settings, catalog = read()
        except ConfigError as error:
            logger.error("problem=<%s> | the settings are those that the server began with", error)
    with ExitStack() as open_:
        open_.enter_context(listening)
        tracing = configure_exports(settings)
        if tracing is not None:
            open_.callback(tracing.close)
        ledger = open_.enter_context(Ledger(settings.ledger))
        recorder = open_.enter_context(Recorder(ledger))
        clock = steady_clock()
        now_ms = int(clock() * 1000)
        spending = SpendingReader(ledger)
        admission = Admission(Gate(lambda: keys.ring, asks), Limits(spending.read(now_ms), now_ms), clock)
        metrics = MetricsRecorder(
            models_in_use(settings),
            breakers=lambda: (router := gateway.routing.router).breakers.states(router.now_ms()).items(),
            dropped={"ledger": lambda: recorder.dropped},
        )
        shared = None if worker is None or counts is None else Shared(counts, worker.slot)
        classifier = configured_classifier(settings, catalog)
        gateway = gateway_of(
            settings,
            catalog,
            classifier=classifier,
            records=Fanout(recorder, metrics, admission.limits),
            run=run_name,
            hash_key=hash_key,
            admission=admission,
            metrics=metrics.exposition if shared is None else lambda accept: metrics.exposition(accept, shared.all()),
        )
        tls = None if settings.gateway.tls_cert is None else (settings.gateway.tls_cert, settings.gateway.tls_key)
        server = server_of(gateway, tls=tls, on_started=None if worker is None else worker.started)
        made_of = classifier_parts(settings, catalog)
        loader = Loader(read, configured_classifier, Loaded(settings, catalog, classifier, made_of, gateway.routing))

        def use(now: Settings) -> None:
            metrics.use_models(models_in_use(now))
            server.renew_certificate()

        gateway.alongside += [
            reloading(gateway, loader, on_use=[use]),
            upkeep(admission, keys, lambda: ([model.id for model in catalog.models], [*PRESETS]), spending),
        ]
        if shared is not None:
            gateway.alongside.append(sharing(metrics, shared))
        if worker is not None:
            gateway.alongside.append(server.until_closed(worker.parent))
        if agent is not None:
            _mount(gateway, agent, settings, open_)
        if worker is None or worker.first:
            _announce(gateway, settings, listening.getsockname()[1])
        serve(server, listening)


def _mount(gateway: Gateway, agent: str, settings: Settings, open_: ExitStack) -> None:
    """Have the gateway serve an agent too, as AgentCore Runtime would call it."""
    from turnout.cli.agentcore.app import own_service
    from turnout.doors.agentcore import Limits, create_app

    service = open_.enter_context(
        own_service(agent, simulated=False, limits=Limits(), ledger=settings.ledger, exports=False)
    )
    # The SDK writes a line for each request by a handler of its own.
    logging.getLogger("bedrock_agentcore.app").setLevel(logging.WARNING)
    gateway.beside = create_app(service)

    @asynccontextmanager
    async def ending() -> AsyncIterator[None]:
        try:
            yield
        finally:
            await service.aclose()

    gateway.alongside.append(ending())


def _announce(gateway: Gateway, settings: Settings, port: int) -> None:
    """Say where clients are pointed, and at what."""
    host = settings.gateway.host
    scheme = "http" if settings.gateway.tls_cert is None else "https"
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    typer.echo(f"OpenAI: base_url {url}/v1   Anthropic: base_url {url}   Bedrock: endpoint_url {url}")
    spoken: dict[str, list[str]] = {}
    for model, protocol in gateway.routing.ways:
        spoken.setdefault(protocol.value, []).append(model)
    for model in gateway.routing.inner:
        spoken.setdefault("in this process", []).append(model)
    for name, models in spoken.items():
        typer.echo(f"{name}: {', '.join(models)}")
    typer.echo("The model name 'turnout' routes; Ctrl-C stops")
    sys.stdout.flush()
