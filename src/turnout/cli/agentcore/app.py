"""`turnout agentcore app`: an agent as an AgentCore Runtime HTTP service on this machine, or in its container."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnout.cli.common import ConfigOption, LedgerOption
from turnout.cli.errors import UserError
from turnout.cli.examples import in_clone
from turnout.config.extras import require
from turnout.core.catalog import unknown

if TYPE_CHECKING:
    from turnout.doors.agentcore import AgentService

NAME = "app"

VERSIONS = ("v1", "v2", "v3", "v4")

CONTAINER = "DOCKER_CONTAINER"
"""The variable by which AgentCore's SDK knows that it runs in a container, and listens at all addresses."""


def run(
    version: Annotated[str | None, typer.Option(help="The reference agent: v1, v2, v3 or v4, which routes.")] = None,
    agent: Annotated[
        str | None,
        typer.Option(metavar="MODULE:NAME", help="An agent of your own, or a function from session id to agent."),
    ] = None,
    live: Annotated[
        bool | None,
        typer.Option("--live/--simulated", help="Call real models, which are billed, or the simulated Bedrock."),
    ] = None,
    pair: Annotated[str | None, typer.Option(help="The pair of models, 4.5 or 5.5. Default: as configured.")] = None,
    region: Annotated[str | None, typer.Option(help="AWS region, for --live. Default: as AWS is configured.")] = None,
    host: Annotated[str | None, typer.Option(help="Where to listen. Default: 127.0.0.1.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8080,
    expose: Annotated[bool, typer.Option("--expose", help="Let other machines reach it, as a container must.")] = False,
    most_sessions: Annotated[int, typer.Option(min=1, help="How many sessions are kept.")] = 1000,
    idle_seconds: Annotated[float, typer.Option(min=1, help="Forget a session that nobody uses for so long.")] = 900,
    ledger: LedgerOption = None,
    config: ConfigOption = None,
) -> None:
    """Serve an agent over HTTP as AgentCore Runtime calls it: the reference agent v4 on simulated models by default."""
    if agent is not None and (version is not None or pair is not None):
        raise UserError("--agent brings its own models: leave --version and --pair out")
    if agent is not None and live is None:
        raise UserError("say --live to call the agent's own models, which may be billed, or --simulated for Bedrock's")
    if version is not None and version not in VERSIONS:
        raise UserError(f"{unknown('version', version, VERSIONS)}; there are {', '.join(VERSIONS)}")
    address = _address(host, expose)
    require("bedrock_agentcore", extra="agentcore")
    require("strands", extra="strands")
    from turnout.doors.agentcore import Limits, ListenError, create_app, listen, serve

    # Strands writes prompts and answers into its spans unless it is told not to.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "gen_ai_unredacted_attributes=")
    try:
        listening = listen(address, port)
    except ListenError as error:
        raise UserError(str(error)) from None
    if config is not None:
        # The settings are read where the agent is put together, and by an agent of one's own.
        os.environ["TURNOUT_CONFIG"] = str(config)
    limits = Limits(most_sessions=most_sessions, idle_s=idle_seconds)
    with listening:
        if agent is not None:
            opened = own_service(agent, simulated=not live, limits=limits, ledger=ledger)
        else:
            number = VERSIONS.index(version or "v4") + 1
            opened = _reference(number, live=bool(live), pair=pair, region=region, limits=limits, ledger=ledger)
        with opened as service:
            web = create_app(service)
            if not logging.getLogger().isEnabledFor(logging.INFO):
                # The SDK has a handler of its own and writes a line for each request.
                logging.getLogger("bedrock_agentcore.app").setLevel(logging.WARNING)
            _announce(service, address, listening.getsockname()[1])
            serve(web, listening)


def _announce(service: AgentService, address: str, port: int) -> None:
    """Say what is served and where; that models are simulated comes first."""
    if service.label:
        typer.echo(service.label)
    url = f"http://{f'[{address}]' if ':' in address else address}:{port}"
    typer.echo(f"{service.name}: POST {url}/invocations, GET {url}/ping; Ctrl-C stops")
    sys.stdout.flush()


def _address(host: str | None, expose: bool) -> str:
    """Where to listen.

    Raises:
        UserError: Other machines could reach it, and nobody said that they may.
    """
    in_container = bool(os.environ.get(CONTAINER))
    if host is None:
        return "0.0.0.0" if in_container else "127.0.0.1"
    if host != "localhost" and not host.startswith("127.") and host != "::1" and not (expose or in_container):
        raise UserError(
            f"--host {host} lets other machines ask the agent, and there is no log-in: if that is meant, say --expose"
        )
    return host


def _reference(
    version: int, *, live: bool, pair: str | None, region: str | None, limits: Any, ledger: Path | None
) -> Any:
    """The reference agent as a service."""
    checked = in_clone("examples.customer_support.options", "checked")
    opened_service = in_clone("examples.customer_support.serving", "opened_service")
    options = checked(
        live=live,
        local=False,
        base_url=None,
        cheap=None,
        capable=None,
        region=region,
        pairs=[pair] if pair else None,
        ledger=ledger,
    )
    return opened_service(options, version, configured=pair is None, limits=limits)


@contextmanager
def own_service(
    name: str, *, simulated: bool, limits: Any, ledger: Path | None, exports: bool = True
) -> Iterator[AgentService]:
    """An agent of one's own as a service: its models' events go to our ledger unless it keeps them elsewhere.

    Args:
        name: ``module:name``.
        simulated: Whether its models are simulated.
        limits: How much it takes on.
        ledger: The ledger; none: as configured.
        exports: Whether this sets up tracing; not where the process has it already.

    Raises:
        UserError: The agent cannot be loaded.
    """
    from turnout.cli.agentcore.simulated import simulated_bedrock
    from turnout.cli.common import load
    from turnout.doors.agentcore import AgentLoadError, AgentService, load_agent
    from turnout.trace.exports import configure_exports
    from turnout.trace.store.ledger import Ledger
    from turnout.trace.store.recorder import Recorder

    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    settings, _ = load(None)
    with simulated_bedrock(simulated) as bedrock:
        try:
            source = load_agent(name)
        except AgentLoadError as error:
            raise UserError(str(error)) from None
        bedrock.check_source(source)
        tracing = configure_exports(settings) if exports else None
        try:
            with Ledger(ledger or settings.ledger) as opened, Recorder(opened) as recorder:
                yield AgentService(source, records=recorder, limits=limits, label=bedrock.label, check=bedrock.check)
        finally:
            if tracing is not None:
                tracing.close()
