"""`turnout serve`: the gateway in front of providers, on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from turnout.cli.common import ConfigOption, LedgerOption
from turnout.cli.errors import UserError

if TYPE_CHECKING:
    from turnout.config import Settings
    from turnout.doors.gateway.app import Gateway


def run(
    host: Annotated[str | None, typer.Option(help="Where to listen: this machine only. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="0: any free one. Default: 4141.")] = None,
    run_name: Annotated[str, typer.Option("--run", help="The run that events belong to.")] = "gateway",
    ledger: LedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Serve OpenAI, Anthropic and Bedrock clients, each request by the cheapest model that can carry it.

    Clients are pointed at it by their base URL. Settings: the tables [gateway] and [upstreams.<name>].
    """
    from turnout.classify.configured import configured_classifier
    from turnout.cli.common import load
    from turnout.config.settings import is_loopback
    from turnout.doors.gateway.server import serve
    from turnout.doors.gateway.serving import gateway_of
    from turnout.doors.listening import ListenError, listen
    from turnout.trace.exports import configure_exports
    from turnout.trace.store.ledger import Ledger
    from turnout.trace.store.recorder import Recorder

    settings, catalog = load(config)
    wanted = settings.gateway
    if host is not None and not is_loopback(host):
        raise UserError(f"--host {host} is no address of this machine alone: there are no keys yet to keep others out")
    wanted = msgspec.structs.replace(wanted, host=host or wanted.host, port=wanted.port if port is None else port)
    try:
        listening = listen(wanted.host, wanted.port, backlog=2048)
    except ListenError as error:
        raise UserError(str(error)) from None
    tracing = configure_exports(settings)
    try:
        path: Path = ledger or settings.ledger
        with listening, Ledger(path) as opened, Recorder(opened) as recorder:
            gateway = gateway_of(
                settings,
                catalog,
                classifier=configured_classifier(settings, catalog),
                records=recorder,
                run=run_name,
            )
            _announce(gateway, settings, wanted.host, listening.getsockname()[1])
            serve(gateway, listening, drain_s=wanted.drain_seconds)
    finally:
        if tracing is not None:
            tracing.close()


def _announce(gateway: Gateway, settings: Settings, host: str, port: int) -> None:
    """Say where clients are pointed, and at what."""
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
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
